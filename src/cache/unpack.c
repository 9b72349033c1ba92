/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include "cache/merge.h"
#include "cache/share.h"
#include "os/mount.h"
#include "os/user_namespace.h"
#include "progress/progress.h"
#include "snapshot/apply.h"
#include "trace/trace.h"

GPtrArray *record_chain(cache_ref *r)
{
	GPtrArray *chain = g_ptr_array_new();
	for (; r; r = r->parent)
		g_ptr_array_add(chain, r);
	for (guint i = 0; i < chain->len / 2; i++) {
		void *swapped = chain->pdata[i];
		chain->pdata[i] = chain->pdata[chain->len - 1 - i];
		chain->pdata[chain->len - 1 - i] = swapped;
	}
	return chain;
}

bool cache_ref_is_complete(cache_ref *r)
{
	cache *c = r->cache;
	bool complete = true;
	g_mutex_lock(&c->mu);
	g_autoptr(GPtrArray) needed = merge_needed_locked(r);
	for (guint i = 0; i < needed->len && complete; i++) {
		const cache_ref *one = needed->pdata[i];
		complete = one->tree || one->kind != RECORD_LAYER ||
			   (one->blob && blob_store_has(c->blobs, &one->blob->digest)) ||
			   (one->provider && one->blob && blob_provider_can(one->provider, &one->blob->digest));
	}
	g_mutex_unlock(&c->mu);
	return complete;
}

/* ---- extracting a layer */
static void close_element(gpointer fd)
{
	fd_close(fd);
}

/* Opens the layers below, top first: directories that the stream omits are taken from there. */
static GArray *open_lowers(cache *c, const struct tree *t, GError **error)
{
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
	g_autoptr(GPtrArray) layers = tree_layers(c, t->parent);
	g_array_set_clear_func(fds, close_element);
	for (guint i = 0; i < layers->len; i++) {
		scoped_fd dir = tree_open_dir(c, layers->pdata[i], error);
		int fs = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, error);
		if (fs < 0)
			return NULL;
		g_array_append_val(fds, fs);
	}
	return g_steal_pointer(&fds);
}

static bool apply(cache_ref *r, struct tree *t, struct work *work, struct apply_result *ret, GError **error)
{
	cache *c = r->cache;
	const oci_descriptor *blob = r->blob;
	scoped_fd fd = blob_store_find(c->blobs, &blob->digest, error);
	if (fd < 0) {
		if (error && !*error)
			error_set(error, ERROR_NOT_FOUND, "blob %s is no longer in the store", blob->digest.text);
		return false;
	}
	scoped_fd dir = tree_open_dir(c, t, error);
	scoped_fd fs = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, error);
	if (fs < 0)
		return false;
	/* The bottom layer has nothing to white out. */
	bool over = t->parent && snapshotter_is_stacked(c->snapshotter);
	g_autoptr(GArray) lowers = over ? open_lowers(c, t, error) : NULL;
	if (over && !lowers)
		return false;
	struct apply_options options = {
		.mode = over ? APPLY_OVERLAY : APPLY_NATIVE,
		.lower_fds = over ? (const int *)(const void *)lowers->data : NULL,
		.n_lowers = over ? lowers->len : 0,
		.user_xattrs = user_namespace_is_limited(),
		.whiteout_files = !snapshotter_has_upper(c->snapshotter),
		.cancel = work ? work->cancel : NULL,
	};
	g_mutex_lock(&c->mu);
	options.windows = record_is_windows_locked(r);
	options.refuse_windows = !options.windows && record_has_os_locked(r, CACHE_OS_UNKNOWN);
	g_mutex_unlock(&c->mu);
	return apply_blob(fd, fs, &options, ret, error);
}

/* The tree is private; others find it only after its content is verified. */
static struct tree *extract(cache_ref *r, guint layer, struct tree *parent, struct work *work, GError **error)
{
	cache *c = r->cache;
	struct apply_result result;
	struct tree *t = tree_create(c, r->id, parent, false, work ? work->cancel : NULL, error);
	if (!t)
		return NULL;
	bool ok = apply(r, t, work, &result, error);
	if (ok && !digest_equal(&result.diff_id, &r->diff_id))
		ok = error_set(error, ERROR_DATA_LOSS, "layer %u: diff id mismatch: expected %s, got %s", layer,
			       r->diff_id.text, result.diff_id.text);
	if (ok && tree_keep(c, t, error))
		return t;
	tree_discard(c, t);
	return NULL;
}

