/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/byte_pipe.h"
#include <string.h>

enum { CHUNKS = 6, CHUNK_BYTES = 256 * 1024 };

struct chunk {
	uint8_t *bytes; /* owned */
	size_t n;
};

/*
 * A ring. The writer fills chunk (first + ready), which the reader does not access, and passes it on by incrementing
 * ready; the reader uses the chunk at first until its next read.
 */
struct byte_pipe {
	struct chunk chunks[CHUNKS];
	GMutex mu; /* guards the following members */
	GCond changed;
	size_t first, ready;
	bool reading; /* the reader uses the chunk at first */
	bool ended, closed;
	GError *problem; /* owned */
};

byte_pipe *byte_pipe_new(void)
{
	byte_pipe *p = g_new0(byte_pipe, 1);
	g_mutex_init(&p->mu);
	g_cond_init(&p->changed);
	return p;
}

void byte_pipe_free(byte_pipe *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < CHUNKS; i++)
		g_free(p->chunks[i].bytes);
	g_clear_error(&p->problem);
	g_mutex_clear(&p->mu);
	g_cond_clear(&p->changed);
	g_free(p);
}

/* Returns the chunk to fill, once one is free; NULL when the reader has closed. */
static struct chunk *filling(byte_pipe *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	while (p->ready == CHUNKS && !p->closed)
		g_cond_wait(&p->changed, &p->mu);
	if (p->closed)
		return NULL;
	return &p->chunks[(p->first + p->ready) % CHUNKS];
}

static void hand_over(byte_pipe *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	p->ready++;
	g_cond_signal(&p->changed);
}

bool byte_pipe_write(byte_pipe *p, const void *bytes, size_t n, GError **error)
{
	const uint8_t *from = bytes;
	while (n > 0) {
		struct chunk *c = filling(p);
		if (!c)
			return error_set(error, ERROR_CANCELED, "the reader has closed the pipe");
		if (!c->bytes)
			c->bytes = g_malloc(CHUNK_BYTES);
		size_t take = MIN(n, CHUNK_BYTES - c->n);
		memcpy(c->bytes + c->n, from, take);
		c->n += take;
		from += take;
		n -= take;
		if (c->n == CHUNK_BYTES)
			hand_over(p);
	}
	return true;
}

void byte_pipe_end(byte_pipe *p, GError *problem)
{
	struct chunk *c = filling(p);
	if (c && c->n > 0)
		hand_over(p);
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	p->ended = true;
	p->problem = problem;
	g_cond_signal(&p->changed);
}

ssize_t byte_pipe_read(byte_pipe *p, const void **ret_bytes, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	if (p->reading) {
		p->chunks[p->first].n = 0;
		p->first = (p->first + 1) % CHUNKS;
		p->ready--;
		p->reading = false;
		g_cond_signal(&p->changed);
	}
	while (p->ready == 0 && !p->ended)
		g_cond_wait(&p->changed, &p->mu);
	if (p->ready > 0) {
		p->reading = true;
		*ret_bytes = p->chunks[p->first].bytes;
		return (ssize_t)p->chunks[p->first].n;
	}
	if (!p->problem)
		return 0;
	g_propagate_error(error, g_error_copy(p->problem));
	return -1;
}

void byte_pipe_close(byte_pipe *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	p->closed = true;
	g_cond_signal(&p->changed);
}
