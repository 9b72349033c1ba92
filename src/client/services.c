/* SPDX-License-Identifier: Apache-2.0 */
#include "client/services_internal.h"
#include "format/csv.h"
#include <string.h>

services *services_new(void)
{
	services *s = g_new0(services, 1);
	s->locals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, service_local_free);
	s->targets = g_ptr_array_new_with_free_func(service_target_free);
	s->secrets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, service_secret_free);
	s->agents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, service_agent_free);
	s->stores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, content_dir_free);
	return s;
}

void services_free(services *s)
{
	if (!s)
		return;
	g_hash_table_unref(s->locals);
	g_ptr_array_unref(s->targets);
	g_hash_table_unref(s->secrets);
	g_hash_table_unref(s->agents);
	g_hash_table_unref(s->stores);
	docker_auth_free(s->auth);
	g_clear_pointer(&s->methods, g_ptr_array_unref);
	g_free(s);
}

void services_add_auth(services *s)
{
	if (!s->auth)
		s->auth = docker_auth_new();
}

bool services_parse_fields(const char *value, const char *invalid,
			   bool (*set)(void *data, const char *key, const char *value, const char *field,
				       GError **error),
			   void *data, GError **error)
{
	g_auto(GStrv) fields = csv_parse(value, error);
	if (!fields)
		return false;
	for (char **field = fields; *field; field++) {
		g_autofree char *key = NULL, *text = NULL;
		if (!csv_split(*field, &key, &text)) {
			g_auto(GStrv) parts = g_strsplit(invalid, "%s", 2);
			return error_set(error, ERROR_INVALID_ARGUMENT, "%s%s%s", parts[0], *field,
					 parts[1] ? parts[1] : "");
		}
		g_autofree char *lower = g_ascii_strdown(key, -1);
		if (!set(data, lower, text, *field, error))
			return false;
	}
	return true;
}

static bool has_targets(const services *s)
{
	for (guint i = 0; i < s->targets->len; i++)
		if (((const struct service_target *)s->targets->pdata[i])->kind != TARGET_NONE)
			return true;
	return false;
}

/* Calls fn with each method table that has something to serve. */
static void each_table(services *s, void (*each)(services *s, const struct rpc_method_table *table, void *data),
		       void *data)
{
	const struct {
		bool wanted;
		const struct rpc_method_table *table;
	} tables[] = {
		{g_hash_table_size(s->locals) > 0, &service_files_table},
		{has_targets(s), &service_outputs_table},
		{g_hash_table_size(s->secrets) > 0, &service_secrets_table},
		{g_hash_table_size(s->agents) > 0, &service_ssh_table},
		{g_hash_table_size(s->stores) > 0, &service_content_table},
		{s->auth != NULL, &service_auth_table},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		if (tables[i].wanted)
			each(s, tables[i].table, data);
}

static void register_table(services *s, const struct rpc_method_table *table, void *server)
{
	rpc_server_add(server, table->methods, table->n, s);
}

void services_register(services *s, rpc_server *server)
{
	each_table(s, register_table, server);
	rpc_server_add_health(server);
}

static void list_table(services *s, const struct rpc_method_table *table, void *data)
{
	for (size_t i = 0; i < table->n; i++)
		g_ptr_array_add(s->methods, (void *)table->methods[i].path);
}

const char *const *services_methods(services *s)
{
	if (!s->methods) {
		s->methods = g_ptr_array_new();
		each_table(s, list_table, NULL);
		g_ptr_array_add(s->methods, (void *)"/grpc.health.v1.Health/Check");
		g_ptr_array_add(s->methods, (void *)"/grpc.health.v1.Health/Watch");
		g_ptr_array_add(s->methods, (void *)"/grpc.health.v1.Health/List");
		g_ptr_array_add(s->methods, NULL);
	}
	return (const char *const *)s->methods->pdata;
}