static progress_sink *sink_of(cache_ref *r, const struct work *work)
{
	g_mutex_lock(&r->cache->mu);
	progress_sink *sink = r->progress ? r->progress : work ? work->progress : NULL;
	if (sink)
		progress_sink_ref(sink);
	g_mutex_unlock(&r->cache->mu);
	return sink;
}

static bool extract_with_status(cache_ref *r, guint layer, struct tree *parent, struct work *work, struct tree **ret,
				GError **error)
{
	g_autofree char *id = g_strdup_printf("extracting %s", r->blob->digest.text);
	g_autoptr(progress_sink) sink = sink_of(r, work);
	g_auto(trace_scope) scope = trace_scope_begin("extract", TRACE_INTERNAL);
	trace_put_text(scope.span, "digest", r->blob->digest.text);
	trace_put_int(scope.span, "size", r->blob->size);
	int64_t started = 0;
	progress_status_start(sink, id, NULL, &started);
	*ret = extract(r, layer, parent, work, error);
	if (*ret)
		progress_status_end(sink, id, NULL, started);
	return *ret != NULL;
}

/* Another record already has the same content. */
static struct tree *shared_tree_locked(cache_ref *r)
{
	if (!digest_is_set(&r->chain_id))
		return NULL;
	cache_ref *other = g_hash_table_lookup(r->cache->by_chain, r->chain_id.text);
	return other && other != r && other->tree ? tree_ref_locked(other->tree) : NULL;
}

static void adopt_locked(cache_ref *r, struct tree *t)
{
	r->tree = t;
	g_clear_pointer(&r->progress, progress_sink_unref);
	record_changed_locked(r);
}

static bool unpack_claimed_locked(cache_ref *r, guint layer, fetch_group *blobs, struct work *work, GError **error)
{
	cache *c = r->cache;
	struct tree *t = shared_tree_locked(r);
	struct tree *parent = r->parent ? r->parent->tree : NULL;
	if (!t && r->kind != RECORD_LAYER) {
		g_mutex_unlock(&c->mu);
		t = merge_make_tree(r, work, error);
		g_mutex_lock(&c->mu);
		if (!t)
			return false;
	} else if (!t) {
		g_mutex_unlock(&c->mu);
		bool ok =
			r->blob || error_set(error, ERROR_NOT_FOUND, "record %s has neither a tree nor a layer", r->id);
		ok = ok && fetch_group_wait(blobs, layer, error) &&
		     extract_with_status(r, layer, parent, work, &t, error);
		g_mutex_lock(&c->mu);
		if (!ok)
			return false;
	}
	adopt_locked(r, t);
	return true;
}

static bool unpack_one(cache_ref *r, guint layer, fetch_group *blobs, struct work *work, GError **error)
{
	cache *c = r->cache;
	g_mutex_lock(&c->mu);
	bool ok = record_claim_locked(r, work, error);
	if (ok) {
		ok = r->tree || unpack_claimed_locked(r, layer, blobs, work, error);
		record_unclaim_locked(r);
	}
	g_mutex_unlock(&c->mu);
	return ok;
}

/*
 * Lists the records that a tree for r needs and that have none and cannot share one; each after those it needs itself.
 */
static GPtrArray *missing_trees(cache *c, cache_ref *of)
{
	GPtrArray *missing = g_ptr_array_new();
	g_mutex_lock(&c->mu);
	g_autoptr(GPtrArray) needed = merge_needed_locked(of);
	for (guint i = 0; i < needed->len; i++) {
		cache_ref *r = needed->pdata[i];
		struct tree *t = r->tree || r->busy ? NULL : shared_tree_locked(r);
		if (t)
			adopt_locked(r, t);
		if (!r->tree)
			g_ptr_array_add(missing, r);
	}
	g_mutex_unlock(&c->mu);
	return missing;
}

