/* SPDX-License-Identifier: Apache-2.0 */
#include "export/result_tree.h"
#include "base/scope.h"
#include "base/time.h"
#include "export/attestation_files.h"
#include "export/options.h"
#include "export/writer.h"
#include "format/gotype.h"

static bool mode_parse(const char *text, bool *ret_delete, GError **error)
{
	g_autofree char *lower = g_strstrip(g_ascii_strdown(text, -1));
	*ret_delete = g_str_equal(lower, "delete");
	if (!*lower || *ret_delete || g_str_equal(lower, "copy"))
		return true;
	g_autofree char *quoted = go_quote(text);
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid local exporter mode %s", quoted);
}

static bool split_parse(const char *text, int *ret, GError **error)
{
	bool split;
	if (!bool_parse(text, &split, error))
		return error_prefix(error, "non-bool value for platform-split: %s: ", text);
	*ret = split;
	return true;
}

bool tree_options_load(struct tree_options *ret, GHashTable *attrs, GError **error)
{
	struct tree_options o = {.split = -1};
	const char *epoch = g_hash_table_lookup(attrs, "source-date-epoch");
	const char *split = g_hash_table_lookup(attrs, "platform-split"), *mode = g_hash_table_lookup(attrs, "mode");
	o.has_epoch = epoch != NULL;
	if ((epoch && !epoch_parse("source-date-epoch", epoch, &o.epoch_set, &o.epoch_s, error)) ||
	    (split && !split_parse(split, &o.split, error)) || (mode && !mode_parse(mode, &o.delete_rest, error)))
		return false;
	const char *prefix = g_hash_table_lookup(attrs, "attestation-prefix");
	o.attestation_prefix = g_strdup(prefix ? prefix : "");
	*ret = o;
	return true;
}

void tree_options_clear(struct tree_options *o)
{
	g_clear_pointer(&o->attestation_prefix, g_free);
}

static void result_tree_free(void *data)
{
	struct result_tree *t = data;
	fd_close(&t->fd);
	g_clear_pointer(&t->extras, g_array_unref);
	g_free(t->id);
	g_free(t->dir_name);
	g_free(t);
}

static const struct export_ref *find_ref(const struct export_input *input, const char *id)
{
	for (size_t i = 0; i < input->n_refs; i++)
		if (!input->is_map || g_str_equal(input->refs[i].platform_id, id))
			return &input->refs[i];
	return NULL;
}

static bool open_tree(const struct tree_options *o, const struct exporter_context *context,
		      const struct export_input *input, const struct result_platform *p, struct work *work,
		      GPtrArray *list, GError **error)
{
	const struct export_ref *ref = find_ref(input, p->id);
	if (!ref && (input->is_map || input->n_refs > 0))
		return error_set(error, ERROR_INVALID_ARGUMENT, "failed to find ref for ID %s", p->id);
	struct result_tree *t = g_new0(struct result_tree, 1);
	t->fd = -1;
	g_ptr_array_add(list, t);
	t->id = g_strdup(p->id);
	t->dir_name = g_strdelimit(g_strdup(p->id), "/", '_');
	t->epoch_set = o->epoch_set;
	t->epoch_s = o->epoch_s;
	if (!o->has_epoch && !epoch_from_metadata(input->metadata, p->id, &t->epoch_set, &t->epoch_s, error))
		return false;
	t->fd = cache_ref_open_tree(context->cache, ref ? ref->ref : NULL, CACHE_TREE_READ, work, error);
	return t->fd >= 0;
}

static int compare_trees(const void *a, const void *b)
{
	const struct result_tree *const *x = a, *const *y = b;
	return g_strcmp0((*x)->dir_name, (*y)->dir_name);
}

GPtrArray *result_trees_open(const struct tree_options *o, const struct exporter_context *context,
			     const struct export_input *input, struct work *work, GError **error)
{
	if (input->is_map && !g_hash_table_contains(input->metadata, "refs.platforms"))
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "unable to export multiple refs, missing platforms mapping");
	g_autoptr(GPtrArray) platforms = result_platforms(input->metadata, error);
	if (!platforms)
		return NULL;
	if (!input->is_map && platforms->len > 1)
		return error_null(error, ERROR_INVALID_ARGUMENT, "unable to export multiple platforms without map");
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(result_tree_free);
	for (guint i = 0; i < platforms->len; i++)
		if (!open_tree(o, context, input, platforms->pdata[i], work, list, error))
			return NULL;
	g_ptr_array_sort(list, compare_trees);
	return g_steal_pointer(&list);
}

bool result_trees_attest(const struct tree_options *o, const struct exporter_context *context,
			 const struct export_input *input, GPtrArray *trees, bool split, struct work *work,
			 GError **error)
{
	for (guint i = 0; i < trees->len; i++) {
		struct result_tree *t = trees->pdata[i];
		t->extras = attestation_files_make(context, input, t, o->attestation_prefix, input->is_map && !split,
						   work, error);
		if (!t->extras)
			return false;
	}
	return true;
}

bool result_tree_map(void *tree, struct fssync_stat *stat)
{
	const struct result_tree *t = tree;
	if (t->epoch_set)
		stat->mtime_ns = seconds_to_ns(t->epoch_s, 0);
	return true;
}

struct fssync_root result_tree_root(const struct result_tree *t, bool wrapped)
{
	return (struct fssync_root){.fd = t->fd,
				    .name = wrapped ? t->dir_name : "",
				    .mode = 0755,
				    .extras = t->extras ? (const struct fssync_extra *)(void *)t->extras->data : NULL,
				    .n_extras = t->extras ? t->extras->len : 0};
}

session *export_session(const struct exporter_context *context, struct work *work, GError **error)
{
	return session_find(context->sessions, context->session_id ? context->session_id : "", SESSION_WAIT_MS,
			    work->cancel, error);
}
