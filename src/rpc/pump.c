/* SPDX-License-Identifier: Apache-2.0 */
/* pump: collects nghttp2's frames into one vectored write, without copying payloads. */
#include "rpc/conn.h"

/* About the amount that a unix socket accepts at once. */
#define BATCH_BYTES ((size_t)192 * 1024)

void chunks_add(struct chunks *c, const void *data, size_t n, void *owned)
{
	struct chunk *chunk = g_new0(struct chunk, 1);
	chunk->data = data;
	chunk->len = n;
	chunk->owned = owned;
	if (c->tail)
		c->tail->next = chunk;
	else
		c->head = chunk;
	c->tail = chunk;
	c->bytes += n;
}

static void chunk_free(struct chunk *chunk)
{
	g_free(chunk->owned);
	g_free(chunk);
}

static struct chunk *chunks_pop(struct chunks *c)
{
	struct chunk *chunk = c->head;
	c->head = chunk->next;
	if (!c->head)
		c->tail = NULL;
	return chunk;
}

void chunks_clear(struct chunks *c)
{
	while (c->head)
		chunk_free(chunks_pop(c));
	c->bytes = 0;
}

bool batch_is_full(const struct batch *b)
{
	return b->bytes >= BATCH_BYTES || b->n > (int)G_N_ELEMENTS(b->iov) - 8;
}

static void add_iov(struct batch *b, const void *bytes, size_t n)
{
	struct iovec *last = b->n ? &b->iov[b->n - 1] : NULL;
	b->bytes += n;
	if (last && (uint8_t *)last->iov_base + last->iov_len == bytes)
		last->iov_len += n;
	else
		b->iov[b->n++] = (struct iovec){(void *)bytes, n};
}

static void done_add(struct batch *b, struct chunk *chunk)
{
	chunk->next = b->done;
	b->done = chunk;
}

void batch_add_copy(struct batch *b, const uint8_t *bytes, size_t n)
{
	if (n <= sizeof(b->arena) - b->arena_used) {
		uint8_t *to = b->arena + b->arena_used;
		memcpy(to, bytes, n);
		b->arena_used += n;
		add_iov(b, to, n);
		return;
	}
	struct chunk *chunk = g_new0(struct chunk, 1);
	chunk->owned = g_memdup2(bytes, n);
	add_iov(b, chunk->owned, n);
	done_add(b, chunk);
}

static void batch_join(struct batch *b, struct chunks *from, size_t n)
{
	struct chunk *joined = g_new0(struct chunk, 1);
	uint8_t *to = joined->owned = g_malloc(n);
	add_iov(b, to, n);
	done_add(b, joined);
	while (n > 0) {
		struct chunk *chunk = from->head;
		size_t part = MIN(n, chunk->len);
		memcpy(to, chunk->data, part);
		to += part;
		n -= part;
		chunk->data += part;
		chunk->len -= part;
		from->bytes -= part;
		if (chunk->len == 0)
			done_add(b, chunks_pop(from)); /* its beginning may be in the batch already */
	}
}

static int chunks_within(const struct chunks *from, size_t n)
{
	int count = 0;
	for (const struct chunk *chunk = from->head; chunk && n > 0; chunk = chunk->next) {
		n -= MIN(n, chunk->len);
		count++;
	}
	return count;
}

void batch_add_chunks(struct batch *b, struct chunks *from, size_t n)
{
	/* For many small messages in one frame, copying is cheaper than an iovec each, and the array is limited. */
	int count = chunks_within(from, n);
	if (count > 4 && (n / (size_t)count < 512 || b->n + count > (int)G_N_ELEMENTS(b->iov) - 4)) {
		batch_join(b, from, n);
		return;
	}
	while (n > 0) {
		struct chunk *chunk = from->head;
		size_t part = MIN(n, chunk->len);
		add_iov(b, chunk->data, part);
		n -= part;
		chunk->data += part;
		chunk->len -= part;
		from->bytes -= part;
		if (chunk->len == 0)
			done_add(b, chunks_pop(from));
	}
}

static void batch_done(struct batch *b)
{
	while (b->done) {
		struct chunk *next = b->done->next;
		chunk_free(b->done);
		b->done = next;
	}
}

/* Copies unwritten data: the memory of a batch belongs to senders that continue. */
static void keep_rest(rpc_conn *c, const struct batch *b, size_t written)
{
	g_byte_array_set_size(c->pending, 0);
	c->pending_at = 0;
	for (int i = 0; i < b->n; i++) {
		size_t len = b->iov[i].iov_len;
		size_t skip = MIN(written, len);
		written -= skip;
		g_byte_array_append(c->pending, (const guint8 *)b->iov[i].iov_base + skip, (guint)(len - skip));
	}
}

/* Takes the error. A peer that no longer reads is reported as UNAVAILABLE, like one that no longer writes. */
static void write_failed(rpc_conn *c, GError *error)
{
	conn_fail(c, g_error_new(error_domain(), ERROR_UNAVAILABLE, "error writing to %s: %s",
				 c->server ? "client" : "server", error->message));
	g_error_free(error);
}

/* False if the stream is still blocked, or failed. */
static bool flush_pending(rpc_conn *c)
{
	size_t left = c->pending->len - c->pending_at;
	if (left == 0 && !c->stream->blocked)
		return true;
	g_autoptr(GError) error = NULL;
	struct iovec iov = {c->pending->data + c->pending_at, left};
	ssize_t n = c->stream->class->write(c->stream, &iov, left ? 1 : 0, &error);
	if (n < 0) {
		conn_note_failure(c); /* a TLS handshake may fail here too */
		write_failed(c, g_steal_pointer(&error));
		return false;
	}
	c->pending_at += (size_t)n;
	return (size_t)n == left && !c->stream->blocked;
}

/* Makes one vectored write; false if continuing is pointless. */
static bool pump_once(rpc_conn *c)
{
	struct batch b;
	b.n = 0;
	b.bytes = b.arena_used = 0;
	b.done = NULL;
	c->batch = &b;
	int failed = nghttp2_session_send(c->session);
	c->batch = NULL;
	g_autoptr(GError) error = NULL;
	ssize_t written = 0;
	if (b.n > 0 && !c->dead)
		written = c->stream->class->write(c->stream, b.iov, b.n, &error);
	if (written >= 0 && (size_t)written < b.bytes)
		keep_rest(c, &b, (size_t)written);
	bool more = written >= 0 && batch_is_full(&b) && (size_t)written == b.bytes && !c->stream->blocked;
	batch_done(&b);
	if (written < 0) {
		conn_note_failure(c);
		write_failed(c, g_steal_pointer(&error));
	} else if (failed) {
		conn_fail(c, g_error_new(error_domain(), ERROR_UNAVAILABLE, "connection error: %s",
					 nghttp2_strerror(failed)));
	}
	return more && !failed;
}

void conn_pump(rpc_conn *c)
{
	if (c->dead || c->batch)
		return;
	if (!flush_pending(c))
		return;
	while (!c->dead && pump_once(c))
		;
}