/* Records without a tree. */
static GPtrArray *treeless(cache *c, GPtrArray *records)
{
	GPtrArray *ret = g_ptr_array_new();
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < records->len; i++)
		if (!((const cache_ref *)records->pdata[i])->tree)
			g_ptr_array_add(ret, records->pdata[i]);
	g_mutex_unlock(&c->mu);
	return ret;
}

static bool unpack_all(cache *c, GPtrArray *missing, struct work *work, GError **error)
{
	if (!record_unpack_remote(c, missing, work, error))
		return false;
	g_autoptr(GPtrArray) left = treeless(c, missing);
	g_autoptr(fetch_group) blobs = fetch_group_start(c, left, work);
	for (guint i = 0; i < left->len; i++)
		if (!unpack_one(left->pdata[i], i, blobs, work, error))
			return false;
	return true;
}

bool record_unpack(cache_ref *r, struct work *work, GError **error)
{
	cache *c = r->cache;
	g_mutex_lock(&c->mu);
	bool here = r->tree != NULL;
	g_mutex_unlock(&c->mu);
	if (here)
		return true;
	g_autoptr(GPtrArray) missing = missing_trees(c, r);
	GPtrArray *sinks = record_sinks_start(c, missing);
	GError *failure = NULL;
	unpack_all(c, missing, work, &failure);
	record_sinks_end(sinks, failure);
	return !failure || error_propagate(error, failure);
}

/* ---- trees for callers */
bool cache_ref_unpack(cache_ref *r, struct work *work, GError **error)
{
	return record_unpack(r, work, error);
}

