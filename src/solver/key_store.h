/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_store: which cache keys exist, how they follow from each other, and the results found under them.
 *
 *	key_store *k = key_store_open(root_fd, error);                        -1: in memory only
 *	key_store_find(k, from, &link, targets);                             keys that follow from `from` through a link
 *	key_store_add_link(k, from, &link, to);
 *	key_store_results(k, key, results);
 *	key_store_flush(k, true, error);                                     on disk
 *
 * A key is a text: "sha256:<hex>" of "<digest>@<output>" for keys without inputs, a random id for others, which are
 * found through links only. Ids that begin with "random:" belong to sessions: they stay in memory and go with it.
 * What is looked up or written stays in a bounded table; the rest is read from <root>/keys.db when asked for, one
 * indexed row at a time. Writes gather and reach the file in batches. No boot ids here: a key whose result did not
 * survive a power cut fails to load and is forgotten, and keys themselves stay true.
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
/* Flushes first. */
void key_store_close(key_store *k);

/* The key of something without inputs (output -1: a content key). */
char *key_root(const char *digest, int64_t output);
/* A new key for something with inputs. */
char *key_new(bool session_only);
bool key_is_session_only(const char *key);

/* Adds each target to the set (texts, owned by it). */
void key_store_find(key_store *k, const char *from, const struct key_link *link, GHashTable *ret_targets);
bool key_store_has_link(key_store *k, const char *from, const struct key_link *link, const char *to);
/* Written even when it is known already: keys that led nowhere may have been dropped from the file meanwhile. */
void key_store_add_link(key_store *k, const char *from, const struct key_link *link, const char *to);
/* Appends struct key_result. */
void key_store_results(key_store *k, const char *key, GArray *ret_results);
void key_store_add_result(key_store *k, const char *key, const char *result, int64_t created_ns);
/* The result is gone: it is found under no key any more, and keys that lead nowhere go too. */
void key_store_forget(key_store *k, const char *result);
/* This pair only (a load failed). */
void key_store_forget_pair(key_store *k, const char *key, const char *result);

/*
 * Every link that leads to a key, in no order; what was written and not flushed yet may be missing. link and from are
 * borrowed until the call returns.
 */
typedef void (*key_backlink_fn)(void *data, const char *from, const struct key_link *link);
void key_store_backlinks(key_store *k, const char *key, key_backlink_fn fn, void *data);

bool key_store_needs_flush(key_store *k);
/* durable: survives a power cut. */
bool key_store_flush(key_store *k, bool durable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_store, key_store_close)
