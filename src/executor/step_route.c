/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/step_route.h"
#include "base/scope.h"
#include <string.h>

static const char *const proxy_names[] = {
	"HTTP_PROXY=", "HTTPS_PROXY=", "http_proxy=", "https_proxy=", "NO_PROXY=", "no_proxy="};
#define N_ADDRESSES 4 /* names of the address; the others exclude targets */
#define NO_PROXY "127.0.0.1,localhost,::1"

static bool is_proxy_variable(const char *variable)
{
	for (size_t i = 0; i < G_N_ELEMENTS(proxy_names); i++)
		if (g_str_has_prefix(variable, proxy_names[i]))
			return true;
	return false;
}

static void add_others(GPtrArray *to, const char *const *env)
{
	for (; env && *env; env++)
		if (!is_proxy_variable(*env))
			g_ptr_array_add(to, (gpointer)(gsize)*env);
}

/* ---- environment */

static void set_env(struct step_route *n, const char *address)
{
	n->env = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < G_N_ELEMENTS(proxy_names); i++)
		g_ptr_array_add(n->env, i < N_ADDRESSES ? g_strconcat(proxy_names[i], "http://", address, NULL)
							: g_strconcat(proxy_names[i], NO_PROXY, NULL));
	GPtrArray *all = g_ptr_array_new();
	add_others(all, n->step.env);
	for (size_t i = 0; i < G_N_ELEMENTS(proxy_names); i++)
		g_ptr_array_add(all, n->env->pdata[i]);
	g_ptr_array_add(all, NULL);
	n->step.env = (const char *const *)g_ptr_array_free(all, FALSE);
	g_ptr_array_add(n->env, (gpointer)(gsize)n->step.env); /* frees the array */
}

GPtrArray *step_route_env(const struct step *step, const char *const *env)
{
	GPtrArray *all = g_ptr_array_new();
	add_others(all, env);
	for (const char *const *v = step->env; v && *v; v++)
		if (is_proxy_variable(*v))
			g_ptr_array_add(all, (gpointer)(gsize)*v);
	g_ptr_array_add(all, NULL);
	return all;
}

/* ---- the proxy */

static bool open_proxy(struct step_route *n, network_provider *provider, network_provider *pool, cancel *c,
		       GError **error)
{
	g_autofree char *address = NULL;
	if (!provider)
		return error_set(error, ERROR_FAILED_PRECONDITION, "proxy network provider is not available");
	n->namespace = network_take_isolated(provider, error);
	if (!n->namespace)
		return false;
	if (pool && n->step.network == STEP_NETWORK_DEFAULT) {
		n->egress = network_take(pool, NULL, c, error);
		if (!n->egress)
			return false;
	}
	int listen_fd = network_listen(n->namespace, &address, error);
	if (listen_fd < 0)
		return false;
	const struct netproxy_options options = {
		.listen_fd = listen_fd,
		.egress_fd = n->egress ? network_namespace_fd(n->egress) : -1,
		.policy = n->step.proxy->policy,
		.capture = n->step.proxy->capture,
	};
	n->proxy = netproxy_start(&options, error);
	if (!n->proxy || !step_trust_add(n->step.root_fd, netproxy_ca_certificate(n->proxy), &n->bundle, error))
		return false;
	set_env(n, address);
	return true;
}

bool step_route_open(struct step_route *n, network_provider *provider, network_provider *pool, const struct step *step,
		     cancel *c, GError **error)
{
	*n = (struct step_route){.step = *step};
	bool ok = true;
	if (step->proxy && step->network != STEP_NETWORK_NONE) {
		ok = open_proxy(n, provider, pool, c, error) || error_prefix(error, "start the proxy of the step: ");
	} else if (pool && step->network == STEP_NETWORK_DEFAULT) {
		n->namespace = network_take(pool, step->hostname, c, error);
		ok = n->namespace != NULL;
	}
	if (!ok)
		step_route_close(n, false, NULL);
	return ok;
}

bool step_route_close(struct step_route *n, bool reusable, GError **error)
{
	netproxy_stop(n->proxy);
	bool ok = step_trust_remove(n->bundle, error);
	if (n->egress)
		network_release(n->egress, true); /* no process was in it */
	if (n->namespace)
		network_release(n->namespace, reusable);
	g_clear_pointer(&n->env, g_ptr_array_unref);
	return ok;
}
