/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: records of trees (refs), mutable, immutable and lazy; their layers, content digests, usage and removal.
 *
 *	cache_ref *m = cache_new_mutable(c, parent, &options, work, error);
 *	scoped_fd root = cache_ref_open_tree(m, CACHE_TREE_MOUNT | CACHE_TREE_WRITE, work, error);
 *	... write beneath root ...; close
 *	cache_ref *r = cache_commit(m, work, error);          m is consumed
 *
 * A ref is a counted handle on a record; a NULL ref is scratch. A record climbs a ladder: described (layers known,
 * nothing here) > fetched (blobs here) > unpacked (tree here), only as far as the next reader needs. Records are rows
 * of <root>/cache.db, trees are <root>/snapshots/<id>/, layers are blobs. A record becomes visible to lookups when
 * committed; nothing is synced per record (docs/durability.md): cache_sync does it once a build.
 * Thread: any; calls may block on disk and network (work).
 */
#pragma once
#include "base/work.h"
#include "content/blob_holds.h"
#include "format/compress.h"
#include "oci/oci.h"

typedef struct cache cache;
typedef struct cache_ref cache_ref;

struct cache_options {
	int root_fd;                          /* borrowed: the worker's state directory */
	const char *root_path;                /* for messages and OCI runtimes only */
	const char *snapshotter;              /* "auto", "overlayfs", "native" */
	const struct snapshot_keeper *keeper; /* borrowed; who keeps trees instead of a snapshotter of ours, or NULL */
	blob_store *blobs;                    /* borrowed */
	/*
	 * What images elsewhere are made of, as a set of blob digests, bottom first and joined; NULL: nothing is shared.
	 * Called without locks for each look at the whole; the set is the caller's.
	 */
	GHashTable *(*images)(void *data);
	void *images_data;
};
/* Opens the store, adopts or removes what a crash left (P20-P24). Errors: UNIMPLEMENTED "unknown snapshotter name:
 * "x"". */
cache *cache_open(const struct cache_options *options, GError **error);
void cache_close(cache *c);
const char *cache_snapshotter_name(const cache *c); /* "overlayfs" or "native" */
/* Writes all rows that wait, without an fsync: what is committed outlives the process. */
void cache_settle(cache *c);
/* One syncfs and one full transaction: everything committed so far survives a power cut. */
bool cache_sync(cache *c, GError **error);
/*
 * Where the file system is short of space or inodes, frees what was dropped before it returns; elsewhere the cache does
 * that soon after. For callers that are about to report a failure: the next build finds the space.
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
	 * cache_add_layer: of the vertex that brings the layer, kept until it is unpacked (ref); NULL: none. Fetching
	 * and extracting are told there instead of to whoever needs the tree, as an interval of that vertex unless it
	 * is open.
	 */
	progress_sink *progress;
};
cache_ref *cache_ref_ref(cache_ref *r);
/* The last one of a mutable record with default policy removes it. NULL is fine. */
void cache_ref_unref(cache_ref *r);
const char *cache_ref_id(const cache_ref *r);
bool cache_ref_is_mutable(const cache_ref *r);
const char *cache_ref_description(const cache_ref *r);
/* Its tree can be had, as far as is known: it is here, or its layers are or can be fetched. */
bool cache_ref_is_complete(cache_ref *r);
int64_t cache_ref_created_ns(const cache_ref *r);
/* Borrowed parent or NULL. */
cache_ref *cache_ref_parent(const cache_ref *r);

/* A tree to write into, child of parent (NULL: empty). parent is unpacked first. */
cache_ref *cache_new_mutable(cache *c, cache_ref *parent, const struct cache_record_options *options, struct work *work,
			     GError **error);
/* Makes an immutable record of it; takes the mutable ref. An untouched child of a parent is still a record of its own.
 */
cache_ref *cache_commit(cache_ref *mutable_ref, struct work *work, GError **error);
/*
 * Commits a retained mutable record without ending it: takes the mutable ref too, but the record stays; the immutable
 * twin shares its tree, and cache_get_mutable gives the mutable back once the twin is not used (local sources). A
 * child of the twin ends the mutable record.
 */
cache_ref *cache_commit_twin(cache_ref *mutable_ref, struct work *work, GError **error);
/* By id. NOT_FOUND when there is none. */
cache_ref *cache_get(cache *c, const char *id, GError **error);
/* The exclusive writer of a retained mutable record. FAILED_PRECONDITION "locked" while somebody holds it or its twin.
 */
cache_ref *cache_get_mutable(cache *c, const char *id, GError **error);

/* Names for records: several records may carry one name; ids newest first, g_strfreev, never NULL. */
bool cache_ref_set_name(cache_ref *r, const char *name, GError **error);
void cache_ref_clear_names(cache_ref *r);
char **cache_find_named(cache *c, const char *name);
/*
 * Records of that name (or of every name that begins so) lose it and their retain policy; mutable ones go now, or
 * when their last ref does.
 */
void cache_forget_named(cache *c, const char *name, bool prefix);
/*
 * Small values kept with a record ("http.etag"). CACHE_LAYER_OS: the system that a pulled layer is for, where it is not
 * Linux: layers of Windows have their files in a directory Files, beside Hives, and are refused when they are unpacked.
 */
#define CACHE_LAYER_OS "layer.os"
bool cache_ref_set_value(cache_ref *r, const char *key, const void *bytes, size_t n, GError **error);
GBytes *cache_ref_get_value(cache_ref *r, const char *key);
bool cache_ref_set_policy(cache_ref *r, enum cache_policy policy, GError **error);
bool cache_ref_set_description(cache_ref *r, const char *description, GError **error);

