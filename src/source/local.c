/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local://NAME: a directory of a client. The tree is kept in a mutable cache record that later builds of the same
 * client and directory find, so that only changes are transferred; each build uses an immutable snapshot of it. The
 * cache key is random per session: vertices that depend on a local source are found by content.
 */
#include "base/limits.h"
#include "base/scope.h"
#include "format/json_writer.h"
#include "format/gotype.h"
#include "format/patterns.h"
#include "fssync/call.h"
#include "progress/progress.h"
#include "source/source.h"
#include <string.h>

#define DIFF_COPY "/moby.filesync.v1.FileSync/DiffCopy"

struct local {
	const struct source_context *context; /* borrowed */
	char *name;
	char *session_id; /* NULL: any session of the build */
	char *hint;
	char **include, **exclude, **follow; /* NULL: not given */
	bool diff_none;
	bool metadata_only;  /* transfer announcements, and only those files that match: */
	char **exceptions;   /* NULL: none */
	patterns *transfers; /* compiled exceptions; NULL: none */
};

static void local_free(void *self)
{
	struct local *l = self;
	g_free(l->name);
	g_free(l->session_id);
	g_free(l->hint);
	g_strfreev(l->include);
	g_strfreev(l->exclude);
	g_strfreev(l->follow);
	g_strfreev(l->exceptions);
	patterns_free(l->transfers);
	g_free(l);
}

/* ---- attributes */

/* Parses a JSON array of strings; null is an empty one. */
static bool list_parse(const char *key, const char *text, char ***ret, GError **error)
{
	g_autoptr(json_t) json = json_read(text, strlen(text), (size_t)LIMIT_POLICY_BYTES, key, error);
	if (!json)
		return false;
	if (json_is_null(json))
		return true;
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	size_t i;
	json_t *item;
	bool ok = json_is_array(json);
	json_array_foreach(json, i, item)
	{
		ok = ok && json_is_string(item);
		g_ptr_array_add(list, g_strdup(json_string_value(item)));
	}
	if (!ok)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s: not a list of strings", key);
	g_ptr_array_add(list, NULL);
	g_strfreev(*ret);
	*ret = (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
	return true;
}

/* Parses "ID" or "PREFIX:ID"; the prefix is put before the name. */
static void session_attr(struct local *l, const char *value)
{
	const char *colon = strchr(value, ':');
	g_free(l->session_id);
	l->session_id = *value ? g_strdup(colon ? colon + 1 : value) : NULL;
	if (!colon)
		return;
	g_autofree char *name = g_steal_pointer(&l->name);
	l->name = g_strdup_printf("%.*s-%s", (int)(colon - value), value, name);
}

static bool attr_parse(struct local *l, const char *key, const char *value, GError **error)
{
	if (g_str_equal(key, "local.session"))
		session_attr(l, value);
	else if (g_str_equal(key, "local.includepattern"))
		return list_parse(key, value, &l->include, error);
	else if (g_str_equal(key, "local.excludepatterns"))
		return list_parse(key, value, &l->exclude, error);
	else if (g_str_equal(key, "local.followpaths"))
		return list_parse(key, value, &l->follow, error);
	else if (g_str_equal(key, "local.differ"))
		l->diff_none = g_str_equal(value, "none");
	else if (g_str_equal(key, "local.metadatatransfer")) {
		g_autofree char *quoted = go_quote(value);
		return bool_parse(value, &l->metadata_only, error) ||
		       error_prefix(error, "invalid value for local.metadatatransfer %s: ", quoted);
	} else if (g_str_equal(key, "local.metadatatransferexclude"))
		return list_parse(key, value, &l->exceptions, error);
	else if (g_str_equal(key, "local.sharedkeyhint")) {
		g_free(l->hint);
		l->hint = g_strdup(value);
	}
	return true;
}

static void *local_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
			GError **error)
{
	struct local *l = g_new0(struct local, 1);
	l->context = context;
	l->name = g_strdup(strstr(op->identifier, "://") + 3);
	l->hint = g_strdup("");
	for (size_t i = 0; i < op->n_attrs; i++)
		if (!attr_parse(l, op->attrs[i]->key, op->attrs[i]->value, error)) {
			local_free(l);
			return NULL;
		}
	if (l->exceptions && *l->exceptions) {
		l->transfers = patterns_new((const char *const *)l->exceptions, error);
		if (!l->transfers) {
			local_free(l);
			return NULL;
		}
	}
	return l;
}

/* ---- key */

static void put_list(json_writer *w, const char *key, char **list)
{
	json_key(w, key);
	if (list)
		json_put_strings(w, list, g_strv_length(list));
	else
		json_put_null(w);
}

static bool local_cache_key(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last,
			    GError **error)
{
	struct local *l = self;
	g_autofree char *first = work->sessions ? session_group_first(work->sessions) : NULL;
	const char *id = l->session_id ? l->session_id : first;
	if (!id || !*id)
		return error_set(error, ERROR_UNKNOWN, "could not access local files without session");
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "SessionID", id);
	put_list(w, "IncludePatterns", l->include);
	put_list(w, "ExcludePatterns", l->exclude);
	put_list(w, "FollowPaths", l->follow);
	json_put_bool_member_true(w, "MetadataTransfer", l->metadata_only);
	if (l->exceptions)
		json_put_strings_member_nonempty(w, "MetadataExceptions", l->exceptions, g_strv_length(l->exceptions));
	json_object_end(w);
	g_autofree char *text = json_writer_take(&w, NULL);
	struct digest digest;
	digest_of_text(text, &digest);
	*ret_key = g_strdup_printf("session:%s:%s", l->name, digest.text);
	*ret_last = true;
	return true;
}

