/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/merge.h"
#include "base/hash_walk.h"
#include "base/thread.h"
#include "cache/blob.h"
#include "cache/share.h"
#include "os/tree.h"
#include "os/user_namespace.h"
#include "snapshot/apply.h"
#include "snapshot/byte_pipe.h"
#include <string.h>

#define MAX_UNITS 10000

/* ---- units */
/*
 * Appends parents that are plain layers, down to a record whose units are known; false if that record's units are not
 * known yet.
 */
static bool append_units(GPtrArray *to, cache_ref *r)
{
	guint first = to->len;
	for (; r && r->kind == RECORD_LAYER; r = r->parent)
		g_ptr_array_add(to, r);
	for (guint i = 0, n = to->len - first; i < n / 2; i++) {
		void *swapped = to->pdata[first + i];
		to->pdata[first + i] = to->pdata[to->len - 1 - i];
		to->pdata[to->len - 1 - i] = swapped;
	}
	if (!r)
		return true;
	for (guint i = 0; r->units && i < r->units->len; i++)
		g_ptr_array_insert(to, (gint)(first + i), r->units->pdata[i]);
	return r->units != NULL;
}

GPtrArray *merge_units(cache_ref *r)
{
	GPtrArray *units = g_ptr_array_new();
	append_units(units, r);
	return units;
}

static bool begins_with(const GPtrArray *list, const GPtrArray *head)
{
	if (list->len < head->len)
		return false;
	for (guint i = 0; i < head->len; i++)
		if (list->pdata[i] != head->pdata[i])
			return false;
	return true;
}

/*
 * The layers that upper has in addition to lower represent the difference: a single layer only if it lies directly on
 * lower, several whenever upper starts with all layers of lower. Otherwise the trees are compared and a new layer is
 * made, because a layer of upper may delete files that lower never had, or repeat files that it has.
 */
static GPtrArray *units_of_diff(cache_ref *r)
{
	g_autoptr(GPtrArray) lower = g_ptr_array_new();
	g_autoptr(GPtrArray) upper = g_ptr_array_new();
	if (!append_units(lower, r->inputs->pdata[0]) || !append_units(upper, r->inputs->pdata[1]))
		return NULL;
	GPtrArray *units = g_ptr_array_new();
	const cache_ref *top = r->inputs->pdata[1];
	bool direct = top && top->kind == RECORD_LAYER && top->parent == r->inputs->pdata[0];
	bool beyond = begins_with(upper, lower) && upper->len > lower->len + (direct ? 0 : 1);
	for (guint i = lower->len; beyond && i < upper->len; i++)
		g_ptr_array_add(units, upper->pdata[i]);
	if (!beyond)
		g_ptr_array_add(units, r);
	return units;
}

static GPtrArray *units_of_merge(cache_ref *r)
{
	g_autoptr(GPtrArray) units = g_ptr_array_new();
	for (guint i = 0; i < r->inputs->len; i++)
		if (!append_units(units, r->inputs->pdata[i]))
			return NULL;
	return g_steal_pointer(&units);
}

static bool find_units(cache_ref *r)
{
	if (!r->units)
		r->units = r->kind == RECORD_MERGE ? units_of_merge(r) : units_of_diff(r);
	return r->units != NULL;
}

void merge_restore_units(cache *c)
{
	for (bool again = true; again;) {
		again = false;
		for (struct hash_walk it = hash_walk(c->records); hash_walk_next(&it);) {
			cache_ref *r = it.value;
			if (r->kind != RECORD_LAYER && !r->units && find_units(r))
				again = true;
		}
	}
}

/* ---- records whose trees are needed */
static bool is_own_unit(const cache_ref *r)
{
	return r->kind == RECORD_DIFF && r->units->len == 1 && r->units->pdata[0] == r;
}

static void need_inputs(GPtrArray *ret, const cache_ref *r)
{
	for (guint i = 0; i < r->inputs->len; i++)
		if (r->inputs->pdata[i])
			g_ptr_array_add(ret, r->inputs->pdata[i]);
}