/* ---- trees */
enum cache_tree_flags {
	CACHE_TREE_READ = 0,
	CACHE_TREE_WRITE = 1, /* mutable refs only */
	CACHE_TREE_MOUNT = 2, /* a detached mount that os/mount can attach, not only a directory fd */
};
/* A lazy record climbs to its tree; nothing is opened. */
bool cache_ref_unpack(cache_ref *r, struct work *work, GError **error);
/* The root directory; NULL ref: an empty read-only directory. Unpacks lazy layers. The caller closes. */
int cache_ref_open_tree(cache *c, cache_ref *r, unsigned flags, struct work *work, GError **error);

/* ---- layers */
/*
 * The record for a layer on top of parent (NULL: base). Found again by chain id and blob chain id; otherwise
 * described only: provider gives the blob when a reader needs it. layer is copied.
 */
cache_ref *cache_add_layer(cache *c, cache_ref *parent, const oci_layer *layer, blob_provider *provider,
			   const struct cache_record_options *options, GError **error);
struct cache_layer_options {
	enum compression compression;
	int level;            /* -1: default */
	bool force;           /* convert layers of another compression */
	bool oci_media_types; /* of newly made layers and of what is reported */
	bool prefer_nondist;
	bool fetch;    /* lazy blobs must be here; otherwise they may stay remote */
	bool existing; /* nothing is made or converted: NOT_FOUND when a layer has no blob as wanted */
};
struct cache_layer_result {
	oci_layer *layer;        /* owned */
	blob_provider *provider; /* ref; set when the blob is not here */
};
/*
 * Layers of the whole chain, bottom first (of struct cache_layer_result *), making blobs that do not exist yet from
 * tree diffs, on all cores. NULL ref: an empty array. Status "exporting layers" is the caller's.
 */
GPtrArray *cache_ref_layers(cache *c, cache_ref *r, const struct cache_layer_options *options, struct work *work,
			    GError **error);
/*
 * Inputs applied one over the other (at least one that is not scratch), and what upper has beyond lower (upper NULL:
 * everything of lower deleted). Nothing is made before a tree or layers are asked for.
 */
cache_ref *cache_merge(cache *c, cache_ref *const *refs, size_t n, const struct cache_record_options *options,
		       struct work *work, GError **error);
cache_ref *cache_diff(cache *c, cache_ref *lower, cache_ref *upper, const struct cache_record_options *options,
		      struct work *work, GError **error);

/* ---- blobs beside layers */
/*
 * Stores a document that says what the layers of r are (a manifest, an image config): its bytes count as the record's and
 * go with it.
 */
bool cache_ref_add_document(cache_ref *r, GBytes *bytes, GError **error);
/* Commits a layer that no record will name; holds keeps it. */
struct layer_writer;
oci_descriptor *cache_hold_layer(cache *c, struct layer_writer *w, blob_holds *holds, struct digest *ret_diff_id,
				 GError **error);
/* Releases them all and removes what no record names and no other build holds. */
void cache_release_blobs(cache *c, blob_holds *holds);
bool cache_names_blob(cache *c, const struct digest *digest);
/* Removes every blob that no record names and no build holds. */
void cache_sweep_blobs(cache *c);

/* ---- content digests (llb-and-solver.md section 11) */
struct cache_selector {
	const char *path; /* "/" for the whole tree */
	bool wildcard;
	bool follow_links;
	const char *const *include; /* NULL or NULL-terminated */
	const char *const *exclude;
	const char *const *required;
};
/* One selector: its digest; several: sha256 of the digests joined by NUL. */
bool cache_ref_checksum(cache *c, cache_ref *r, const struct cache_selector *selectors, size_t n, struct work *work,
			struct digest *ret, GError **error);
struct cache_content_entry {
	char *path;      /* owned; "/dir/file", directories "/dir/" */
	uint64_t digest; /* the first bytes of it; of a directory that of its header */
};
void cache_content_entry_free(void *entry);
/*
 * What the selectors take, after a checksum of them: of struct cache_content_entry *, at most max. NULL when it cannot
 * be told; *ret_all: there are no more.
 */
GPtrArray *cache_ref_list(cache *c, cache_ref *r, const struct cache_selector *selectors, size_t n, guint max,
			  struct work *work, bool *ret_all);
/*
 * Tells the digest store of one entry while a transfer writes it, so that the tree is not read again. path as in
 * fssync ("dir/file"); content digest of a regular file may be NULL (hashed later on demand). removed: forget it.
 */
struct fssync_stat;
void cache_ref_note_entry(cache_ref *r, const struct fssync_stat *stat, const struct digest *content, bool removed);

/* ---- usage and removal (llb-and-solver.md section 22) */
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
/* on_removed is called for each removed record, no locks held. Blobs nobody names any more go too. */
bool cache_prune(cache *c, const struct cache_prune_options *options, cancel *cancel,
		 void (*on_removed)(void *data, const struct cache_usage *u), void *data, GError **error);
/* One rule after the other, as a collector does; none: nothing. What the last one of them leaves stays. */
bool cache_collect(cache *c, const struct cache_prune_options *rules, size_t n_rules, cancel *cancel, GError **error);
/* Called (no locks held) with the id of each record that is gone, so that the solver forgets its results. */
void cache_set_removed_hook(cache *c, void (*hook)(void *data, const char *id), void *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_ref, cache_ref_unref)
