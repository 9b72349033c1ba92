/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/policy.h"

struct netproxy_policy {
	gint refs;
	char *scope;
	netproxy_check_fn check; /* NULL: everything is allowed */
	void *data;
	cancel *closing; /* owned */
	GMutex mu;
	GCond cond;
	guint running; /* mu */
	bool closed;   /* mu */
};

netproxy_policy *netproxy_policy_new(const char *scope, netproxy_check_fn check, void *data)
{
	netproxy_policy *p = g_new0(netproxy_policy, 1);
	p->refs = 1;
	p->scope = g_strdup(scope);
	p->check = check;
	p->data = data;
	p->closing = cancel_new(NULL);
	g_mutex_init(&p->mu);
	g_cond_init(&p->cond);
	return p;
}

netproxy_policy *netproxy_policy_ref(netproxy_policy *p)
{
	g_atomic_int_inc(&p->refs);
	return p;
}

void netproxy_policy_unref(netproxy_policy *p)
{
	if (!p || !g_atomic_int_dec_and_test(&p->refs))
		return;
	cancel_unref(p->closing);
	g_mutex_clear(&p->mu);
	g_cond_clear(&p->cond);
	g_free(p->scope);
	g_free(p);
}

const char *netproxy_policy_scope(const netproxy_policy *p)
{
	return p->scope;
}

static bool enter(netproxy_policy *p, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	if (p->closed)
		return error_set(error, ERROR_CANCELED, "the build of the step has ended");
	p->running++;
	return true;
}

static void leave(netproxy_policy *p)
{
	g_mutex_lock(&p->mu);
	p->running--;
	g_cond_broadcast(&p->cond);
	g_mutex_unlock(&p->mu);
}

static void cancel_either(void *data)
{
	cancel_set(data, ERROR_CANCELED, NULL);
}

bool netproxy_policy_check(netproxy_policy *p, const char *method, const char *url, cancel *c, char **ret_url,
			   GError **error)
{
	if (!p->check)
		return true;
	if (!enter(p, error))
		return false;
	cancel *either = cancel_new(c);
	guint watch = cancel_add(p->closing, cancel_either, either);
	bool ok = p->check(p->data, method, url, either, ret_url, error);
	if (watch != 0)
		cancel_remove(p->closing, watch);
	cancel_unref(either);
	leave(p);
	return ok;
}

void netproxy_policy_close(netproxy_policy *p)
{
	g_mutex_lock(&p->mu);
	p->closed = true;
	g_mutex_unlock(&p->mu);
	cancel_set(p->closing, ERROR_CANCELED, NULL);
	g_mutex_lock(&p->mu);
	while (p->running > 0)
		g_cond_wait(&p->cond, &p->mu);
	g_mutex_unlock(&p->mu);
}