static GPtrArray *direct_needs(const cache_ref *r)
{
	GPtrArray *ret = g_ptr_array_new();
	if (r->tree)
		return ret;
	if (r->kind == RECORD_LAYER) {
		if (r->parent)
			g_ptr_array_add(ret, r->parent);
		return ret;
	}
	if (is_own_unit(r)) {
		need_inputs(ret, r);
		return ret;
	}
	if (r->kind == RECORD_MERGE)
		g_ptr_array_add(ret, r->inputs->pdata[0]);
	for (guint i = 0; i < r->units->len; i++) {
		cache_ref *unit = r->units->pdata[i];
		if (unit->kind == RECORD_DIFF)
			need_inputs(ret, unit);
		else
			g_ptr_array_add(ret, unit);
	}
	return ret;
}

struct need {
	cache_ref *record;
	GPtrArray *before; /* owned */
	guint next;
};

static void push_need(GArray *stack, GHashTable *seen, cache_ref *r)
{
	struct need n = {.record = r};
	if (!g_hash_table_add(seen, r))
		return;
	n.before = direct_needs(r);
	g_array_append_val(stack, n);
}

GPtrArray *merge_needed_locked(cache_ref *r)
{
	GPtrArray *order = g_ptr_array_new();
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct need));
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	push_need(stack, seen, r);
	while (stack->len > 0) {
		struct need *n = &g_array_index(stack, struct need, stack->len - 1);
		if (n->next < n->before->len) {
			push_need(stack, seen, n->before->pdata[n->next++]);
			continue;
		}
		g_ptr_array_add(order, n->record);
		g_ptr_array_unref(n->before);
		g_array_set_size(stack, stack->len - 1);
	}
	return order;
}

/* ---- a unit's layer applied to a tree */
struct flow {
	cache_ref *unit;
	cancel *stop;
	byte_pipe *pipe; /* owned by the reader's side */
	const char *at;  /* rest of the chunk */
	size_t left;
};

static bool put(void *pipe, const void *bytes, size_t n, GError **error)
{
	return byte_pipe_write(pipe, bytes, n, error);
}

static gpointer stream_unit(gpointer data)
{
	struct flow *f = data;
	GError *problem = NULL;
	blob_stream(f->unit, f->stop, put, f->pipe, &problem);
	byte_pipe_end(f->pipe, problem);
	return NULL;
}

static ssize_t get(void *data, void *buffer, size_t n, GError **error)
{
	struct flow *f = data;
	if (f->left == 0) {
		const void *chunk = NULL;
		ssize_t got = byte_pipe_read(f->pipe, &chunk, error);
		if (got <= 0)
			return got;
		f->at = chunk;
		f->left = (size_t)got;
	}
	n = MIN(n, f->left);
	memcpy(buffer, f->at, n);
	f->at += n;
	f->left -= n;
	return (ssize_t)n;
}

static void close_element(gpointer fd)
{
	fd_close(fd);
}

/* Opens the own directories of trees (of struct tree *); valid as long as the array lives. */
static GArray *open_dirs(cache *c, const GPtrArray *trees, GError **error)
{
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
	g_array_set_clear_func(fds, close_element);
	for (guint i = 0; i < trees->len; i++) {
		scoped_fd dir = tree_open_dir(c, trees->pdata[i], error);
		int fs = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, error);
		if (fs < 0)
			return NULL;
		g_array_append_val(fds, fs);
	}
	return g_steal_pointer(&fds);
}

/*
 * Opens the directories that contain the files of a unit's layer: its own directory, or any directory below a diff's
 * result.
 */
static GPtrArray *trees_of_unit(cache *c, const cache_ref *unit)
{
	const cache_ref *top = unit->kind == RECORD_DIFF ? unit->inputs->pdata[1] : unit;
	if (!top || !top->tree)
		return g_ptr_array_new();
	if (unit->kind == RECORD_DIFF || top->tree->over)
		return tree_layers(c, top->tree);
	GPtrArray *own = g_ptr_array_new();
	g_ptr_array_add(own, top->tree);
	return own;
}

/* What the tree of a merge consists of so far. */
struct composition {
	struct tree *tree;
	GPtrArray *below;  /* of struct tree *: the trees that it is stacked on */
	GPtrArray *linked; /* of struct tree *: those that it has links to */
};

/*
 * Prepares the tree for links to the files of these trees; empties the list if their inodes may get a second path in
 * the merged tree.
 */
