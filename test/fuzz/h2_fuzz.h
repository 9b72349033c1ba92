/* SPDX-License-Identifier: Apache-2.0 */
/* h2_fuzz: a byte stream without a descriptor, so that a connection reads the fuzzer's input. */
#pragma once
#include "rpc/server.h"
#include "api/guard.h"
#include "filesync.pb-c.h"

static enum stream_state none_read(struct stream *s, struct slice *ret, GError **error)
{
	return STREAM_AGAIN;
}

static ssize_t none_write(struct stream *s, const struct iovec *iov, int n, GError **error)
{
	ssize_t total = 0;
	for (int i = 0; i < n; i++)
		total += (ssize_t)iov[i].iov_len;
	return total;
}

static bool none_start(struct stream *s, GError **error)
{
	return true;
}

static void none_close(struct stream *s)
{
}

static void none_free(struct stream *s)
{
	g_free(s);
}

static struct stream *none_stream(rpc_loop *loop)
{
	static const struct stream_class class = {none_read, none_write, none_start, none_close, none_free};
	struct stream *s = g_new0(struct stream, 1);
	s->class = &class;
	s->loop = loop;
	return s;
}

static void feed(rpc_conn *c, const uint8_t *bytes, size_t n)
{
	g_mutex_lock(&c->mu);
	if (!c->dead)
		conn_input(c, bytes, n, NULL);
	conn_pump(c);
	g_mutex_unlock(&c->mu);
}

/* Waits for work that earlier inputs left in the loop. */
static void settle_done(void *data)
{
	g_atomic_int_set((gint *)data, 1);
}

static inline void settle(rpc_loop *loop)
{
	gint done = 0;
	loop_post(loop, settle_done, &done);
	while (!g_atomic_int_get(&done))
		g_thread_yield();
}
