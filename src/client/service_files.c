/* SPDX-License-Identifier: Apache-2.0 */
/* FileSync.DiffCopy: sends directories of the command line as the daemon requests, with owners reset to root. */
#include "base/scope.h"
#include "client/services_internal.h"
#include "format/gotype.h"
#include "fssync/call.h"
#include <fcntl.h>
#include <string.h>

void service_local_free(void *local)
{
	fd_close(&((struct service_local *)local)->fd);
	g_free(local);
}

bool services_add_local(services *s, const char *value, GError **error)
{
	const char *equals = strchr(value, '=');
	if (!equals)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid value %s", value);
	const char *dir = equals + 1;
	scoped_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "%s %s", errno == ENOTDIR ? "stat" : "resolve", dir);
	struct service_local *local = g_new0(struct service_local, 1);
	local->fd = fd_steal(&fd);
	g_hash_table_replace(s->locals, g_strndup(value, (gsize)(equals - value)), local);
	return true;
}

bool services_has_local(const services *s, const char *name)
{
	return g_hash_table_contains(s->locals, name);
}

static gboolean is_not_named(void *key, void *value, void *names)
{
	return !g_strv_contains(names, key);
}

void services_keep_locals(services *s, const char *const *names)
{
	g_hash_table_foreach_remove(s->locals, is_not_named, (void *)names);
}

/* Like url.QueryUnescape, but "" if malformed, as in upstream. */
static char *query_unescape(const char *text)
{
	g_autofree char *spaced = g_strdelimit(g_strdup(text), "+", ' ');
	char *plain = g_uri_unescape_string(spaced, NULL);
	return plain ? plain : g_strdup("");
}

/* Returns all values of a key, decoded if the peer marks them as encoded, or NULL if there are none. */
static char **metadata_list(const rpc_metadata *md, const char *key)
{
	g_autofree char *flag_key = g_strconcat(key, "-encoded", NULL);
	const char *flag = rpc_metadata_get(md, flag_key);
	g_auto(GStrv) values = rpc_metadata_get_all(md, key);
	bool encoded = false;
	if (!*values)
		return NULL;
	if (flag && bool_parse(flag, &encoded, NULL) && encoded)
		for (char **v = values; *v; v++) {
			g_autofree char *raw = *v;
			*v = query_unescape(raw);
		}
	return g_steal_pointer(&values);
}

static bool reset_owner(void *data, struct fssync_stat *stat)
{
	stat->uid = stat->gid = 0;
	return true;
}

static bool files_diff_copy(rpc_call *call, void *data, GError **error)
{
	services *s = data;
	const rpc_metadata *md = rpc_call_metadata(call);
	g_auto(GStrv) names = metadata_list(md, "dir-name");
	g_auto(GStrv) include = metadata_list(md, "include-patterns");
	g_auto(GStrv) exclude = metadata_list(md, "exclude-patterns");
	g_auto(GStrv) follow = metadata_list(md, "followpaths");
	const char *name = names ? names[0] : "";
	const struct service_local *local = g_hash_table_lookup(s->locals, name);
	if (!local) {
		g_autofree char *quoted = go_quote(name);
		/* The text begins with the prefix that Go's gRPC adds, as sent by upstream's client. */
		return error_set(error, ERROR_NOT_FOUND,
				 "rpc error: code = NotFound desc = no access allowed to dir %s", quoted);
	}
	struct fssync_channel channel = fssync_channel_of_server(call);
	struct fssync_root root = {.fd = local->fd, .name = ""};
	struct fssync_filter filter = {(const char *const *)include, (const char *const *)exclude,
				       (const char *const *)follow};
	struct fssync_send_options options = {.map = reset_owner};
	return fssync_send(&channel, &root, 1, &filter, &options, rpc_call_cancel(call), error);
}

static const struct rpc_method methods[] = {
	{.path = "/moby.filesync.v1.FileSync/DiffCopy", .stream = files_diff_copy},
};
const struct rpc_method_table service_files_table = {methods, G_N_ELEMENTS(methods)};