static void select_links(cache *c, struct composition *m, GPtrArray *trees)
{
	bool ok = true;
	for (guint i = 0; ok && i < trees->len; i++)
		ok = !share_conflicts(c, m->below, trees->pdata[i]) && !share_conflicts(c, m->linked, trees->pdata[i]);
	for (guint i = 0; ok && i < trees->len; i++)
		ok = share_add(c, m->tree, trees->pdata[i]);
	if (!ok)
		g_ptr_array_set_size(trees, 0);
	for (guint i = 0; i < trees->len; i++)
		g_ptr_array_add(m->linked, trees->pdata[i]);
}

static bool apply_unit(cache_ref *unit, struct composition *m, int root_fd, const struct apply_options *base,
		       GError **error)
{
	g_autoptr(GPtrArray) trees = trees_of_unit(unit->cache, unit);
	select_links(unit->cache, m, trees);
	g_autoptr(GArray) links = open_dirs(unit->cache, trees, error);
	if (!links)
		return false;
	g_autoptr(byte_pipe) pipe = byte_pipe_new();
	struct flow f = {.unit = unit, .stop = base->cancel, .pipe = pipe};
	struct apply_options options = *base;
	options.link_fds = (const int *)(const void *)links->data;
	options.n_links = links->len;
	struct apply_result result;
	GThread *writer = thread_start("diff", stream_unit, &f, error);
	if (!writer)
		return false;
	bool ok = apply_stream(get, &f, root_fd, &options, &result, error);
	byte_pipe_close(pipe);
	g_thread_join(writer);
	return ok;
}

/* Written to the directories, not through an overlay mount: a mount does not allow hard links to files elsewhere. */
static bool apply_units(cache *c, struct tree *t, GPtrArray *units, guint first, cancel *stop, GError **error)
{
	bool over = t->parent && snapshotter_is_stacked(c->snapshotter);
	g_autoptr(GPtrArray) below = over ? tree_layers(c, t->parent) : g_ptr_array_new();
	g_autoptr(GPtrArray) linked = g_ptr_array_new();
	struct composition m = {t, below, linked};
	if (t->parent && !over) { /* its files were linked when the tree was created */
		g_ptr_array_add(linked, t->parent);
		if (!share_add(c, t, t->parent))
			share_forget(c, t);
	}
	g_autoptr(GArray) lowers = open_dirs(c, below, error);
	scoped_fd dir = lowers ? tree_open_dir(c, t, error) : -1;
	scoped_fd root = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, error);
	struct apply_options options = {.mode = over ? APPLY_OVERLAY : APPLY_NATIVE,
					.lower_fds = lowers ? (const int *)(const void *)lowers->data : NULL,
					.n_lowers = lowers ? lowers->len : 0,
					.user_xattrs = user_namespace_is_limited(),
					.whiteout_files = !snapshotter_has_upper(c->snapshotter),
					.cancel = stop,
					.allow_high_ratio = true};
	bool ok = root >= 0;
	for (guint i = first; ok && i < units->len; i++) {
		options.again = over && i > first;
		ok = apply_unit(units->pdata[i], &m, root, &options, error);
	}
	return ok && tree_usage_own(root, &t->size, error);
}

/* Makes a separate tree over parent with the units starting at first. */
static struct tree *applied(cache_ref *r, struct tree *parent, GPtrArray *units, guint first, struct work *work,
			    GError **error)
{
	cache *c = r->cache;
	cancel *stop = work ? work->cancel : NULL;
	struct tree *t = tree_create(c, r->id, parent, true, stop, error);
	if (!t)
		return NULL;
	bool ok = apply_units(c, t, units, first, stop, error);
	scoped_fd dir = ok ? tree_open_dir(c, t, error) : -1;
	if (dir >= 0 && snapshotter_seal(c->snapshotter, dir, error) && tree_keep(c, t, error))
		return t;
	tree_discard(c, t);
	return NULL;
}

/* ---- trees of merges */
/* A layer unpacked without a parent: overlayfs can stack it as it is. */
static bool is_pure(const cache_ref *unit)
{
	return unit->kind == RECORD_LAYER && !unit->parent && !unit->tree->parent && !unit->tree->over;
}

