/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/thread.h"
#include "network/network_internal.h"

/* ---- one namespace */

static network_namespace *namespace_new(network_provider *n, const char *hostname, cancel *c, GError **error)
{
	attachment *a = attachment_new(&n->site, hostname, c, error);
	if (!a)
		return error_prefix_null(error, "CNI setup error: ");
	network_namespace *ns = g_new0(network_namespace, 1);
	ns->owner = n;
	ns->attachment = a;
	ns->pooled = !hostname;
	return ns;
}

static void namespace_remove(network_namespace *ns)
{
	g_autoptr(GError) error = NULL;
	if (!attachment_remove(ns->attachment, ns->changed, &error))
		log_warn("failed to release network namespace: %s", error->message);
	g_free(ns);
}

int network_namespace_fd(const network_namespace *ns)
{
	return ns->attachment ? attachment_fd(ns->attachment) : ns->fd;
}

const char *network_namespace_path(const network_namespace *ns)
{
	return ns->attachment ? attachment_path(ns->attachment) : ns->path;
}

/* ---- steps */

/* The one that was used last: the others become old and are removed. */
static network_namespace *take_available(network_provider *n)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&n->mu);
	return g_queue_pop_tail(&n->available);
}

network_namespace *network_take(network_provider *n, const char *hostname, cancel *c, GError **error)
{
	if (hostname && *hostname != '\0')
		return namespace_new(n, hostname, c, error);
	network_namespace *ns = take_available(n);
	if (ns)
		return ns;
	ns = namespace_new(n, NULL, c, error);
	if (!ns)
		return NULL;
	g_mutex_lock(&n->mu);
	n->existing++;
	n->filling = true;
	g_mutex_unlock(&n->mu);
	return ns;
}

void network_release(network_namespace *ns, bool reusable)
{
	network_provider *n = ns->owner;
	if (!ns->attachment) {
		network_remove_isolated(ns);
		return;
	}
	g_mutex_lock(&n->mu);
	ns->idle_since_us = g_get_monotonic_time();
	ns->changed = !reusable;
	if (reusable && ns->pooled) {
		g_queue_push_tail(&n->available, ns);
	} else {
		n->existing -= ns->pooled;
		g_queue_push_tail(&n->removed, ns);
	}
	g_cond_signal(&n->cond);
	g_mutex_unlock(&n->mu);
}

struct network_stats network_get_stats(network_provider *n)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&n->mu);
	return (struct network_stats){n->existing, n->available.length};
}

/* ---- the thread */

/* Returns when the oldest unused namespace beyond the size of the pool is removed; -1: there is none. */
static gint64 expiry_us(const network_provider *n)
{
	const network_namespace *oldest = g_queue_peek_head((GQueue *)(gsize)&n->available);
	if (!oldest || n->existing <= (size_t)n->pool_size)
		return -1;
	return oldest->idle_since_us + n->idle_us;
}

static void expire(network_provider *n)
{
	gint64 at_us = expiry_us(n);
	if (at_us < 0 || g_get_monotonic_time() < at_us)
		return;
	g_queue_push_tail(&n->removed, g_queue_pop_head(&n->available));
	n->existing--;
}

/* Called and returns with the mutex locked. */
static void fill(network_provider *n)
{
	g_autoptr(GError) error = NULL;
	n->existing++; /* before it exists, so that steps do not make the pool larger meanwhile */
	g_mutex_unlock(&n->mu);
	network_namespace *ns = namespace_new(n, NULL, n->closing, &error);
	g_mutex_lock(&n->mu);
	if (ns) {
		ns->idle_since_us = g_get_monotonic_time();
		g_queue_push_head(&n->available, ns);
		return;
	}
	n->existing--;
	n->filling = false;
	if (!n->stopping)
		log_error("failed to create new network namespace while prefilling pool: %s", error->message);
}

static void wait_for_work(network_provider *n)
{
	gint64 at_us = expiry_us(n);
	if (at_us < 0)
		g_cond_wait(&n->cond, &n->mu);
	else
		g_cond_wait_until(&n->cond, &n->mu, at_us);
}

static void *network_run(void *data)
{
	network_provider *n = data;
	g_mutex_lock(&n->mu);
	while (!n->stopping || n->removed.length > 0) {
		expire(n);
		network_namespace *ns = g_queue_pop_head(&n->removed);
		if (ns) {
			g_mutex_unlock(&n->mu);
			namespace_remove(ns);
			g_mutex_lock(&n->mu);
		} else if (n->filling && n->existing < (size_t)n->pool_size) {
			fill(n);
		} else {
			wait_for_work(n);
		}
	}
	g_mutex_unlock(&n->mu);
	return NULL;
}

bool network_pool_start(network_provider *n, GError **error)
{
	n->filling = true;
	n->thread = thread_start("network", network_run, n, error);
	return n->thread != NULL;
}

static void remove_nth(void *data, size_t i)
{
	GPtrArray *all = data;
	namespace_remove(g_ptr_array_index(all, i));
}

void network_pool_stop(network_provider *n)
{
	cancel_set(n->closing, ERROR_CANCELED, NULL);
	g_mutex_lock(&n->mu);
	n->stopping = true;
	g_cond_signal(&n->cond);
	g_mutex_unlock(&n->mu);
	if (n->thread)
		g_thread_join(n->thread);
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	network_namespace *ns;
	while ((ns = g_queue_pop_head(&n->available)) || (ns = g_queue_pop_head(&n->removed)))
		g_ptr_array_add(all, ns);
	thread_each(all->len, 8, remove_nth, all);
}
