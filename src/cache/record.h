/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: the inside of the cache room. A cache_ref is a record; holding one counts a handle on it.
 *
 * What lives where:
 *   work/<id>       a tree that is written and that no row knows; a start throws it away
 *   snapshots/<id>  a tree that a row knows (row after rename)
 *   trash/<n>       on its way out (rename after the row is gone)
 *
 * Invariants, under mu:
 *   1. records holds every record that is not dead; a dead one has no handles and no children.
 *   2. children counts the records (not dead) whose parent or input this is; handles counts the holders outside.
 *   3. tree->refs counts records and child trees; at none the tree goes to doomed.
 *   4. twins point at each other and share one tree; the mutable one has no handles while the other is used.
 *   5. a record or name or value that is changed is in dirty until written.
 * Transitions of a record:
 *   mutable  -> immutable  cache_commit                    (same record)
 *   mutable  -> twinned    cache_commit_twin               (adds an immutable record)
 *   twinned  -> mutable    cache_get_mutable               (drops the immutable record)
 *   twinned  -> sealed     first child of the twin         (drops the mutable record)
 *   described -> unpacked  record_unpack
 *   any unused -> dead     record_kill
 * Locks: flush_mu before mu; content_tree has its own, taken with none of these held or inside mu.
 * Thread: any; functions named *_locked want mu held.
 */
#pragma once
#include "base/ident.h"
#include "base/scope.h"
#include "cache/cache.h"
#include "cache/content_tree.h"
#include "db/db.h"
#include "format/filter.h"
#include "snapshot/snapshotter.h"

struct tree {
	char *id;            /* owned: name of its directory */
	struct tree *parent; /* ref; NULL: the lowest */
	GPtrArray *over;     /* of struct tree * (refs), bottom first: no directory of its own, these lie over parent */
	int refs;
	bool in_work;  /* below work/, not snapshots/ */
	bool in_trash; /* its directory is nobody's business any more */
	bool has_row;
	bool broken;           /* its directory or parent was lost (while loading) */
	bool rewritable;       /* stored digests are to be compared with the disk */
	int64_t size;          /* allocated bytes; -1: not measured */
	content_tree *content; /* ref, NULL: not loaded */
	snapshot_view *view;   /* owned: the merged root, kept while somebody may want it again */
	bool view_writes;
	int view_users;
	bool view_unwanted; /* to be closed when view_users is none */
};

/* Annotation of a variant's descriptor: its diff id, where it is not the record's. Stays inside. */
#define VARIANT_DIFF_ID "containerd.io/uncompressed"

struct variant { /* the layer in another compression */
	enum compression compression;
	oci_descriptor *descriptor; /* owned */
};

/* A blob that says what a record's layers are (a manifest, a config): it stays and goes with the record. */
struct record_document {
	struct digest digest;
	int64_t size;
};
#define RECORD_DOCUMENTS_MAX 64 /* of images with the same layers; the oldest are dropped */

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
	cache_ref *twin;   /* borrowed: it has the same life */
	bool is_mutable, dead, busy;
	bool open; /* committed, and neither a child nor a layer blob was made of it: listed as mutable while unused */
	bool has_row, dirty;
	bool names_dirty, values_dirty, documents_dirty;
	enum cache_policy policy;
	char *type, *description; /* owned */
	int64_t created_ns, last_used_ns, uses;
	bool synced;             /* on disk for good: see store.c */
	uint64_t serial;         /* of the flush that wrote it last */
	uint64_t content_serial; /* of the flush from which on the row names what is there */

	oci_descriptor *blob; /* owned; NULL: no layer blob yet */
	struct digest diff_id, chain_id, blob_chain_id;
	GPtrArray *variants;     /* of struct variant *, NULL: none */
	GArray *documents;       /* of struct record_document, oldest first */
	blob_provider *provider; /* ref; NULL: none */
	progress_sink *progress; /* ref; NULL: none, or unpacked */

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

	GMutex mu;
	GCond changed;        /* busy ended, or somebody's work was canceled */
	GHashTable *records;  /* id to cache_ref * */
	GHashTable *trees;    /* id to struct tree * */
	GHashTable *by_chain; /* chain id to cache_ref * */
	GHashTable *by_blob_chain;
	GHashTable *by_name;     /* name to GPtrArray of cache_ref * */
	GQueue dirty;            /* of char *: ids of records to write or to delete */
	GHashTable *dirty_trees; /* ids of trees to write or to delete */
	GQueue doomed;           /* of struct tree *, out of the tables: rows go first, then directories */
	GQueue dead;             /* of cache_ref *: killed and unused, to be freed without locks */
	GQueue removed;          /* of char *: ids for the hook, given out without locks */
	void (*removed_hook)(void *data, const char *id);
	void *removed_data;

	GMutex flush_mu;
	GThread *writer;
	GCond wake; /* with mu */
	bool closing, woken;
	GMutex trash_mu;
	GRWLock sweep_lock; /* held for reading from a blob's commit to its hold, for writing by the sweep */
	gint next_trash;    /* atomic */
	uint64_t serial;    /* of the last flush */
	const char *boot_id;
};

