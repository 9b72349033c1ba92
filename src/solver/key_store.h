/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_store: the cache keys, the links between them, and the results stored under them.
 *
 *	key_store *k = key_store_open(root_fd, error);                        -1: in memory only
 *	key_store_find(k, from, &link, targets);                             keys that follow from `from` through a link
 *	key_store_add_link(k, from, &link, to);
 *	key_store_results(k, key, results);
 *	key_store_flush(k, true, error);                                     on disk
 *
 * A key is a text: "sha256:<hex>" of "<digest>@<output>" for keys without inputs, a random id for others, which are
 * found only through links. Ids that begin with "random:" belong to sessions: they are kept in memory only. Entries
 * that were looked up or written stay in a bounded table; others are read from <root>/keys.db on demand, one indexed
 * row at a time. Writes reach the file in batches. Keys need no boot id: if a result did not survive a power failure,
 * loading it fails and its key is dropped; the keys themselves remain valid.
 * Thread: solver; key_store_flush: any.
 */
#pragma once
#include "base/digest.h"

typedef struct key_store key_store;

struct key_link {
	int64_t input, output;
	const char *digest;   /* of the cache map */
	const char *selector; /* "" for none */
};
struct key_result {
	char *id; /* owned */
	int64_t created_ns;
};

key_store *key_store_open(int root_fd, GError **error);
/* Flushes before it closes. */
void key_store_close(key_store *k);

/* Returns the key of a vertex without inputs (output -1: a content key). */
char *key_root(const char *digest, int64_t output);
/* Returns a new key for a vertex with inputs. */
char *key_new(bool session_only);
bool key_is_session_only(const char *key);

/* Adds each target to the set (texts, owned by it). */
void key_store_find(key_store *k, const char *from, const struct key_link *link, GHashTable *ret_targets);
bool key_store_has_link(key_store *k, const char *from, const struct key_link *link, const char *to);
/* Written even if it is known already: keys without results may have been dropped from the file meanwhile. */
void key_store_add_link(key_store *k, const char *from, const struct key_link *link, const char *to);
/* Appends struct key_result. */
void key_store_results(key_store *k, const char *key, GArray *ret_results);
void key_store_add_result(key_store *k, const char *key, const char *result, int64_t created_ns);
/* The result is gone: removes it from all keys, and keys that then lead nowhere. */
void key_store_forget(key_store *k, const char *result);
/* Removes only this pair (a load failed). */
void key_store_forget_pair(key_store *k, const char *key, const char *result);

/*
 * Calls fn for every link that leads to a key, in any order; unflushed writes may be missing. link and from are
 * borrowed until the call returns.
 */
typedef void (*key_backlink_fn)(void *data, const char *from, const struct key_link *link);
void key_store_backlinks(key_store *k, const char *key, key_backlink_fn fn, void *data);

bool key_store_needs_flush(key_store *k);
/* durable: survives a power failure. */
bool key_store_flush(key_store *k, bool durable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_store, key_store_close)
