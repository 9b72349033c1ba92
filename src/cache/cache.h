/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: records of trees (refs), mutable, immutable and lazy; their layers, content digests, usage and removal.
 *
 *	cache_ref *m = cache_new_mutable(c, parent, &options, work, error);
 *	scoped_fd root = cache_ref_open_tree(c, m, CACHE_TREE_MOUNT | CACHE_TREE_WRITE, work, error);
 *	... write beneath root ...; close
 *	cache_ref *r = cache_commit(m, work, error);          m is consumed
 *
 * A ref is a counted handle on a record; a NULL ref is scratch. A record has three states: described (layers known, no
 * data here), fetched (blobs are local) and unpacked (the tree is local). It advances only to the state that the next
 * reader needs. Records are rows of <root>/cache.db, trees are <root>/snapshots/<id>/, layers are blobs. A record
 * becomes visible to lookups when committed; nothing is synced per record (docs/durability.md): cache_sync does it once
 * per build.
 * Thread: any; calls may block on disk and network (work).
 */
#pragma once
#include "base/work.h"
#include "content/blob_holds.h"
#include "contenthash/contenthash.h"
#include "format/compress.h"
#include "oci/oci.h"

typedef struct cache cache;
typedef struct cache_ref cache_ref;

struct cache_options {
	int root_fd;                          /* borrowed: the worker's state directory */
	const char *root_path;                /* for messages and OCI runtimes only */
	const char *snapshotter;              /* "auto", "overlayfs", "native" */
	const struct snapshot_keeper *keeper; /* borrowed; keeps trees instead of our snapshotters; may be NULL */
	blob_store *blobs;                    /* borrowed */
	bool foreign_blobs;                   /* another program removes blobs that no record names */
	/* Returns a provider of a layer that was pulled earlier (a new reference), or NULL. May be NULL. */
	blob_provider *(*provider_of)(void *data, const oci_descriptor *layer);
	void *provider_data;
	/*
	 * Returns the layers of all images of other stores as a set of blob digests, joined bottom first. NULL: nothing
	 * is shared. Called without locks whenever disk usage is computed; the caller owns the set.
	 */
	GHashTable *(*images)(void *data);
	void *images_data;
};
/* Opens the store and adopts or removes the data that a crash left. Errors: UNIMPLEMENTED "unknown snapshotter name:
 * "x"". */
cache *cache_open(const struct cache_options *options, GError **error);
void cache_close(cache *c);
const char *cache_snapshotter_name(const cache *c); /* "overlayfs" or "native" */
/* Writes all pending rows without fsync: committed records then survive the process, but not a power failure. */
void cache_settle(cache *c);
/* Runs one syncfs and one durable transaction: everything committed so far survives a power failure. */
bool cache_sync(cache *c, GError **error);
/*
 * Frees dropped data synchronously if the file system is short of space or inodes; otherwise the writer thread does so
 * soon afterwards. Call it before reporting a failure, so that the next build finds the space.
 */
void cache_reclaim(cache *c);

/* ---- records */
enum cache_policy { CACHE_POLICY_DEFAULT, CACHE_POLICY_RETAIN };
struct cache_record_options {
	const char *description;
	const char *record_type; /* NULL: "regular"; "internal", "frontend", "source.local", "exec.cachemount", ... */
	enum cache_policy policy;
	int64_t created_ns; /* 0: now */
	/*
	 * For cache_add_layer: progress of the vertex that provides the layer, kept until the layer is unpacked (ref).
	 * May be NULL. Fetching and extracting are reported on that vertex rather than on the one that needs the tree;
	 * if the vertex has completed, as a new interval.
	 */
	progress_sink *progress;
	/*
	 * For cache_add_layer: the image that the layer belongs to and the digests of this layer and the ones above it,
	 * joined by commas. A snapshotter can then use the layer without fetching it. Both may be NULL.
	 */
	const char *image_reference, *image_layers;
	const char *layer_os; /* for cache_add_layer: the value CACHE_LAYER_OS of a new record; NULL: none */
};
cache_ref *cache_ref_ref(cache_ref *r);
/* Dropping the last ref of a mutable record with the default policy removes the record. NULL is allowed. */
void cache_ref_unref(cache_ref *r);
const char *cache_ref_id(const cache_ref *r);
bool cache_ref_is_mutable(const cache_ref *r);
const char *cache_ref_description(const cache_ref *r);
/* Reports whether the tree is available, as far as is known: unpacked, or its layers are local or can be fetched. */
bool cache_ref_is_complete(cache_ref *r);
int64_t cache_ref_created_ns(const cache_ref *r);
/* Returns the borrowed parent or NULL. */
cache_ref *cache_ref_parent(const cache_ref *r);

/* Creates a writable tree as a child of parent (NULL: empty), which is unpacked first. */
cache_ref *cache_new_mutable(cache *c, cache_ref *parent, const struct cache_record_options *options, struct work *work,
			     GError **error);
/*
 * Makes the record immutable and consumes the mutable ref. An unmodified child of a parent also becomes a separate
 * record.
 */