/* ---- transfer */

static void note_entry(void *record, enum fssync_change change, const struct fssync_stat *stat,
		       const struct fssync_content *content)
{
	cache_ref_note_entry(record, stat, content, change);
}

static hasher *hash_begin(void *none, const struct fssync_stat *stat)
{
	return contenthash_begin(stat);
}

static bool is_transferred(void *transfers, const char *path)
{
	return patterns_match(transfers, path);
}

static bool transfer(struct local *l, session *s, cache_ref *record, struct work *work, GError **error)
{
	scoped_fd dest =
		cache_ref_open_tree(l->context->cache, record, CACHE_TREE_WRITE | CACHE_TREE_REPORTED, work, error);
	g_autoptr(rpc_call) call = dest < 0 ? NULL
					    : session_files_open(s, l->name, (const char *const *)l->include,
								 (const char *const *)l->exclude,
								 (const char *const *)l->follow, work->cancel, error);
	if (!call)
		return false;
	g_autofree char *status_id = g_strdup_printf("transferring %s:", l->name);
	struct progress_transfer progress = {.sink = work->progress, .id = status_id, .name = "transferring"};
	struct fssync_receive_options options = {
		.diff_none = l->diff_none,
		.as_root = geteuid() == 0,
		.metadata_only = l->metadata_only,
		.wanted = l->transfers ? is_transferred : NULL,
		.wanted_data = l->transfers,
		.on_entry = note_entry,
		.on_entry_data = record,
		.hash_begin = hash_begin,
		.progress = progress_transfer_report,
		.progress_data = &progress,
	};
	struct fssync_channel channel = fssync_channel_of_client(call);
	progress_transfer_report(&progress, 0, false);
	if (!fssync_receive(&channel, dest, &options, work->cancel, error))
		return false;
	/* All files are transferred; an error at the end of the stream is ignored. */
	(void)rpc_call_close_send(call, NULL);
	(void)rpc_call_finish(call, NULL);
	return true;
}

/* ---- record */

/* Returns the record of an earlier transfer that is not in use, or a new one. */
static cache_ref *take_record(struct local *l, const char *index_name, struct work *work, bool *ret_named,
			      GError **error)
{
	g_auto(GStrv) ids = cache_find_named(l->context->cache, index_name);
	g_autofree char *description = g_strdup_printf("local source for %s", l->name);
	*ret_named = true;
	for (char **id = ids; *id; id++) {
		cache_ref *r = cache_get_mutable(l->context->cache, *id, NULL);
		if (r)
			return r;
	}
	*ret_named = false;
	struct cache_record_options options = {
		.description = description, .record_type = "source.local", .policy = CACHE_POLICY_RETAIN};
	return cache_new_mutable(l->context->cache, NULL, &options, work, error);
}

static bool sync_from(struct local *l, session *s, struct work *work, cache_ref **ret, GError **error)
{
	bool named;
	g_autofree char *index_name = g_strdup_printf("local.sharedKey:%s:%s:%s%s", l->name, l->hint,
						      session_shared_key(s), l->metadata_only ? ":metadata" : "");
	g_autoptr(cache_ref) record = take_record(l, index_name, work, &named, error);
	if (!record)
		return false;
	if (!transfer(l, s, record, work, error) || (!named && !cache_ref_set_name(record, index_name, error))) {
		/* A failed transfer: discard its metadata. The last unref removes the record. */
		(void)cache_ref_set_policy(record, CACHE_POLICY_DEFAULT, NULL);
		return false;
	}
	*ret = cache_commit_twin(g_steal_pointer(&record), work, error);
	return *ret != NULL;
}

/* Returns the session named by the source if it exists, else any of the build's. */
static session *find_session(struct local *l, struct work *work, GError **error)
{
	session *s = NULL;
	if (l->session_id)
		s = session_find(l->context->sessions, l->session_id, SESSION_WAIT_MS, work->cancel, NULL);
	if (s || !cancel_check(work->cancel, error))
		return s;
	if (!work->sessions || session_group_is_empty(work->sessions))
		return error_null(error, ERROR_UNKNOWN, "could not access local files without session");
	return session_group_any(work->sessions, NULL, SESSION_WAIT_MS, work->cancel, error);
}

static bool local_snapshot(void *self, struct work *work, cache_ref **ret_ref, GError **error)
{
	struct local *l = self;
	g_autoptr(session) s = find_session(l, work, error);
	if (!s)
		return false;
	if (!session_supports(s, DIFF_COPY))
		return error_set(error, ERROR_UNKNOWN, "no local sources enabled");
	return sync_from(l, s, work, ret_ref, error);
}

const struct source_class source_local_class = {
	.scheme = "local",
	.material = SOURCE_MATERIAL_LOCAL,
	.keeps_codes = true,
	.open = local_open,
	.cache_key = local_cache_key,
	.snapshot = local_snapshot,
	.free = local_free,
};
