/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story_store: what steps that ran were made of, so that a later run can be told apart from an earlier one.
 *
 *	story_store *s = story_store_open(root_fd, error);
 *	GPtrArray *earlier = story_store_find(s, identity, 4);   newest first
 *	story_store_add(s, &row);                                written behind
 *	GPtrArray *steps = story_store_of_build(s, ref);         in the order in which they ran
 *
 * An identity names a step over builds (ops/story.h says how). Of each the last STORY_KEPT stay, and in all not more
 * than STORY_ROWS rows and STORY_BYTES bytes. Nothing depends on a row: what is lost is an explanation.
 * A build's steps stay in its record no longer than their rows. Thread: any.
 */
#pragma once
#include "base/error.h"

#define STORY_KEPT 8
#define STORY_ROWS 20000
#define STORY_BYTES (64 * 1024 * 1024)

typedef struct story_store story_store;

struct story_row {
	char *identity, *ref, *name; /* owned */
	char *reason;                /* owned; why it ran again, "" when no earlier run is known */
	int64_t created_ns;
	GBytes *bytes; /* owned; the story */
};
void story_row_clear(struct story_row *row);

story_store *story_store_open(int root_fd, GError **error);
/* Writes what waits. */
void story_store_close(story_store *s);
/* Copies. */
void story_store_add(story_store *s, const struct story_row *row);
/* Arrays of struct story_row *, never NULL. */
GPtrArray *story_store_find(story_store *s, const char *identity, guint max);
GPtrArray *story_store_of_build(story_store *s, const char *ref);
/* The newest build that ran a step; NULL: none. g_free. */
char *story_store_last_build(story_store *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(story_store, story_store_close)