cache_ref *cache_commit(cache_ref *mutable_ref, struct work *work, GError **error);
/* The record is removed when nothing uses it any more: what a failed step has left. NULL is allowed. */
void cache_ref_set_temporary(cache_ref *r);
/*
 * Commits a retained mutable record and keeps it. Consumes the mutable ref. The immutable twin shares the tree, and
 * cache_get_mutable returns the mutable record once the twin is unused (local sources). Creating a child of the twin
 * ends the mutable record.
 */
cache_ref *cache_commit_twin(cache_ref *mutable_ref, struct work *work, GError **error);
/* Finds a record by id. Errors: NOT_FOUND. */
cache_ref *cache_get(cache *c, const char *id, GError **error);
/*
 * Returns the exclusive writer of a retained mutable record. Errors: FAILED_PRECONDITION "locked" while it or its twin
 * is in use.
 */
cache_ref *cache_get_mutable(cache *c, const char *id, GError **error);
/*
 * A number that grows whenever a record loses its last handle or goes. A caller that waits for a locked record takes it,
 * tries cache_get_mutable, and waits until it is no longer seen before it tries again. stop may be NULL; false and its
 * error when it is set.
 */
uint64_t cache_releases(cache *c);
bool cache_wait_release(cache *c, uint64_t seen, cancel *stop, GError **error);

/*
 * Names of records; several records may have the same name. Lists ids, newest first; free with g_strfreev, never NULL.
 */
bool cache_ref_set_name(cache_ref *r, const char *name, GError **error);
void cache_ref_clear_names(cache_ref *r);
char **cache_find_named(cache *c, const char *name);
/*
 * Removes the name (or every name with that prefix) and the retain policy from its records. Mutable records are removed
 * now, or when their last ref is dropped.
 */
void cache_forget_named(cache *c, const char *name, bool prefix);
/*
 * Small values stored with a record ("http.etag"). CACHE_LAYER_OS: the operating system of the image that a layer was
 * pulled or imported for: CACHE_OS_WINDOWS, or CACHE_OS_UNKNOWN; Linux: no value. It also holds for records above the
 * layer. Layers of Windows images have another form (snapshot/windows_layer.h).
 */
#define CACHE_OS_WINDOWS "windows"
#define CACHE_OS_UNKNOWN "unknown"
#define CACHE_LAYER_OS "layer.os"
bool cache_ref_set_value(cache_ref *r, const char *key, const void *bytes, size_t n, GError **error);
GBytes *cache_ref_get_value(cache_ref *r, const char *key);
bool cache_ref_set_policy(cache_ref *r, enum cache_policy policy, GError **error);

/* ---- trees */
enum cache_tree_flags {
	CACHE_TREE_READ = 0,
	CACHE_TREE_WRITE = 1, /* mutable refs only */
	CACHE_TREE_MOUNT = 2, /* a detached mount that os/mount can attach, instead of a directory fd */
	/*
	 * With WRITE: the writer reports every change (cache_ref_note_entry), so that known digests stay valid. If it
	 * fails, the record must be removed.
	 */
	CACHE_TREE_REPORTED = 4,
};
/* Unpacks a lazy record without opening its tree. */
bool cache_ref_unpack(cache_ref *r, struct work *work, GError **error);
/*
 * Opens the root directory after unpacking lazy layers; NULL ref: an empty read-only directory. The caller closes the
 * fd.
 */
int cache_ref_open_tree(cache *c, cache_ref *r, unsigned flags, struct work *work, GError **error);

/* ---- files shared with other records */
/*
 * A writer may hard-link files of immutable records instead of copying them. Such a file must not be written in place,
 * nor its attributes changed: it is replaced by a copy first. No inode gets a second path in the merged tree, where it
 * would look like a hard link, except for the hard links of what is copied.
 *
 *	cache_links *l = cache_links_new(m);                 m is mutable and has a tree; borrowed
 *	cache_links_begin(l, from); cache_links_next(l);
 *	if (cache_links_may(l, &st)) { ...link it...; cache_links_add(l, &st); }
 *	cache_links_note(l, &st, "/path/in/from");           st: after it was linked
 *
 * Thread: one at a time.
 */
typedef struct cache_links cache_links;
cache_links *cache_links_new(cache_ref *to);
void cache_links_free(cache_links *l);
/* Selects the record that is copied from (NULL: none); false if its files cannot be linked. */
bool cache_links_begin(cache_links *l, cache_ref *from);
/* Begins a copy: files that have several names in it keep them. */
void cache_links_next(cache_links *l);
/* Links are made in the tree that the writer has open; otherwise in that of cache_links_open_target. */
bool cache_links_is_direct(const cache_links *l);
/* Ends the writer's mount, of which no fd may be open, and opens the directory with the tree's own files. */
int cache_links_open_target(cache_links *l, GError **error);
bool cache_links_may(const cache_links *l, const struct stat *st);
void cache_links_add(cache_links *l, const struct stat *st);
/* Reports whether the file was added, and whether any file was added more than once. */
bool cache_links_has(const cache_links *l, const struct stat *st, bool *ret_has_second);
/* Keeps the digest of a file valid, whose inode a link has changed. */
void cache_links_note(cache_links *l, const struct stat *st, const char *path);

