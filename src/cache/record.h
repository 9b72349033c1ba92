/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: internals of the cache module. A cache_ref is a record; each ref counts as one handle.
 *
 * Directories:
 *   work/<id>       a tree being written, without a row; removed at start
 *   snapshots/<id>  a tree with a row (the row is written after the rename)
 *   trash/<n>       a tree being removed (renamed after its row is deleted)
 *
 * Invariants, under mu:
 *   1. records holds every record that is not dead; a dead one has no handles and no children.
 *   2. children counts the records (not dead) whose parent or input this is; handles counts the refs of callers.
 *   3. tree->refs counts records and child trees; at zero the tree moves to unlinked.
 *   4. twins point at each other and share one tree; the mutable one has no handles while the other is used.
 *   5. a changed record, name or value is in dirty until it is written.
 * Transitions of a record:
 *   mutable  -> immutable  cache_commit                    (same record)
 *   mutable  -> twinned    cache_commit_twin               (adds an immutable record)
 *   twinned  -> mutable    cache_get_mutable               (drops the immutable record)
 *   twinned  -> sealed     first child of the twin         (drops the mutable record)
 *   described -> unpacked  record_unpack
 *   any unused -> dead     record_kill_locked
 * Locks: flush_mu before mu; contenthash has its own, taken with none of these held or inside mu.
 * Thread: any; functions named *_locked require mu.
 */
#pragma once
#include "base/ident.h"
#include "base/scope.h"
#include "cache/cache.h"
#include "contenthash/contenthash.h"
#include "db/db.h"
#include "format/filter.h"
#include "snapshot/snapshotter.h"

struct tree {
	char *id;            /* owned: name of its directory */
	struct tree *parent; /* ref; NULL: base */
	GPtrArray *over;     /* of struct tree * (refs), bottom first; no directory: these are stacked on parent */
	int refs;
	bool in_work;  /* below work/, not snapshots/ */
	bool in_trash; /* the directory may be deleted */
	bool has_row;
	bool remote;          /* its files are in a registry: see snapshotter_prepare_remote */
	bool broken;          /* its directory or parent is missing (during load) */
	bool rewritable;      /* stored digests must be compared with the disk */
	int64_t size;         /* allocated bytes; -1: not measured */
	GPtrArray *shares;    /* of char *: ids of trees that it has files in common with, see share.h; NULL: none */
	bool lends;           /* other trees have files in common with it */
	GArray *inodes;       /* ref: see share_inodes; NULL: not read */
	contenthash *content; /* ref, NULL: not loaded */
	snapshot_view *view;  /* owned: the merged root, kept open for the next user */
	bool view_writes;
	int view_users;
	bool view_unwanted; /* close view once view_users is 0 */
};

/* Internal annotation of a variant's descriptor: its diff id, if it differs from the record's. */
#define VARIANT_DIFF_ID "containerd.io/uncompressed"

struct variant { /* the layer in another compression */
	enum compression compression;
	oci_descriptor *descriptor; /* owned */
};

/* A blob that describes a record's layers (a manifest, a config): it is kept and removed with the record. */
struct record_document {
	struct digest digest;
	int64_t size;
};
#define RECORD_DOCUMENTS_MAX 64 /* images with the same layers; the oldest documents are dropped */

enum record_kind { RECORD_LAYER, RECORD_MERGE, RECORD_DIFF };

struct cache_ref {
	cache *cache; /* borrowed: outlives every ref */
	char id[IDENT_SIZE];
	int handles, children;
	enum record_kind kind;
	cache_ref *parent; /* counted as a child there; NULL: base */
	GPtrArray *inputs; /* of merge and diff records, counted likewise; a NULL entry is scratch */
	GPtrArray *units;  /* of merge and diff records: see merge.h (borrowed: ancestors or itself) */
	struct tree *tree; /* ref; NULL: described only */
	cache_ref *twin;   /* borrowed: both are freed together */
	bool is_mutable, dead, busy;
	bool temporary; /* removed with its last handle or child */
	bool open;      /* committed, and not yet the base of a child or layer blob: listed as mutable while unused */
	bool has_row, dirty;
	bool names_dirty, values_dirty, documents_dirty;
	enum cache_policy policy;
	char *type, *description; /* owned */
	int64_t created_ns, last_used_ns, uses;
	bool synced;             /* durable: see store.c */
	uint64_t serial;         /* of the flush that last wrote it */
	uint64_t content_serial; /* of the flush from which on the row refers to the current content */