static struct tree *merge_tree(cache_ref *r, struct work *work, GError **error)
{
	cache *c = r->cache;
	cache_ref *base = r->inputs->pdata[0];
	g_autoptr(GPtrArray) below = merge_units(base);
	g_autoptr(GPtrArray) over = g_ptr_array_new();
	g_autoptr(GPtrArray) merged = tree_layers(c, base->tree);
	guint first = below->len;
	while (snapshotter_is_stacked(c->snapshotter) && first < r->units->len && is_pure(r->units->pdata[first])) {
		struct tree *t = ((cache_ref *)r->units->pdata[first])->tree;
		if (share_conflicts(c, merged, t))
			break;
		g_ptr_array_add(over, t);
		g_ptr_array_add(merged, t);
		first++;
	}
	if (over->len == 0)
		return applied(r, base->tree, r->units, first, work, error);
	g_autofree char *id = first == r->units->len ? g_strdup(r->id) : g_strconcat(r->id, "-base", NULL);
	struct tree *stack = tree_stack(c, id, base->tree, over);
	if (first == r->units->len)
		return stack;
	struct tree *t = applied(r, stack, r->units, first, work, error);
	tree_discard(c, stack); /* the upper tree keeps it */
	return t;
}

struct tree *merge_make_tree(cache_ref *r, struct work *work, GError **error)
{
	return r->kind == RECORD_MERGE ? merge_tree(r, work, error) : applied(r, NULL, r->units, 0, work, error);
}

/* ---- records */
static cache_ref *add(cache *c, enum record_kind kind, GPtrArray *inputs, const struct cache_record_options *options,
		      GError **error)
{
	cache_ref *r = record_new(c, options);
	r->handles = 1;
	r->kind = kind;
	r->inputs = g_ptr_array_ref(inputs);
	g_mutex_lock(&c->mu);
	bool ok = find_units(r);
	if (ok && r->units->len > MAX_UNITS)
		ok = error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %d layers", MAX_UNITS);
	for (guint i = 0; ok && i < inputs->len; i++)
		if (inputs->pdata[i])
			record_seal_locked(inputs->pdata[i]);
	if (ok) {
		record_add_locked(c, r);
		record_dirty_locked(r);
	}
	g_mutex_unlock(&c->mu);
	record_release_dead(c);
	if (ok && store_flush(c, false, error))
		return r;
	if (ok)
		cache_ref_unref(r);
	else
		record_free(r);
	return NULL;
}

/* A merge of merges is a merge of all their inputs. */
static void add_input(GPtrArray *inputs, cache_ref *r)
{
	if (!r)
		return;
	if (r->kind != RECORD_MERGE)
		g_ptr_array_add(inputs, r);
	for (guint i = 0; r->kind == RECORD_MERGE && i < r->inputs->len; i++)
		g_ptr_array_add(inputs, r->inputs->pdata[i]);
}

cache_ref *cache_merge(cache *c, cache_ref *const *refs, size_t n, const struct cache_record_options *options,
		       struct work *work, GError **error)
{
	g_autoptr(GPtrArray) inputs = g_ptr_array_new();
	for (size_t i = 0; i < n; i++) {
		if (refs[i] && refs[i]->is_mutable)
			return error_null(error, ERROR_FAILED_PRECONDITION, "%s is mutable", refs[i]->id);
		add_input(inputs, refs[i]);
		if (inputs->len > MAX_UNITS)
			return error_null(error, ERROR_RESOURCE_EXHAUSTED, "merge of more than %d inputs", MAX_UNITS);
	}
	if (inputs->len == 0)
		return error_null(error, ERROR_INVALID_ARGUMENT, "merge without inputs");
	return inputs->len == 1 ? cache_ref_ref(inputs->pdata[0]) : add(c, RECORD_MERGE, inputs, options, error);
}

cache_ref *cache_diff(cache *c, cache_ref *lower, cache_ref *upper, const struct cache_record_options *options,
		      struct work *work, GError **error)
{
	if (!lower)
		return error_null(error, ERROR_INVALID_ARGUMENT, "lower ref for diff cannot be nil");
	g_autoptr(GPtrArray) inputs = g_ptr_array_new();
	g_ptr_array_add(inputs, lower);
	g_ptr_array_add(inputs, upper);
	return add(c, RECORD_DIFF, inputs, options, error);
}
