/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_server.h"
#include "base/scope.h"
#include "base/thread.h"
#include "base/time.h"
#include "rpc/bind.h"
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define REQUEST_BYTES 8192
#define CONNECTION_US (10 * G_USEC_PER_SEC)
#define ACCEPT_RETRY_US (G_USEC_PER_SEC / 10)

struct connection {
	int fd; /* owned */
	gint64 end_us;
	size_t have, sent; /* bytes of request and reply */
	GString *reply;    /* NULL: the request is not complete */
	char request[REQUEST_BYTES + 1];
};
struct debug_server {
	struct bound bound; /* owned */
	int stop;           /* owned; becomes readable when the server is stopped */
	GThread *thread;
	debug_server_answer answer;
	void *data;
	GPtrArray *connections; /* of struct connection, the oldest one first; used by the thread only */
	gint64 accept_at_us;    /* after a failure; 0: at once */
};

/* ---- connections */

static void connection_free(void *data)
{
	struct connection *c = data;
	fd_close(&c->fd);
	if (c->reply)
		g_string_free(c->reply, TRUE);
	explicit_bzero(c->request, sizeof c->request); /* it may contain the token */
	g_free(c);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Returns false when the connection is to be closed. */
static bool receive(debug_server *s, struct connection *c)
{
	ssize_t n = recv(c->fd, c->request + c->have, REQUEST_BYTES - c->have, 0);
	if (n <= 0)
		return n < 0 && would_block();
	c->have += (size_t)n;
	c->request[c->have] = '\0';
	size_t head = http_request_head(c->request, c->have);
	if (head == 0 && c->have < REQUEST_BYTES)
		return true;
	g_auto(http_request) r = {0};
	bool ok = head > 0 && http_request_parse(c->request, head, &r, NULL) && r.body_bytes <= REQUEST_BYTES - head;
	if (ok && c->have - head < r.body_bytes)
		return true;
	c->reply = g_string_new(NULL);
	s->answer(ok ? &r : NULL, c->request + head, c->reply, s->data);
	return true;
}

static bool transmit(struct connection *c)
{
	ssize_t n = send(c->fd, c->reply->str + c->sent, c->reply->len - c->sent, MSG_NOSIGNAL);
	if (n < 0)
		return would_block();
	c->sent += (size_t)n;
	return c->sent < c->reply->len;
}

static bool advance(debug_server *s, struct connection *c)
{
	if (!c->reply && !receive(s, c))
		return false;
	return !c->reply || transmit(c);
}

static void accept_one(debug_server *s)
{
	scoped_fd fd = accept4(s->bound.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* No descriptor is free: the connection stays in the backlog. */
		s->accept_at_us = would_block() ? 0 : g_get_monotonic_time() + ACCEPT_RETRY_US;
		return;
	}
	if (s->connections->len >= DEBUG_SERVER_CONNECTIONS)
		g_ptr_array_remove_index(s->connections, 0);
	struct connection *c = g_new0(struct connection, 1);
	c->fd = fd_steal(&fd);
	c->end_us = g_get_monotonic_time() + CONNECTION_US;
	g_ptr_array_add(s->connections, c);
}

/* ---- the thread */

/* Returns when the next connection ends or accepting is tried again; -1: never. */
static gint64 next_us(const debug_server *s)
{
	gint64 at_us = s->accept_at_us != 0 ? s->accept_at_us : -1;
	if (s->connections->len > 0) {
		const struct connection *oldest = s->connections->pdata[0];
		at_us = at_us < 0 ? oldest->end_us : MIN(at_us, oldest->end_us);
	}
	return at_us;
}

static size_t plan(const debug_server *s, struct pollfd *fds)
{
	size_t n = 0;
	fds[n++] = (struct pollfd){.fd = s->stop, .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = s->accept_at_us == 0 ? s->bound.fd : -1, .events = POLLIN};
	for (guint i = 0; i < s->connections->len; i++) {
		const struct connection *c = s->connections->pdata[i];
		fds[n++] = (struct pollfd){.fd = c->fd, .events = c->reply ? POLLOUT : POLLIN};
	}
	return n;
}

/* The connections are in the order of their ends. */
static void close_expired(debug_server *s, gint64 now_us)
{
	while (s->connections->len > 0 && now_us >= ((struct connection *)s->connections->pdata[0])->end_us)
		g_ptr_array_remove_index(s->connections, 0);
	if (now_us >= s->accept_at_us)
		s->accept_at_us = 0;
}

static gpointer run(gpointer data)
{
	debug_server *s = data;
	struct pollfd fds[2 + DEBUG_SERVER_CONNECTIONS];
	for (;;) {
		size_t n = plan(s, fds);
		gint64 at_us = next_us(s), left_us = MAX(at_us - g_get_monotonic_time(), 0);
		int ready = poll(fds, n, at_us < 0 ? -1 : (int)((left_us + 999) / 1000));
		if (ready < 0 && errno != EINTR)
			break;
		if (ready > 0 && fds[0].revents != 0)
			break;
		for (size_t i = n; ready > 0 && i-- > 2;)
			if (fds[i].revents != 0 && !advance(s, s->connections->pdata[i - 2]))
				g_ptr_array_remove_index(s->connections, (guint)i - 2);
		close_expired(s, g_get_monotonic_time());
		if (ready > 0 && fds[1].revents != 0)
			accept_one(s);
	}
	return NULL;
}

static void server_free(debug_server *s)
{
	bound_clear(&s->bound);
	fd_close(&s->stop);
	g_ptr_array_unref(s->connections);
	g_free(s);
}

debug_server *debug_server_start(const char *address, debug_server_answer answer, void *data, GError **error)
{
	g_autofree char *full = strstr(address, "://") ? g_strdup(address) : g_strconcat("tcp://", address, NULL);
	debug_server *s = g_new0(debug_server, 1);
	s->stop = -1;
	s->answer = answer;
	s->data = data;
	s->connections = g_ptr_array_new_with_free_func(connection_free);
	if (bind_address(full, NULL, &s->bound, error) && (s->stop = eventfd(0, EFD_CLOEXEC)) < 0)
		error_set_errno(error, errno, "eventfd");
	if (s->stop >= 0)
		s->thread = thread_start("debug", run, s, error);
	if (s->thread)
		return s;
	g_prefix_error(error, "debug address %s: ", address);
	server_free(s);
	return NULL;
}

void debug_server_stop(debug_server *s)
{
	if (!s)
		return;
	eventfd_write(s->stop, 1);
	g_thread_join(s->thread);
	server_free(s);
}
