/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/netproxy.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "netproxy/client.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define RETRY_MS 100 /* when a connection cannot be accepted for a lack of descriptors or memory */

struct netproxy {
	struct netproxy_service service;
	int listen_fd; /* owned */
	cancel *stop;  /* owned */
	GThread *thread;
	GMutex mu;              /* guards the rest */
	GCond cond;             /* a connection has ended or waits for a request */
	GPtrArray *connections; /* element type: struct connection * */
};
struct connection {
	netproxy *owner;
	GThread *thread; /* to be joined */
	int fd;          /* taken by its thread */
	cancel *stop;    /* owned; child of the owner's */
	bool waits;      /* owner->mu; for a request */
	gint64 since_us; /* owner->mu; when it began to wait */
	bool ended;      /* owner->mu */
};

/* ---- a connection's thread */

static void on_waits(void *data, bool waits)
{
	struct connection *c = data;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->owner->mu);
	c->waits = waits;
	c->since_us = g_get_monotonic_time();
	if (waits)
		g_cond_broadcast(&c->owner->cond);
}

static gpointer connection_run(gpointer data)
{
	struct connection *c = data;
	netproxy *p = c->owner;
	netproxy_client_serve(&p->service, c->fd, c->stop, c);
	g_mutex_lock(&p->mu);
	c->ended = true;
	g_cond_broadcast(&p->cond);
	g_mutex_unlock(&p->mu);
	return NULL;
}

/* ---- the accepting thread */

/* Joins the thread, which has ended or is about to. */
static void connection_free(struct connection *c)
{
	g_thread_join(c->thread);
	cancel_unref(c->stop);
	g_free(c);
}

/* Frees connections that have ended; all of them, waiting for their ends, if all. Returns with mu held. */
static void reap_locked(netproxy *p, bool all)
{
	for (guint i = 0; i < p->connections->len;) {
		struct connection *c = p->connections->pdata[i];
		if (!c->ended && !all) {
			i++;
			continue;
		}
		g_ptr_array_steal_index_fast(p->connections, i);
		g_mutex_unlock(&p->mu);
		connection_free(c);
		g_mutex_lock(&p->mu);
		i = 0;
	}
}

/*
 * Ends the connection that has waited for a request for the longest time, if one does and none is about to end. Requires
 * mu.
 */
static void evict_locked(const netproxy *p)
{
	struct connection *oldest = NULL;
	for (guint i = 0; i < p->connections->len; i++) {
		struct connection *c = p->connections->pdata[i];
		if (cancel_is_set(c->stop))
			return;
		if (c->waits && !c->ended && (!oldest || c->since_us < oldest->since_us))
			oldest = c;
	}
	if (oldest)
		cancel_set(oldest->stop, ERROR_CANCELED, NULL);
}

/* Waits until there are fewer connections than the limit. False: the proxy is stopped. */
static bool wait_for_place(netproxy *p)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, p->stop, &p->mu, &p->cond);
	g_mutex_lock(&p->mu);
	reap_locked(p, false);
	while (p->connections->len >= LIMIT_PROXY_CONNECTIONS && !cancel_is_set(p->stop)) {
		evict_locked(p);
		g_cond_wait(&p->cond, &p->mu);
		reap_locked(p, false);
	}
	g_mutex_unlock(&p->mu);
	return !cancel_is_set(p->stop);
}

static bool connection_start(netproxy *p, int fd, GError **error)
{
	int on = 1;
	struct connection *c = g_new0(struct connection, 1);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*c = (struct connection){.owner = p, .fd = fd, .stop = cancel_new(p->stop)};
	g_mutex_lock(&p->mu);
	c->thread = thread_start("proxy-client", connection_run, c, error);
	bool ok = c->thread != NULL;
	if (ok)
		g_ptr_array_add(p->connections, c);
	g_mutex_unlock(&p->mu);
	if (!ok) {
		cancel_unref(c->stop);
		g_free(c);
	}
	return ok;
}

static bool accept_one(netproxy *p)
{
	struct pollfd ready = {.fd = p->listen_fd, .events = POLLIN};
	g_autoptr(GError) error = NULL;
	if (!wait_for_place(p) || cancel_poll(p->stop, &ready, 1, -1, NULL) < 0)
		return false;
	scoped_fd fd = accept4(p->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ||
		       cancel_sleep(p->stop, RETRY_MS, NULL);
	if (!connection_start(p, fd, &error)) {
		log_warn("proxy of a step refuses a connection: %s", error->message);
		return cancel_sleep(p->stop, RETRY_MS, NULL);
	}
	fd_steal(&fd);
	return true;
}

static gpointer accept_run(gpointer data)
{
	while (accept_one(data))
		continue;
	return NULL;
}

/* ---- start and stop */

netproxy *netproxy_start(const struct netproxy_options *options, GError **error)
{
	netproxy *p = g_new0(netproxy, 1);
	g_mutex_init(&p->mu);
	g_cond_init(&p->cond);
	p->listen_fd = options->listen_fd;
	p->stop = cancel_new(NULL);
	p->connections = g_ptr_array_new();
	p->service = (struct netproxy_service){
		.ca = netproxy_ca_new(error),
		.egress_fd = options->egress_fd,
		.policy = options->policy,
		.capture = options->capture,
		.waits = on_waits,
	};
	p->thread = p->service.ca ? thread_start("proxy", accept_run, p, error) : NULL;
	if (p->thread)
		return p;
	netproxy_stop(p);
	return NULL;
}

const char *netproxy_ca_certificate(const netproxy *p)
{
	return netproxy_ca_pem(p->service.ca);
}

void netproxy_stop(netproxy *p)
{
	if (!p)
		return;
	cancel_set(p->stop, ERROR_CANCELED, "the step has ended");
	if (p->thread)
		g_thread_join(p->thread);
	g_mutex_lock(&p->mu);
	reap_locked(p, true);
	g_mutex_unlock(&p->mu);
	g_ptr_array_unref(p->connections);
	fd_close(&p->listen_fd);
	netproxy_ca_free(p->service.ca);
	cancel_unref(p->stop);
	g_cond_clear(&p->cond);
	g_mutex_clear(&p->mu);
	g_free(p);
}
