/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"
#include "rpc/address.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define UNIX_PATH_BYTES 104
#define SOURCE_CONNECTIONS 64
#define BACKLOG 1024
#define RETRY_US (100 * 1000)

struct listener {
	rpc_server *server;      /* borrowed */
	struct loop_watch watch; /* owns its fd */
	struct loop_timer retry; /* after EMFILE */
	enum slot slot;
	struct ssl_ctx_st *tls; /* owned, NULL for plain */
	char *path;             /* owned: of a unix socket that we made */
	struct stat made;       /* the socket file, so that only our own is unlinked */
	bool paused;
	bool closed;
};

static guint slot_limit(enum slot slot)
{
	return slot == SLOT_UNIX ? (guint)LIMIT_UNIX_CONNECTIONS : (guint)LIMIT_TCP_CONNECTIONS;
}

/* ---- accepting, on the loop's thread */

/* NULL for a unix peer. */
static char *source_text(const struct sockaddr_storage *address)
{
	char text[INET6_ADDRSTRLEN];
	const void *in = address->ss_family == AF_INET6
				 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
				 : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
	if (address->ss_family != AF_INET && address->ss_family != AF_INET6)
		return NULL;
	return g_strdup(inet_ntop(address->ss_family, in, text, sizeof(text)));
}

static bool source_is_full(rpc_server *s, const char *source)
{
	g_mutex_lock(&s->mu);
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(s->sources, source));
	g_mutex_unlock(&s->mu);
	return n >= SOURCE_CONNECTIONS;
}

static struct stream *make_stream(struct listener *l, int fd)
{
	return l->tls ? stream_tls_accept(l->server->loop, l->tls, fd, NULL) : stream_fd_new(l->server->loop, fd, fd);
}

static void serve(struct listener *l, int fd, const struct sockaddr_storage *address)
{
	scoped_fd own = fd;
	g_autofree char *source = source_text(address);
	if (source && source_is_full(l->server, source))
		return;
	int one = 1;
	if (source)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct stream *stream = make_stream(l, fd_steal(&own));
	rpc_conn *c = stream ? server_add_stream(l->server, stream, l->slot, source, NULL) : NULL;
	if (c)
		c->server_user = true; /* server_closed runs later, on this thread */
}

static bool pause_when_full(struct listener *l)
{
	rpc_server *s = l->server;
	g_mutex_lock(&s->mu);
	l->paused = s->slots[l->slot] >= slot_limit(l->slot);
	if (l->paused)
		loop_watch_set(s->loop, &l->watch, 0);
	bool paused = l->paused;
	g_mutex_unlock(&s->mu);
	return paused;
}

static void on_accept(void *data, uint32_t events)
{
	struct listener *l = data;
	for (int i = 0; i < 64 && !pause_when_full(l); i++) {
		struct sockaddr_storage address = {0};
		socklen_t n = sizeof(address);
		int fd = accept4(l->watch.fd, (struct sockaddr *)&address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			serve(l, fd, &address);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_watch_set(l->server->loop, &l->watch, 0);
			loop_timer_set(l->server->loop, &l->retry, g_get_monotonic_time() + RETRY_US);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
}

static void on_retry(void *data)
{
	struct listener *l = data;
	g_mutex_lock(&l->server->mu);
	if (!l->closed && !l->paused)
		loop_watch_set(l->server->loop, &l->watch, EPOLLIN);
	g_mutex_unlock(&l->server->mu);
}

void listeners_resume(rpc_server *s)
{
	for (guint i = 0; i < s->listeners->len; i++) {
		struct listener *l = s->listeners->pdata[i];
		if (!l->paused || l->closed || s->slots[l->slot] >= slot_limit(l->slot))
			continue;
		l->paused = false;
		loop_watch_set(s->loop, &l->watch, EPOLLIN);
	}
}

/* ---- the end */

struct closing {
	rpc_server *server;
	GMutex mu;
	GCond cond;
	bool done;
};

static void listener_free(struct listener *l)
{
	struct stat now;
	if (l->path && lstat(l->path, &now) == 0 && now.st_ino == l->made.st_ino && now.st_dev == l->made.st_dev)
		unlink(l->path);
	fd_close(&l->watch.fd);
	tls_context_free(l->tls);
	g_free(l->path);
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

/* Once more round the loop: an event of the same batch may still have been on its way to a listener. */
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

/* ---- the beginning */

static int domain_of(int fd)
{
	int domain = AF_UNIX;
	socklen_t n = sizeof(domain);
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n);
	return domain;
}

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
	l->slot = domain_of(fd) == AF_UNIX ? SLOT_UNIX : SLOT_TCP;
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
	l->watch.fd = -1; /* the caller's again */
	listener_free(l);
	return false;
}

/* A socket where somebody answers is in use; one where nobody does is what a dead daemon left. */
static bool remove_stale(const char *path, const struct sockaddr_un *address, GError **error)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT || error_set_errno(error, errno, "stat %s", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(error, ERROR_ALREADY_EXISTS, "%s exists and is not a socket", path);
	scoped_fd probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return error_set_errno(error, errno, "socket");
	if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return error_set(error, ERROR_ALREADY_EXISTS, "listen unix %s: address already in use", path);
	if (errno == ECONNREFUSED && unlink(path) < 0)
		return error_set_errno(error, errno, "unlink %s", path);
	return true;
}

static bool make_parent(const char *path, const struct rpc_listen_options *options, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);
	if (g_file_test(parent, G_FILE_TEST_IS_DIR))
		return true;
	if (g_mkdir_with_parents(parent, 0770) < 0)
		return error_set_errno(error, errno, "mkdir %s", parent);
	if (options && chown(parent, options->uid, options->gid) < 0)
		return error_set_errno(error, errno, "chown %s", parent);
	return true;
}