	oci_descriptor *blob; /* owned; NULL: no layer blob yet */
	struct digest diff_id, chain_id, blob_chain_id;
	GPtrArray *variants;                  /* of struct variant *, NULL: none */
	GArray *documents;                    /* of struct record_document, oldest first */
	blob_provider *provider;              /* ref; NULL: none */
	char *image_reference, *image_layers; /* owned; NULL: see cache_record_options */
	progress_sink *progress;              /* ref; NULL: none, or unpacked */

	GPtrArray *names;   /* of char *, NULL: none */
	GHashTable *values; /* char * to GBytes *, NULL: none */
};

struct cache {
	int root_fd, work_fd, snapshots_fd, trash_fd; /* root_fd borrowed, the others owned */
	db *db;
	blob_store *blobs; /* borrowed */
	snapshotter *snapshotter;
	GHashTable *(*images)(void *data); /* see cache_options */
	void *images_data;
	blob_provider *(*provider_of)(void *data, const oci_descriptor *layer); /* see cache_options */
	void *provider_data;

	GMutex mu;
	GCond changed;        /* busy ended, releases grew, or the work of a waiting thread was canceled */
	unsigned waiting;     /* threads that wait for it: without them a broadcast is an unneeded system call */
	uint64_t releases;    /* cache_releases */
	GHashTable *records;  /* id to cache_ref * */
	GHashTable *trees;    /* id to struct tree * */
	GHashTable *by_chain; /* chain id to cache_ref * */
	GHashTable *by_blob_chain;
	GHashTable *by_name;        /* name to GPtrArray of cache_ref * */
	GQueue dirty;               /* of char *: ids of records to write or to delete */
	GHashTable *dirty_trees;    /* ids of trees to write or to delete */
	GHashTable *shares_changed; /* ids of trees that have lost files: see share_changed_locked */
	bool has_shares;            /* a tree has files in common with another */
	GQueue unlinked;            /* of struct tree *, out of the tables: first rows are deleted, then directories */
	GQueue dead;                /* of cache_ref *: dead and unused, to be freed without locks */
	GQueue removed;             /* of char *: ids for the removed hook, called without locks */
	void (*removed_hook)(void *data, const char *id);
	void *removed_data;

	GMutex flush_mu;
	GThread *writer;
	GCond wake; /* with mu */
	bool closing, woken;
	GMutex trash_mu;
	GRWLock sweep_lock; /* read-locked from a blob's commit until it is held, write-locked by the sweep */
	gint next_trash;    /* atomic */
	uint64_t serial;    /* of the last flush */
	const char *boot_id;
};

/* ---- record.c */
cache_ref *record_new(cache *c, const struct cache_record_options *options);
void record_free(cache_ref *r);
/* Adds it to the tables; the parent's number of children grows. */
void record_add_locked(cache *c, cache_ref *r);
/*
 * Removes it from the tables and from its parent; releases its tree. Parents that exist only for their children are
 * kept.
 */
void record_kill_locked(cache_ref *r);
void record_dirty_locked(cache_ref *r);
/* Marks the record dirty with new data on disk: it is not durable before the next sync. */
void record_changed_locked(cache_ref *r);
/* Keeps the record from being removed for a while; does not count as a use. */
void record_pin_locked(cache_ref *r);
void record_unpin_locked(cache_ref *r);
bool record_is_used_locked(const cache_ref *r);
/* Waits until no other thread works on the record, then marks it busy. Errors: cancellation of the work. */
bool record_claim_locked(cache_ref *r, struct work *work, GError **error);
void record_unclaim_locked(cache_ref *r);
/*
 * Called before something builds on it: ends the mutable twin, so that the tree belongs to the immutable record alone.
 */
void record_seal_locked(cache_ref *r);
/* Computes chain ids from the parent's and its own layer, and updates the indexes. */
void record_chain_locked(cache_ref *r);
/* Frees killed records and calls the removed hook. Call without locks. */
void record_release_dead(cache *c);

void record_set_value_locked(cache_ref *r, const char *key, const void *bytes, size_t n);
/* Reports whether its layers are those of a Windows image: its own, or one below it. */
bool record_is_windows_locked(const cache_ref *r);
/* Reports whether r itself has this value of CACHE_LAYER_OS. */
bool record_has_os_locked(const cache_ref *r, const char *os);

/* ---- documents.c */
/* Calls fn with the digest of each blob that the record names: its layer, variants, documents. */
void record_each_blob(const cache_ref *r, void (*fn)(const struct digest *digest, void *data), void *data);

