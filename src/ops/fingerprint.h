/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint: what a step that runs is made of, and how that differs from an earlier run of the same step.
 *
 *	g_autoptr(fingerprint) now = fingerprint_new(op, inputs, n_inputs, work);
 *	g_autoptr(fingerprint_change) change = fingerprint_compare(before, now);
 *	change->reason                                "COPY . /src: 2 of 1,412 files differ: src/a.c, go.sum"
 *
 * The same step over builds is one with the same command or name (without its "[stage 2/5]" count) on the same way
 * from its base image. A fingerprint has facts (texts where they say something, hashes elsewhere: values of the environment
 *are never stored), and for each input what it was: a result by name, or the entries that count for the step with their
 *digests. Keys are not made of it and never read from it. Thread: any, immutable after new.
 */
#pragma once
#include "ops/op.h"

#define FINGERPRINT_FILES 50000 /* entries an input, beyond which only its digest is compared */

typedef struct fingerprint fingerprint;
fingerprint *fingerprint_new(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work);
void fingerprint_free(fingerprint *s);
const char *fingerprint_identity(const fingerprint *s);
const char *fingerprint_name(const fingerprint *s); /* short: "COPY . /src" */
GBytes *fingerprint_pack(const fingerprint *s);
/* NULL when the bytes are no fingerprint. */
fingerprint *fingerprint_unpack(GBytes *bytes);

struct fingerprint_fact {
	char *name, *before, *after; /* owned; NULL: absent, "" where only hashes are kept */
};
struct fingerprint_file {
	char *path; /* owned; without a slash in front */
	char what;  /* '+' added, '-' removed, '~' changed */
};
typedef struct fingerprint_change {
	char *reason;     /* owned; "" when the two are the same */
	GPtrArray *facts; /* of struct fingerprint_fact * */
	GPtrArray *files; /* of struct fingerprint_file *, by path */
	guint total;      /* files compared */
	bool all;         /* there are no more */
} fingerprint_change;
fingerprint_change *fingerprint_compare(const fingerprint *before, const fingerprint *now);
void fingerprint_change_free(fingerprint_change *c);

/*
 * Called by an op that runs: finds the earlier run, says on the vertex why this is another one, and keeps the fingerprint
 * when it is given back. NULL when explanations are off.
 */
fingerprint *fingerprint_begin(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work);
void fingerprint_keep(const struct op *op, fingerprint *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(fingerprint, fingerprint_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fingerprint_change, fingerprint_change_free)
