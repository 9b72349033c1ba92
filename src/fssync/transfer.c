/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "fssync/transfer.h"
#include <string.h>

#define BATCH_BYTES KIB(32)
#define BATCH_US 5000
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

static bool transfer_send(struct transfer *s, const void *head, size_t n_head, const void *body, size_t n_body,
			  GError **error)
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

void packet_batch_init(struct packet_batch *b)
{
	*b = (struct packet_batch){.bytes = g_byte_array_new(), .sizes = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
}

void packet_batch_clear(struct packet_batch *b)
{
	g_clear_pointer(&b->bytes, g_byte_array_unref);
	g_clear_pointer(&b->sizes, g_array_unref);
}

void packet_batch_empty(struct packet_batch *b)
{
	g_byte_array_set_size(b->bytes, 0);
	g_array_set_size(b->sizes, 0);
	b->counted = 0;
}

void packet_batch_end(struct packet_batch *b)
{
	uint32_t size = (uint32_t)(b->bytes->len - b->counted);
	if (b->sizes->len == 0)
		b->since_us = g_get_monotonic_time();
	g_array_append_val(b->sizes, size);
	b->counted = b->bytes->len;
}

void packet_batch_add(struct packet_batch *b, enum packet_type type, uint32_t id, const void *data, size_t n)
{
	uint8_t head[PACKET_HEAD_SIZE];
	g_byte_array_append(b->bytes, head, (guint)packet_head(head, type, id, n));
	if (n > 0)
		g_byte_array_append(b->bytes, data, (guint)n);
	packet_batch_end(b);
}

bool packet_batch_is_due(const struct packet_batch *b)
{
	return b->bytes->len >= BATCH_BYTES || (b->sizes->len > 0 && g_get_monotonic_time() - b->since_us > BATCH_US);
}

/* Call with send_mu held. */
static bool send_packets(const struct fssync_channel *channel, const struct packet_batch *b, GError **error)
{
	const uint32_t *sizes = (const uint32_t *)(const void *)b->sizes->data;
	const uint8_t *at = b->bytes->data;
	if (channel->send_many)
		return channel->send_many(channel->data, at, sizes, b->sizes->len, error);
	for (guint i = 0; i < b->sizes->len; at += sizes[i++])
		if (!channel->send(channel->data, at, sizes[i], NULL, 0, error))
			return false;
	return true;
}

bool transfer_send_batch(struct transfer *s, struct packet_batch *b, GError **error)
{
	if (b->sizes->len == 0)
		return true;
	g_mutex_lock(&s->send_mu);
	bool ok = send_packets(s->channel, b, error);
	s->sent += (int64_t)b->bytes->len;
	if (ok && s->progress && b->bytes->len > 0)
		s->progress(s->progress_data, s->sent, false);
	g_mutex_unlock(&s->send_mu);
	packet_batch_empty(b);
	return ok;
}

bool transfer_recv(struct transfer *s, GQueue *ret, GError **error)
{
	const struct fssync_channel *channel = s->channel;
	GError *failure = NULL;
	if (channel->recv_many) {
		if (channel->recv_many(channel->data, ret, &failure))
			return true;
	} else {
		GBytes *bytes = channel->recv(channel->data, &failure);
		if (bytes) {
			g_queue_push_tail(ret, bytes);
			return true;
		}
	}
	return failure ? error_propagate(error, failure) : error_set(error, ERROR_UNAVAILABLE, "EOF");
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
