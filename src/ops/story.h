/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story: what a step that runs is made of, and how that differs from an earlier run of the same step.
 *
 *	g_autoptr(story) now = story_new(op, inputs, n_inputs, work);
 *	g_autoptr(story_change) change = story_compare(before, now);
 *	change->reason                                "COPY . /src: 2 of 1,412 files differ: src/a.c, go.sum"
 *
 * The same step over builds is one with the same command or name (without its "[stage 2/5]" count) on the same way
 * from its base image. A story has facts (texts where they say something, hashes elsewhere: values of the environment
 *are never stored), and for each input what it was: a result by name, or the entries that count for the step with their
 *digests. Keys are not made of it and never read from it. Thread: any, immutable after new.
 */
#pragma once
#include "ops/op.h"

#define STORY_FILES 50000 /* entries an input, beyond which only its digest is compared */

typedef struct story story;
story *story_new(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work);
void story_free(story *s);
const char *story_identity(const story *s);
const char *story_name(const story *s); /* short: "COPY . /src" */
GBytes *story_pack(const story *s);
/* NULL when the bytes are no story. */
story *story_unpack(GBytes *bytes);

struct story_fact {
	char *name, *before, *after; /* owned; NULL: absent, "" where only hashes are kept */
};
struct story_file {
	char *path; /* owned; without a slash in front */
	char what;  /* '+' added, '-' removed, '~' changed */
};
typedef struct story_change {
	char *reason;     /* owned; "" when the two are the same */
	GPtrArray *facts; /* of struct story_fact * */
	GPtrArray *files; /* of struct story_file *, by path */
	guint total;      /* files compared */
	bool all;         /* there are no more */
} story_change;
story_change *story_compare(const story *before, const story *now);
void story_change_free(story_change *c);

/*
 * Called by an op that runs: finds the earlier run, says on the vertex why this is another one, and keeps the story
 * when it is given back. NULL when explanations are off.
 */
story *story_begin(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work);
void story_keep(const struct op *op, story *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(story, story_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(story_change, story_change_free)