static bool give_to(const char *path, const struct rpc_listen_options *options, GError **error)
{
	mode_t mode = options && options->socket_mode ? options->socket_mode : 0660;
	if (options && (options->uid != geteuid() || options->gid != getegid()) &&
	    lchown(path, options->uid, options->gid) < 0)
		return error_set_errno(error, errno, "chown %s", path);
	if (chmod(path, mode) < 0)
		return error_set_errno(error, errno, "chmod %s", path);
	return true;
}

static bool listen_unix(rpc_server *s, const char *path, const struct rpc_listen_options *options, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) > UNIX_PATH_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "failed to create unix socket on %s: \"%s\": unix socket path too long (> %d)", path,
				 path, UNIX_PATH_BYTES);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!make_parent(path, options, error) || !remove_stale(path, &address, error))
		return false;
	scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(error, errno, "socket");
	/* Nobody connects before it is ours in mode and owner: listen comes last. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(error, errno, "listen unix %s: bind", path);
	if (!give_to(path, options, error))
		return false;
	if (listen(fd, BACKLOG) < 0)
		return error_set_errno(error, errno, "listen unix %s", path);
	struct listener *l = listener_new(s, fd, NULL, error);
	if (!l)
		return false;
	fd_steal(&fd);
	l->path = g_strdup(path);
	if (lstat(path, &l->made) == 0 && listener_start(l, error))
		return true;
	listener_free(l);
	return false;
}

/* -1 and errno. */
static int bind_tcp(const struct addrinfo *address)
{
	scoped_fd fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	int off = 0;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return fd_steal(&fd);
}

static bool listen_tcp(rpc_server *s, const char *host_port, const struct rpc_tls *tls, GError **error)
{
	struct addrinfo *list = address_resolve(host_port, true, error);
	if (!list)
		return false;
	/* No host means all addresses, which an IPv6 socket has where there is IPv6. */
	scoped_fd fd = -1;
	for (const struct addrinfo *one = list; *host_port == ':' && one && fd < 0; one = one->ai_next)
		if (one->ai_family == AF_INET6)
			fd = bind_tcp(one);
	if (fd < 0)
		fd = bind_tcp(list);
	if (fd < 0)
		error_set_errno(error, errno, "listen tcp %s", host_port);
	freeaddrinfo(list);
	if (fd < 0 || !rpc_server_listen_fd(s, fd, tls, error))
		return false;
	fd_steal(&fd);
	return true;
}

bool rpc_server_listen(rpc_server *s, const char *text, const struct rpc_listen_options *options, GError **error)
{
	const char *rest;
	switch (address_parse(text, &rest, error)) {
	case ADDRESS_UNIX:
		return listen_unix(s, rest, options, error);
	case ADDRESS_TCP:
		return listen_tcp(s, rest, options ? options->tls : NULL, error);
	case ADDRESS_INVALID:
		break;
	}
	return false;
}
