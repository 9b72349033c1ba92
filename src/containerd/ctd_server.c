/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_server.h"
#include "api/guard.h"
#include "ctd_introspection.pb-c.h"
#include "empty.pb-c.h"
#include <string.h>

#define INTROSPECTION "/containerd.services.introspection.v1.Introspection/"
#define MAX_PLATFORMS 64

DEFINE_MESSAGE_AUTOPTR(CtdIntrospection__ServerResponse)
DEFINE_MESSAGE_AUTOPTR(CtdIntrospection__VersionResponse)
DEFINE_MESSAGE_AUTOPTR(CtdIntrospection__PluginsResponse)

static bool ask_identity(ctd_client *c, struct ctd_server *s, GError **error)
{
	Google__Empty nothing = GOOGLE__EMPTY__INIT;
	g_autoptr(CtdIntrospection__ServerResponse) server =
		ctd_call(c, CTD_PLAIN, INTROSPECTION "Server", &nothing,
			 &ctd_introspection__server_response__descriptor, NULL, error);
	if (!server)
		return false;
	g_autoptr(CtdIntrospection__VersionResponse) version =
		ctd_call(c, CTD_PLAIN, "/containerd.services.version.v1.Version/Version", &nothing,
			 &ctd_introspection__version_response__descriptor, NULL, error);
	if (!version)
		return false;
	s->uuid = g_strdup(server->uuid);
	s->version = g_strdup(version->version);
	return true;
}

static CtdIntrospection__PluginsResponse *plugins(ctd_client *c, const char *const *filters, GError **error)
{
	CtdIntrospection__PluginsRequest request = CTD_INTROSPECTION__PLUGINS_REQUEST__INIT;
	request.filters = (char **)(uintptr_t)filters;
	request.n_filters = g_strv_length((char **)(uintptr_t)filters);
	return ctd_call(c, CTD_PLAIN, INTROSPECTION "Plugins", &request,
			&ctd_introspection__plugins_response__descriptor, NULL, error);
}

static void add_platform(struct ctd_server *s, const Ctd__Platform *wire)
{
	struct platform p;
	g_autofree char *text =
		g_strjoin("/", wire->os, wire->architecture, *wire->variant ? wire->variant : NULL, NULL);
	if (s->n_platforms == MAX_PLATFORMS || !platform_parse(text, &p, NULL))
		return;
	for (size_t i = 0; i < s->n_platforms; i++)
		if (platform_equal(&s->platforms[i], &p))
			return;
	s->platforms[s->n_platforms++] = p;
}

static bool ask_platforms(ctd_client *c, struct ctd_server *s, GError **error)
{
	static const char *const filters[] = {"type==io.containerd.runtime.v1", "type==io.containerd.runtime.v2", NULL};
	g_autoptr(CtdIntrospection__PluginsResponse) reply = plugins(c, filters, error);
	if (!reply)
		return error_prefix(error, "failed to list runtime plugin: ");
	s->platforms = g_new0(struct platform, MAX_PLATFORMS);
	for (size_t i = 0; i < reply->n_plugins; i++)
		for (size_t j = 0; j < reply->plugins[i]->n_platforms; j++)
			add_platform(s, reply->plugins[i]->platforms[j]);
	return reply->n_plugins > 0 ||
	       error_set(error, ERROR_FAILED_PRECONDITION, "failed to find any runtime plugins");
}

static bool ask_content_root(ctd_client *c, struct ctd_server *s, GError **error)
{
	static const char *const filters[] = {"type==io.containerd.content.v1,id==content", NULL};
	g_autoptr(CtdIntrospection__PluginsResponse) reply = plugins(c, filters, error);
	for (size_t i = 0; reply && i < reply->n_plugins; i++) {
		const CtdIntrospection__Plugin *p = reply->plugins[i];
		for (size_t j = 0; j < p->n_exports; j++)
			if (strcmp(p->exports[j]->key, "root") == 0 && !s->content_root)
				s->content_root = g_strdup(p->exports[j]->value);
	}
	return reply != NULL;
}

bool ctd_server_ask(ctd_client *c, struct ctd_server *ret, GError **error)
{
	struct ctd_server s = {0};
	if (ask_identity(c, &s, error) && ask_platforms(c, &s, error) && ask_content_root(c, &s, error)) {
		*ret = s;
		return true;
	}
	ctd_server_clear(&s);
	return false;
}

void ctd_server_clear(struct ctd_server *s)
{
	g_clear_pointer(&s->uuid, g_free);
	g_clear_pointer(&s->version, g_free);
	g_clear_pointer(&s->content_root, g_free);
	g_clear_pointer(&s->platforms, g_free);
}

bool ctd_server_answers(rpc_loop *loop, const char *address, const char *namespace, GError **error)
{
	const struct ctd_client_options options = {.loop = loop, .address = address, .namespace = namespace};
	g_autoptr(ctd_client) c = ctd_client_new(&options, error);
	struct ctd_server s = {0};
	bool ok = c && ask_identity(c, &s, error);
	ctd_server_clear(&s);
	return ok;
}
