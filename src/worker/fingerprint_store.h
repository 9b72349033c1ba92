/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_store: fingerprints of the steps that ran, to explain why a later run missed the cache.
 *
 *	fingerprint_store *s = fingerprint_store_open(root_fd, error);
 *	GPtrArray *earlier = fingerprint_store_find(s, identity, 4);   newest first
 *	fingerprint_store_add(s, &row);                                written asynchronously
 *	GPtrArray *steps = fingerprint_store_of_build(s, ref);         in the order in which they ran
 *
 * An identity names the same step in different builds (see ops/fingerprint.h). The store keeps the last
 * FINGERPRINTS_PER_STEP rows of each identity, and at most FINGERPRINTS_ROWS rows and FINGERPRINTS_BYTES bytes in all.
 * Losing a row loses only an explanation. fingerprint_store_of_build finds the steps whose rows still exist. Thread:
 * any.
 */
#pragma once
#include "base/error.h"

#define FINGERPRINTS_PER_STEP 8
#define FINGERPRINTS_ROWS 20000
#define FINGERPRINTS_BYTES (64 * 1024 * 1024)

typedef struct fingerprint_store fingerprint_store;

struct fingerprint_row {
	char *identity, *ref, *name; /* owned */
	char *reason;                /* owned; why the step ran again, "" if no earlier run is known */
	int64_t created_ns;
	GBytes *bytes; /* owned; the fingerprint */
};

fingerprint_store *fingerprint_store_open(int root_fd, GError **error);
/* Writes pending rows. */
void fingerprint_store_close(fingerprint_store *s);
/* Copies the row. */
void fingerprint_store_add(fingerprint_store *s, const struct fingerprint_row *row);
/* Return arrays of struct fingerprint_row *, never NULL. */
GPtrArray *fingerprint_store_find(fingerprint_store *s, const char *identity, guint max);
GPtrArray *fingerprint_store_of_build(fingerprint_store *s, const char *ref);
/* Returns the newest build that ran a step, or NULL. Free with g_free. */
char *fingerprint_store_last_build(fingerprint_store *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(fingerprint_store, fingerprint_store_close)
