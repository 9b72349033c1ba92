/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"
#include "registry/internal.h"

#define DEFAULT_CONCURRENCY 4

registry *registry_new(const struct registry_config *config)
{
	registry *r = g_new0(registry, 1);
	r->transport = transport_new();
	r->authorizer = authorizer_new(r->transport);
	r->hosts = hosts_new(config->hosts, config->n_hosts);
	r->user_agent = g_strdup(config->user_agent ? config->user_agent : "buildkit");
	r->max_concurrency = config->max_concurrency > 0 ? config->max_concurrency : DEFAULT_CONCURRENCY;
	registry_known_init(&r->known);
	g_mutex_init(&r->mu);
	g_cond_init(&r->slot_free);
	r->slots = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->plain_http = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return r;
}

void registry_free(registry *r)
{
	if (!r)
		return;
	authorizer_free(r->authorizer);
	hosts_free(r->hosts);
	transport_free(r->transport);
	registry_known_clear(&r->known);
	g_hash_table_unref(r->slots);
	g_hash_table_unref(r->plain_http);
	g_cond_clear(&r->slot_free);
	g_mutex_clear(&r->mu);
	g_free(r->user_agent);
	g_free(r);
}

struct transport *registry_transport(registry *r)
{
	return r->transport;
}