/* ---- record.c */
cache_ref *record_new(cache *c, const struct cache_record_options *options);
void record_free(cache_ref *r);
/* Enters it into the tables; parent gets a child. */
void record_add_locked(cache *c, cache_ref *r);
/* Out of the tables and of the parent; its tree may follow. Parents that live by children only stay. */
void record_kill_locked(cache_ref *r);
void record_index_locked(cache_ref *r);
void record_dirty_locked(cache_ref *r);
/* Dirty, and what it names on disk is new: not durable before the next sync. */
void record_changed_locked(cache_ref *r);
/* Keeps it from being removed for a while; not a use. */
void record_pin_locked(cache_ref *r);
void record_unpin_locked(cache_ref *r);
bool record_is_used_locked(const cache_ref *r);
/* Waits until no other thread works on the record, then is the one. Errors: the work's cancellation. */
bool record_claim_locked(cache_ref *r, struct work *work, GError **error);
void record_unclaim_locked(cache_ref *r);
/* Something builds on it: the mutable twin gives up, the tree is the immutable record's alone. */
void record_seal_locked(cache_ref *r);
/* Chain ids from the parent's and its own layer, and the indexes of them. */
void record_chain_locked(cache_ref *r);
/* Frees what was killed and calls the removed hook. No locks held. */
void record_bury(cache *c);

/* ---- documents.c */
/* fn for the digest of each blob that the record names: its layer, variants of it, documents. */
void record_each_blob(const cache_ref *r, void (*fn)(const struct digest *digest, void *data), void *data);
void record_add_document_locked(cache_ref *r, const struct digest *digest, int64_t size);

/* ---- tree.c */
struct tree *tree_new(const char *id, struct tree *parent);
struct tree *tree_ref_locked(struct tree *t);
void tree_unref_locked(cache *c, struct tree *t);
int tree_open_dir(cache *c, const struct tree *t, GError **error);
/* Those with a directory that make up t, top first (borrowed); only t itself where trees are whole. */
GPtrArray *tree_layers(cache *c, const struct tree *t);
/* A tree without a directory: over (of struct tree *, bottom first) stacked on parent. */
struct tree *tree_stack(cache *c, const char *id, struct tree *parent, GPtrArray *over);
/* A directory in work/ that became a tree over parent (the merged content is the parent's); share: see snapshotter.h. */
struct tree *tree_create(cache *c, const char *id, struct tree *parent, bool share, cancel *stop, GError **error);
/* From work/ to snapshots/. */
bool tree_keep(cache *c, struct tree *t, GError **error);
void tree_discard(cache *c, struct tree *t);
/* A shared view; write for the mutable record's own. Given back with tree_put_view. */
snapshot_view *tree_get_view(cache *c, struct tree *t, bool write, GError **error);
void tree_put_view(cache *c, struct tree *t);
/* The merged root for reading, by a view of its own when nobody has one. */
int tree_open_merged(cache *c, struct tree *t, GError **error);
/* Closes a view that is kept though nobody uses it. */
snapshot_view *tree_take_idle_view_locked(struct tree *t);
content_tree *tree_content(cache *c, struct tree *t); /* a new reference */
int64_t tree_measure(cache *c, struct tree *t);

/* ---- unpack.c */
bool record_unpack(cache_ref *r, struct work *work, GError **error);
/* Blobs of these records (of cache_ref *) into the store, several at once. */
bool record_fetch_all(cache *c, GPtrArray *records, struct work *work, GError **error);
/* The same in the background, for who wants one after the other. */
typedef struct fetch_group fetch_group;
fetch_group *fetch_group_start(cache *c, GPtrArray *records, struct work *work);
bool fetch_group_wait(fetch_group *g, guint i, GError **error);
/* The vertices that brought these records are at work again, unless they are anyway; ends with what came of it. */
GPtrArray *record_sinks_start(cache *c, GPtrArray *records);
void record_sinks_end(GPtrArray *sinks, const GError *error);
void fetch_group_end(fetch_group *g); /* waits for what is under way */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fetch_group, fetch_group_end)
/* The record and its parents up to a merge or diff, bottom first (of cache_ref *, borrowed). */
GPtrArray *record_chain(cache_ref *r);

/* ---- store.c */
bool store_open(cache *c, GError **error);
bool store_start(cache *c, GError **error); /* the writer's thread */
void store_close(cache *c);
/* Writes all that is dirty; then what became unnamed goes to trash/. */
bool store_flush(cache *c, bool durable, GError **error);
void store_wake_locked(cache *c);
GBytes *store_read_digests(cache *c, const char *tree_id);

/* ---- recovery.c */
bool recovery_load(cache *c, GError **error);
/* Trees without rows, leftovers of work and trash. */
bool recovery_sweep(cache *c, GError **error);

/* ---- usage.c */
/* Allocated bytes of every record that is not being written to; no locks held. */
void usage_measure(cache *c);
/* Another record of the pair stands for it. */
bool usage_is_hidden_locked(const cache_ref *r);
struct cache_usage *usage_of_locked(const cache_ref *r);
/* What others share (of cache_options.images), or NULL; no locks held. */
GHashTable *usage_images(cache *c);
/* Does an image have just the layers of this record? images may be NULL. */
bool usage_is_shared_locked(const cache_ref *r, GHashTable *images);
/* with_parents: upstream's prune does not offer that field. */
bool usage_matches(const struct cache_usage *u, const filter *f, bool with_parents);

/* ---- trash.c */
void trash_put(cache *c, int dir_fd, const char *name);
void trash_empty(cache *c);
