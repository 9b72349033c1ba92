/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fssync_pair.h"

static bool pair_send(void *data, const void *head, size_t n_head, const void *body, size_t n_body, GError **error)
{
	struct pair_pipe *p = ((struct pair_end *)data)->out;
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	if (n_head)
		g_byte_array_append(bytes, head, (guint)n_head);
	if (n_body)
		g_byte_array_append(bytes, body, (guint)n_body);
	g_mutex_lock(&p->mu);
	while (p->bytes > p->window && !p->aborted)
		g_cond_wait(&p->changed, &p->mu);
	bool ok = !p->aborted;
	if (ok) {
		p->bytes += n_head + n_body;
		g_queue_push_tail(&p->messages, g_byte_array_free_to_bytes(g_steal_pointer(&bytes)));
	}
	g_cond_broadcast(&p->changed);
	g_mutex_unlock(&p->mu);
	return ok || error_set(error, ERROR_CANCELED, "stream aborted");
}

static GBytes *pair_recv(void *data, GError **error)
{
	struct pair_pipe *p = ((struct pair_end *)data)->in;
	g_mutex_lock(&p->mu);
	while (p->messages.length == 0 && !p->closed && !p->aborted)
		g_cond_wait(&p->changed, &p->mu);
	GBytes *bytes = p->aborted ? NULL : g_queue_pop_head(&p->messages);
	if (bytes)
		p->bytes -= g_bytes_get_size(bytes);
	if (p->aborted)
		error_set(error, ERROR_CANCELED, "stream aborted");
	g_cond_broadcast(&p->changed);
	g_mutex_unlock(&p->mu);
	return bytes;
}

static void pair_pipe_set(struct pair_pipe *p, bool *flag)
{
	g_mutex_lock(&p->mu);
	*flag = true;
	g_cond_broadcast(&p->changed);
	g_mutex_unlock(&p->mu);
}

static bool pair_close(void *data, GError **error)
{
	struct pair_end *end = data;
	pair_pipe_set(end->out, &end->out->closed);
	return true;
}

void pair_abort(void *data)
{
	struct pair_end *end = data;
	pair_pipe_set(end->out, &end->out->aborted);
	pair_pipe_set(end->in, &end->in->aborted);
}

struct pair *pair_new(size_t window)
{
	struct pair *p = g_new0(struct pair, 1);
	for (int i = 0; i < 2; i++) {
		g_mutex_init(&p->pipes[i].mu);
		g_cond_init(&p->pipes[i].changed);
		g_queue_init(&p->pipes[i].messages);
		p->pipes[i].window = window;
		p->ends[i] = (struct pair_end){&p->pipes[i], &p->pipes[1 - i]};
	}
	p->a = (struct fssync_channel){.send = pair_send,
				       .recv = pair_recv,
				       .close_send = pair_close,
				       .abort = pair_abort,
				       .data = &p->ends[0]};
	p->b = p->a;
	p->b.data = &p->ends[1];
	return p;
}

void pair_free(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		for (GBytes *b; (b = g_queue_pop_head(&p->pipes[i].messages));)
			g_bytes_unref(b);
		g_mutex_clear(&p->pipes[i].mu);
		g_cond_clear(&p->pipes[i].changed);
	}
	g_free(p);
}
