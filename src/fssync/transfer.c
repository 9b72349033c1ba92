/* SPDX-License-Identifier: Apache-2.0 */
#include "fssync/transfer.h"
#include <string.h>

#define GRACE_MS 5000 /* time for the peer to end the stream after a failure */

static void abort_channel(void *data)
{
	const struct fssync_channel *channel = ((struct transfer *)data)->channel;
	if (channel->abort)
		channel->abort(channel->data);
}

void transfer_init(struct transfer *s, const struct fssync_channel *channel, cancel *c)
{
	s->channel = channel;
	s->cancel = c;
	g_mutex_init(&s->send_mu);
	g_mutex_init(&s->mu);
	g_cond_init(&s->changed);
	s->cancel_id = c ? cancel_add(c, abort_channel, s) : 0;
}

void transfer_clear(struct transfer *s)
{
	if (s->cancel_id)
		cancel_remove(s->cancel, s->cancel_id);
	g_clear_error(&s->error);
	g_mutex_clear(&s->send_mu);
	g_mutex_clear(&s->mu);
	g_cond_clear(&s->changed);
}

bool transfer_send(struct transfer *s, const void *head, size_t n_head, const void *body, size_t n_body, GError **error)
{
	g_mutex_lock(&s->send_mu);
	bool ok = s->channel->send(s->channel->data, head, n_head, body, n_body, error);
	s->sent += (int64_t)(n_head + n_body);
	if (ok && s->progress && n_head + n_body > 0)
		s->progress(s->progress_data, s->sent, false);
	g_mutex_unlock(&s->send_mu);
	return ok;
}

bool transfer_send_packet(struct transfer *s, enum packet_type type, uint32_t id, const void *data, size_t n,
			  GError **error)
{
	uint8_t head[PACKET_HEAD_SIZE];
	size_t n_head = packet_head(head, type, id, n);
	return transfer_send(s, head, n_head, data, n, error);
}

static void keep_failure(struct transfer *s, GError *error, bool reader_done)
{
	g_mutex_lock(&s->mu);
	s->reader_done |= reader_done;
	if (s->error)
		g_clear_error(&error);
	else
		s->error = error;
	g_cond_broadcast(&s->changed);
	g_mutex_unlock(&s->mu);
}

void transfer_fail(struct transfer *s, GError *error)
{
	keep_failure(s, error, false);
}

void transfer_end_reader(struct transfer *s, GError *error)
{
	keep_failure(s, error, true);
}

void transfer_give_up(struct transfer *s)
{
	g_mutex_lock(&s->mu);
	g_autofree char *text = g_strdup(s->error->message);
	bool reader_done = s->reader_done;
	g_mutex_unlock(&s->mu);
	if (!reader_done)
		(void)transfer_send_packet(s, PACKET_ERR, 0, text, strlen(text), NULL);
	g_mutex_lock(&s->mu);
	gint64 until = g_get_monotonic_time() + GRACE_MS * 1000;
	while (!s->reader_done && !cancel_is_set(s->cancel) && g_cond_wait_until(&s->changed, &s->mu, until))
		continue;
	reader_done = s->reader_done;
	g_mutex_unlock(&s->mu);
	if (!reader_done)
		abort_channel(s);
}