/* ---- layers */
/*
 * Returns the record for a layer on top of parent (NULL: base). An existing record is found by chain id and blob chain
 * id; otherwise a described one is created, whose blob provider supplies when a reader needs it. layer is copied.
 */
cache_ref *cache_add_layer(cache *c, cache_ref *parent, const oci_layer *layer, blob_provider *provider,
			   const struct cache_record_options *options, GError **error);
struct cache_layer_options {
	enum compression compression;
	int level;            /* -1: default */
	bool force;           /* convert layers of another compression */
	bool oci_media_types; /* for new layers and for the reported descriptors */
	bool prefer_nondist;
	bool fetch;    /* fetch lazy blobs; otherwise they may stay remote */
	bool existing; /* neither make nor convert blobs: NOT_FOUND when a layer has no matching blob */
};
struct cache_layer_result {
	oci_layer *layer;        /* owned */
	blob_provider *provider; /* ref; set when the blob is not local */
};
/*
 * Returns the layers of the whole chain, bottom first (of struct cache_layer_result *). Makes missing blobs from tree
 * diffs, on all cores. NULL ref: an empty array. The caller reports the status "exporting layers".
 */
GPtrArray *cache_ref_layers(cache *c, cache_ref *r, const struct cache_layer_options *options, struct work *work,
			    GError **error);
/*
 * A merge applies its inputs in order (at least one is not scratch); a diff is what upper adds to lower (upper NULL:
 * everything of lower deleted). Nothing is made before a tree or layers are requested.
 */
cache_ref *cache_merge(cache *c, cache_ref *const *refs, size_t n, const struct cache_record_options *options,
		       struct work *work, GError **error);
cache_ref *cache_diff(cache *c, cache_ref *lower, cache_ref *upper, const struct cache_record_options *options,
		      struct work *work, GError **error);

/* ---- blobs beside layers */
/*
 * Stores a document that describes the layers of r (a manifest, an image config). Its size counts towards the record,
 * and it is removed with the record.
 */
bool cache_ref_add_document(cache_ref *r, GBytes *bytes, GError **error);
/* Commits a layer that no record will name; holds keeps it from being removed. */
struct layer_writer;
oci_descriptor *cache_hold_layer(cache *c, struct layer_writer *w, blob_holds *holds, struct digest *ret_diff_id,
				 GError **error);
/* Releases all blobs of holds and removes those that no record names and no other build holds. */
void cache_release_blobs(cache *c, blob_holds *holds);
bool cache_names_blob(cache *c, const struct digest *digest);
/* Removes every blob that no record names and no build holds. */
void cache_sweep_blobs(cache *c);

/* ---- content digests */
/* One selector: its digest. Several: the sha256 of the digests joined by NUL. */
bool cache_ref_checksum(cache *c, cache_ref *r, const struct contenthash_selector *selectors, size_t n,
			struct work *work, struct digest *ret, GError **error);
/*
 * Lists the entries that the selectors match (of struct contenthash_entry *), at most max; call it after a checksum
 * of the same selectors. NULL if they cannot be determined. *ret_all: the list is complete.
 */
GPtrArray *cache_ref_list(cache *c, cache_ref *r, const struct contenthash_selector *selectors, size_t n, guint max,
			  struct work *work, bool *ret_all);
/*
 * Reports one entry to the digest store while a transfer writes it, so that the tree is not read again. path as in
 * fssync ("dir/file"). content: of what contenthash_begin returned; NULL: the file is hashed later on demand.
 */
void cache_ref_note_entry(cache_ref *r, const struct fssync_stat *stat, const struct fssync_content *content,
			  enum fssync_change change);

/* ---- usage and removal */
struct cache_usage {
	char *id;
	char **parents;
	bool mutable_, in_use, shared;
	int64_t size, created_ns, last_used_ns /* 0: never */, usage_count;
	char *description, *record_type;
};
void cache_usage_free(struct cache_usage *u);
GPtrArray *cache_disk_usage(cache *c, const char *const *filters, GError **error); /* of struct cache_usage * */
struct cache_prune_options {
	const char *const *filters;
	bool all;
	int64_t keep_duration_ns, reserved_bytes, max_used_bytes, min_free_bytes;
};
/* on_removed is called for each removed record without locks held. Blobs that no record names are removed as well. */
bool cache_prune(cache *c, const struct cache_prune_options *options, cancel *cancel,
		 void (*on_removed)(void *data, const struct cache_usage *u), void *data, GError **error);
/*
 * Applies the rules in order, as garbage collection does; without rules nothing is removed. The last rule decides what
 * remains.
 */
bool cache_collect(cache *c, const struct cache_prune_options *rules, size_t n_rules, cancel *cancel, GError **error);
/* Called without locks for the id of each removed record, so that the solver drops its results. */
void cache_set_removed_hook(cache *c, void (*hook)(void *data, const char *id), void *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_links, cache_links_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_ref, cache_ref_unref)