static int open_scratch(cache *c, GError **error)
{
	if (mkdirat(c->root_fd, "scratch", 0755) < 0 && errno != EEXIST) {
		error_set_errno(error, errno, "create the scratch directory");
		return -1;
	}
	int fd = openat(c->root_fd, "scratch", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open the scratch directory");
	return fd;
}

static int as_asked(int dir_fd, unsigned flags, GError **error)
{
	scoped_fd dir = dir_fd;
	if (dir < 0 || !(flags & CACHE_TREE_MOUNT))
		return fd_steal(&dir);
	scoped_fd mount_fd = mount_clone(dir, false, error);
	if (mount_fd < 0 || !mount_allow_devices(mount_fd, error) || !mount_set_readonly(mount_fd, false, error))
		return -1;
	return fd_steal(&mount_fd);
}

static int open_view(cache_ref *r, unsigned flags, GError **error)
{
	cache *c = r->cache;
	snapshot_view *v = tree_get_view(c, r->tree, r->is_mutable, error);
	if (!v)
		return -1;
	scoped_fd fd = flags & CACHE_TREE_MOUNT ? snapshot_view_mount(v, error) : snapshot_view_dir(v, error);
	tree_put_view(c, r->tree);
	bool protect = (flags & CACHE_TREE_MOUNT) && r->is_mutable && !(flags & CACHE_TREE_WRITE);
	if (fd >= 0 && protect && !mount_set_readonly(fd, false, error))
		return -1;
	return fd_steal(&fd);
}

/* The size is unknown from now on; unless the changes are reported, the content is doubtful, too. */
static void begin_writing(cache_ref *r, bool is_reported)
{
	cache *c = r->cache;
	g_autoptr(contenthash) content = tree_content(c, r->tree);
	if (!is_reported)
		contenthash_distrust(content);
	g_mutex_lock(&c->mu);
	share_changed_locked(c, r->tree);
	g_clear_pointer(&r->tree->inodes, g_array_unref);
	r->tree->size = -1;
	if (!is_reported)
		r->tree->rewritable = true;
	g_mutex_unlock(&c->mu);
}

int cache_ref_open_tree(cache *c, cache_ref *r, unsigned flags, struct work *work, GError **error)
{
	if (!r)
		return as_asked(open_scratch(c, error), flags, error);
	if ((flags & CACHE_TREE_WRITE) && !r->is_mutable) {
		error_set(error, ERROR_FAILED_PRECONDITION, "record %s is not mutable", r->id);
		return -1;
	}
	if (!record_unpack(r, work, error))
		return -1;
	if (!r->is_mutable)
		return open_view(r, flags, error);
	/* One at a time: two overlays over one upper directory must not exist. */
	g_mutex_lock(&c->mu);
	bool claimed = record_claim_locked(r, work, error);
	g_mutex_unlock(&c->mu);
	if (!claimed)
		return -1;
	if (flags & CACHE_TREE_WRITE)
		begin_writing(r, flags & CACHE_TREE_REPORTED);
	int fd = open_view(r, flags, error);
	g_mutex_lock(&c->mu);
	record_unclaim_locked(r);
	g_mutex_unlock(&c->mu);
	return fd;
}

/* ---- content digests */
struct root_of {
	cache_ref *ref;
	struct work *work;
	contenthash_index *index; /* owned; NULL: not opened */
};

static int open_root(void *data, GError **error)
{
	struct root_of *of = data;
	return cache_ref_open_tree(of->ref->cache, of->ref, CACHE_TREE_READ, of->work, error);
}

/* Digests of the files that the layers of a tree have in common with trees whose digests are loaded. */
static const contenthash_index *open_index(void *data)
{
	struct root_of *of = data;
	cache *c = of->ref->cache;
	if (of->index)
		return of->index;
	of->index = contenthash_index_new();
	g_autoptr(GPtrArray) contents = share_contents(c, of->ref->tree);
	for (guint i = 0; i < contents->len; i++)
		contenthash_index_add(of->index, contents->pdata[i]);
	return of->index;
}

static bool sum_nothing(const struct contenthash_selector *selector, struct digest *ret, GError **error)
{
	digest_of("", 0, ret);
	return g_strcmp0(selector->path, "/") == 0 ||
	       error_set(error, ERROR_NOT_FOUND, "%s: no such file or directory", selector->path);
}

bool cache_ref_checksum(cache *c, cache_ref *r, const struct contenthash_selector *selectors, size_t n,
			struct work *work, struct digest *ret, GError **error)
{
	struct root_of of = {.ref = r, .work = work};
	struct contenthash_source source = {.open_root = open_root, .open_index = open_index, .data = &of};
	if (r && !record_unpack(r, work, error))
		return false;
	g_autoptr(contenthash) content = r ? tree_content(c, r->tree) : NULL;
	g_autoptr(GString) joined = g_string_new(NULL);
	bool ok = true;
	for (size_t i = 0; ok && i < n; i++) {
		ok = r ? contenthash_sum(content, &source, &selectors[i], work ? work->cancel : NULL, ret, error)
		       : sum_nothing(&selectors[i], ret, error);
		if (i > 0)
			g_string_append_c(joined, '\0');
		g_string_append(joined, ret->text);
	}
	contenthash_index_free(of.index);
	if (!ok)
		return false;
	if (n != 1)
		digest_of(joined->str, joined->len, ret);
	if (r && contenthash_is_dirty(content)) {
		g_mutex_lock(&c->mu);
		store_wake_locked(c);
		g_mutex_unlock(&c->mu);
	}
	return true;
}

GPtrArray *cache_ref_list(cache *c, cache_ref *r, const struct contenthash_selector *selectors, size_t n, guint max,
			  struct work *work, bool *ret_all)
{
	struct root_of of = {.ref = r, .work = work};
	struct contenthash_source source = {.open_root = open_root, .data = &of};
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(contenthash_entry_free);
	*ret_all = true;
	if (!r)
		return g_steal_pointer(&list);
	g_autoptr(contenthash) content = tree_content(c, r->tree);
	for (size_t i = 0; i < n; i++) {
		bool all = true;
		if (!contenthash_list(content, &source, &selectors[i], work ? work->cancel : NULL, max, list, &all,
				      NULL))
			return NULL;
		*ret_all &= all;
	}
	return g_steal_pointer(&list);
}

void cache_ref_note_entry(cache_ref *r, const struct fssync_stat *stat, const struct fssync_content *content,
			  enum fssync_change change)
{
	g_autoptr(contenthash) known = tree_content(r->cache, r->tree);
	contenthash_note(known, stat, content, change);
}
