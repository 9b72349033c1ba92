/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"
#include "rpc/bind.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define RETRY_US (100 * 1000)

struct listener {
	rpc_server *server;      /* borrowed */
	struct loop_watch watch; /* its fd belongs to bound */
	struct loop_timer retry; /* after EMFILE */
	struct ssl_ctx_st *tls;  /* owned, NULL for plain */
	struct bound bound;      /* owned */
	bool closed;
};

/* ---- accepting, on the loop's thread */

static void report(rpc_server *s, const struct peer *peer, const char *reason)
{
	if (s->refused_hook)
		s->refused_hook(peer->label, reason, s->refused_data);
}

/* Sends an empty SETTINGS and a GOAWAY with the reason, as much as the socket accepts. */
static void send_goaway(int fd, const char *reason)
{
	uint8_t frames[9 + 9 + 8 + 255] = {
		[3] = 4 /* SETTINGS */, [9 + 3] = 7 /* GOAWAY */, [9 + 9 + 7] = NGHTTP2_ENHANCE_YOUR_CALM};
	size_t n = MIN(strlen(reason), 255);
	frames[9 + 1] = (uint8_t)((n + 8) >> 8);
	frames[9 + 2] = (uint8_t)(n + 8);
	memcpy(frames + 9 + 9 + 8, reason, n);
	if (send(fd, frames, 9 + 9 + 8 + n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* the peer sees that the connection is closed */
}

static bool admit(struct listener *l, int fd, const struct peer *peer)
{
	rpc_server *s = l->server;
	enum admission_verdict verdict;
	for (;;) {
		g_mutex_lock(&s->mu);
		verdict = admission_look(&s->admission, peer);
		g_mutex_unlock(&s->mu);
		if (verdict == ADMIT)
			return true;
		const char *of = verdict == ADMIT_SOURCE_FULL ? peer->source : NULL;
		if (!server_make_room(s, verdict == ADMIT_PROCESS_FULL ? peer->process : of))
			break;
	}
	g_autofree char *reason = NULL;
	if (verdict == ADMIT_FULL)
		reason = g_strdup_printf("too many connections (%u), all with running calls",
					 s->admission.max[peer->slot]);
	else if (verdict == ADMIT_PROCESS_FULL)
		reason = g_strdup_printf("too many connections of %s (%u), all with running calls", peer->process,
					 admission_max_process(&s->admission));
	else
		reason = g_strdup_printf("too many connections of %s (%u), all with running calls", peer->source,
					 s->admission.max_source[peer->slot]);
	if (!l->tls)
		send_goaway(fd, reason);
	report(s, peer, reason);
	return false;
}

static void serve(struct listener *l, int fd, const struct sockaddr_storage *address)
{
	scoped_fd own = fd;
	rpc_server *s = l->server;
	g_autoptr(GError) error = NULL;
	struct peer peer;
	peer_init(&peer, fd, address);
	if (!admit(l, fd, &peer)) {
		peer_clear(&peer);
		return;
	}
	int one = 1;
	if (peer.slot == SLOT_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fd_steal(&own);
	struct stream *stream =
		l->tls ? stream_tls_accept(s->loop, l->tls, fd, &error) : stream_fd_new(s->loop, fd, fd);
	if (!stream) {
		report(s, &peer, error->message);
		peer_clear(&peer);
		return;
	}
	rpc_conn *c = server_add_stream(s, stream, &peer, NULL);
	if (c)
		c->server_user = true; /* server_closed runs later, on this thread */
}

static void on_accept(void *data, uint32_t events)
{
	struct listener *l = data;
	for (int i = 0; i < 64; i++) {
		struct sockaddr_storage address = {0};
		socklen_t n = sizeof(address);
		int fd = accept4(l->watch.fd, (struct sockaddr *)&address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			serve(l, fd, &address);
			continue;
		}
		/* No descriptor is free: closes an idle connection, or leaves new ones in the backlog. */
		bool none = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
		if (none && !server_make_room(l->server, NULL)) {
			loop_watch_set(l->server->loop, &l->watch, 0);
			loop_timer_set(l->server->loop, &l->retry, g_get_monotonic_time() + RETRY_US);
			break;
		}
		if (!none && errno != EINTR && errno != ECONNABORTED)
			break;
	}
}

static void on_retry(void *data)
{
	struct listener *l = data;
	g_mutex_lock(&l->server->mu);
	if (!l->closed)
		loop_watch_set(l->server->loop, &l->watch, EPOLLIN);
	g_mutex_unlock(&l->server->mu);
}

/* ---- stopping */

struct closing {
	rpc_server *server;
	GMutex mu;
	GCond cond;
	bool done;
};

static void listener_free(struct listener *l)
{
	bound_clear(&l->bound);
	tls_context_free(l->tls);
	g_free(l);
}

static void close_now(void *data)
{
	struct closing *closing = data;
	rpc_server *s = closing->server;
	g_mutex_lock(&s->mu);
	for (guint i = 0; i < s->listeners->len; i++) {
		struct listener *l = s->listeners->pdata[i];
		l->closed = true;
		loop_watch_set(s->loop, &l->watch, 0);
		loop_timer_clear(s->loop, &l->retry);
	}
	g_mutex_unlock(&s->mu);
	g_mutex_lock(&closing->mu);
	closing->done = true;
	g_cond_signal(&closing->cond);
	g_mutex_unlock(&closing->mu);
}

static void run_on_loop(rpc_server *s, loop_fn fn)
{
	struct closing closing = {.server = s};
	g_mutex_init(&closing.mu);
	g_cond_init(&closing.cond);
	g_mutex_lock(&closing.mu);
	loop_post(s->loop, fn, &closing);
	while (!closing.done)
		g_cond_wait(&closing.cond, &closing.mu);
	g_mutex_unlock(&closing.mu);
	g_cond_clear(&closing.cond);
	g_mutex_clear(&closing.mu);
}

/* Runs after one more iteration of the loop: an event of the same batch may still refer to a listener. */
static void pass(void *data)
{
	struct closing *closing = data;
	g_mutex_lock(&closing->mu);
	closing->done = true;
	g_cond_signal(&closing->cond);
	g_mutex_unlock(&closing->mu);
}

void listeners_close(rpc_server *s)
{
	run_on_loop(s, close_now);
	run_on_loop(s, pass);
	g_mutex_lock(&s->mu);
	g_autoptr(GPtrArray) all = s->listeners;
	s->listeners = g_ptr_array_new();
	g_mutex_unlock(&s->mu);
	for (guint i = 0; i < all->len; i++)
		listener_free(all->pdata[i]);
}

/* ---- starting */

static void note_port(rpc_server *s, int fd)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof(address);
	if (s->port || getsockname(fd, (struct sockaddr *)&address, &n) < 0)
		return;
	if (address.ss_family == AF_INET)
		s->port = ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
	else if (address.ss_family == AF_INET6)
		s->port = ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
}

/* Takes the fd on success. */
static struct listener *listener_new(rpc_server *s, int fd, const struct rpc_tls *tls, GError **error)
{
	struct ssl_ctx_st *context = NULL;
	if (tls && !(context = tls_server_context(tls, error)))
		return NULL;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	struct listener *l = g_new0(struct listener, 1);
	l->server = s;
	l->tls = context;
	l->bound.fd = fd;
	l->watch = (struct loop_watch){.fd = fd, .ready = on_accept, .data = l};
	l->retry = (struct loop_timer){.fire = on_retry, .data = l};
	return l;
}

static bool listener_start(struct listener *l, GError **error)
{
	rpc_server *s = l->server;
	g_mutex_lock(&s->mu);
	bool ok = !s->stopping && loop_watch_set(s->loop, &l->watch, EPOLLIN);
	if (ok)
		g_ptr_array_add(s->listeners, l);
	g_mutex_unlock(&s->mu);
	return ok || error_set(error, ERROR_UNAVAILABLE, "cannot watch the listening socket");
}

bool rpc_server_listen_fd(rpc_server *s, int fd, const struct rpc_tls *tls, GError **error)
{
	struct listener *l = listener_new(s, fd, tls, error);
	if (!l)
		return false;
	note_port(s, fd);
	if (listener_start(l, error))
		return true;
	l->bound.fd = -1; /* the caller keeps it */
	listener_free(l);
	return false;
}

bool rpc_server_listen(rpc_server *s, const char *address, const struct rpc_listen_options *options, GError **error)
{
	struct bound bound;
	if (!bind_address(address, options, &bound, error))
		return false;
	const struct rpc_tls *tls = !bound.path && options ? options->tls : NULL;
	struct listener *l = listener_new(s, bound.fd, tls, error);
	if (!l) {
		bound_clear(&bound);
		return false;
	}
	l->bound = bound;
	note_port(s, bound.fd);
	if (listener_start(l, error))
		return true;
	listener_free(l);
	return false;
}