/* ---- tree.c */
/* Frees the structure of a tree that is in no table; the directory stays. */
void tree_free(struct tree *t);
struct tree *tree_new(const char *id, struct tree *parent);
struct tree *tree_ref_locked(struct tree *t);
void tree_unref_locked(cache *c, struct tree *t);
int tree_open_dir(cache *c, const struct tree *t, GError **error);
/*
 * Lists the trees with a directory that make up t, top first (borrowed); only t itself if the snapshotter keeps whole
 * trees.
 */
GPtrArray *tree_layers(cache *c, const struct tree *t);
/* Makes a tree without a directory: over (of struct tree *, bottom first) stacked on parent. */
struct tree *tree_stack(cache *c, const char *id, struct tree *parent, GPtrArray *over);
/* Makes a directory in work/ a tree over parent (the merged content is the parent's); share: see snapshotter.h. */
struct tree *tree_create(cache *c, const char *id, struct tree *parent, bool share, cancel *stop, GError **error);
/* Makes a tree of a remote layer; NULL without an error: the snapshotter cannot do that. */
struct tree *tree_create_remote(cache *c, const char *id, struct tree *parent, const struct snapshot_remote *from,
				cancel *stop, GError **error);
/* Moves the directory from work/ to snapshots/. */
bool tree_keep(cache *c, struct tree *t, GError **error);
void tree_discard(cache *c, struct tree *t);
/* Returns a shared view; write: the mutable record's own. Release with tree_put_view. */
snapshot_view *tree_get_view(cache *c, struct tree *t, bool write, GError **error);
void tree_put_view(cache *c, struct tree *t);
/* Opens the merged root for reading; uses a new view if there is none. */
int tree_open_merged(cache *c, struct tree *t, GError **error);
/* Closes an unused view that was kept open. */
snapshot_view *tree_take_idle_view_locked(struct tree *t);
contenthash *tree_content(cache *c, struct tree *t); /* returns a new reference */
int64_t tree_measure(cache *c, struct tree *t);

/* ---- unpack.c */
bool record_unpack(cache_ref *r, struct work *work, GError **error);
/* Lists the record and its parents up to a merge or diff, bottom first (of cache_ref *, borrowed). */
GPtrArray *record_chain(cache_ref *r);

/* ---- unpack_remote.c */
/*
 * Makes trees of these records (of cache_ref *, parents first) from layers that the snapshotter reads from the registry,
 * as far as it can.
 */
bool record_unpack_remote(cache *c, GPtrArray *records, struct work *work, GError **error);
/* The blob of a remote tree was never here: sets its provider if it has none. */
void record_restore_provider_locked(cache_ref *r);

/* ---- fetch.c */
/* Fetches the blobs of these records (of cache_ref *) into the store, several in parallel. */
bool record_fetch_all(cache *c, GPtrArray *records, struct work *work, GError **error);
/* The same in the background, for callers that use one blob after the other. */
typedef struct fetch_group fetch_group;
fetch_group *fetch_group_start(cache *c, GPtrArray *records, struct work *work);
bool fetch_group_wait(fetch_group *g, guint i, GError **error);
/* Reopens the vertices that provide these records unless they are running; ends with the result of the work. */
GPtrArray *record_sinks_start(cache *c, GPtrArray *records);
void record_sinks_end(GPtrArray *sinks, const GError *error);
void fetch_group_end(fetch_group *g); /* waits for running fetches */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fetch_group, fetch_group_end)

/* ---- store.c */
bool store_open(cache *c, GError **error);
bool store_start(cache *c, GError **error); /* starts the writer thread */
void store_close(cache *c);
/* Writes all dirty rows; then moves unlinked trees to trash/. */
bool store_flush(cache *c, bool durable, GError **error);
void store_wake_locked(cache *c);
GBytes *store_read_digests(cache *c, const char *tree_id);

/* ---- recovery.c */
bool recovery_load(cache *c, GError **error);
/* Removes trees without rows and the contents of work/ and trash/. */
bool recovery_sweep(cache *c, GError **error);

/* ---- usage.c */
/* Measures the allocated bytes of every record that is not being written to; call without locks. */
void usage_measure(cache *c);
/* The other record of the pair represents it. */
bool usage_is_hidden_locked(const cache_ref *r);
struct cache_usage *usage_of_locked(const cache_ref *r);
/* Calls cache_options.images, or returns NULL; call without locks. */
GHashTable *usage_images(cache *c);
/* Reports whether an image has exactly the layers of this record. images may be NULL. */
bool usage_is_shared_locked(const cache_ref *r, GHashTable *images);
/* with_parents: upstream's prune does not offer that field. */
bool usage_matches(const struct cache_usage *u, const filter *f, bool with_parents);

/* ---- trash.c */
void trash_put(cache *c, int dir_fd, const char *name);
void trash_empty(cache *c);
