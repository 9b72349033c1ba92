/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_store: what steps that ran were made of, so that a later run can be told apart from an earlier one.
 *
 *	fingerprint_store *s = fingerprint_store_open(root_fd, error);
 *	GPtrArray *earlier = fingerprint_store_find(s, identity, 4);   newest first
 *	fingerprint_store_add(s, &row);                                written behind
 *	GPtrArray *steps = fingerprint_store_of_build(s, ref);         in the order in which they ran
 *
 * An identity names a step over builds (ops/fingerprint.h says how). Of each the last STORY_KEPT stay, and in all not more
 * than STORY_ROWS rows and STORY_BYTES bytes. Nothing depends on a row: what is lost is an explanation.
 * A build's steps stay in its record no longer than their rows. Thread: any.
 */
#pragma once
#include "base/error.h"

#define STORY_KEPT 8
#define STORY_ROWS 20000
#define STORY_BYTES (64 * 1024 * 1024)

typedef struct fingerprint_store fingerprint_store;

struct fingerprint_row {
	char *identity, *ref, *name; /* owned */
	char *reason;                /* owned; why it ran again, "" when no earlier run is known */
	int64_t created_ns;
	GBytes *bytes; /* owned; the fingerprint */
};
void fingerprint_row_clear(struct fingerprint_row *row);

fingerprint_store *fingerprint_store_open(int root_fd, GError **error);
/* Writes what waits. */
void fingerprint_store_close(fingerprint_store *s);
/* Copies. */
void fingerprint_store_add(fingerprint_store *s, const struct fingerprint_row *row);
/* Arrays of struct fingerprint_row *, never NULL. */
GPtrArray *fingerprint_store_find(fingerprint_store *s, const char *identity, guint max);
GPtrArray *fingerprint_store_of_build(fingerprint_store *s, const char *ref);
/* The newest build that ran a step; NULL: none. g_free. */
char *fingerprint_store_last_build(fingerprint_store *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(fingerprint_store, fingerprint_store_close)
