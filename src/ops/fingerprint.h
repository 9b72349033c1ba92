/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint: the recorded inputs of a step that runs, compared with those of an earlier run of the same step.
 *
 *	g_autoptr(fingerprint) now = fingerprint_new(op, inputs, n_inputs, work);
 *	g_autoptr(fingerprint_change) change = fingerprint_compare(before, now);
 *	change->reason                                "COPY . /src: 2 of 1,412 files differ: src/a.c, go.sum"
 *
 * Steps of two builds are the same step if they have the same command or name (without its "[stage 2/5]" count) and the
 * same chain of steps from the base image. A fingerprint contains facts (as text where that is useful, otherwise as
 * hashes; values of the environment are never stored) and for each input a result by name, or the relevant entries with
 * their digests. Fingerprints do not affect cache keys. Thread: any, immutable after new.
 */
#pragma once
#include "ops/op.h"

#define FINGERPRINT_FILES 50000 /* entries per input, beyond which only its digest is compared */

typedef struct fingerprint fingerprint;
fingerprint *fingerprint_new(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work);
void fingerprint_free(fingerprint *s);
GBytes *fingerprint_pack(const fingerprint *s);
/* Returns NULL if the bytes are not a valid fingerprint. */
fingerprint *fingerprint_unpack(GBytes *bytes);

struct fingerprint_fact {
	char *name, *before, *after; /* owned; NULL: absent, "" if only hashes are stored */
};
struct fingerprint_file {
	char *path; /* owned; without a leading slash */
	char what;  /* '+' added, '-' removed, '~' changed */
};
typedef struct fingerprint_change {
	char *reason;     /* owned; "" if the two are equal */
	GPtrArray *facts; /* of struct fingerprint_fact * */
	GPtrArray *files; /* of struct fingerprint_file *, by path */
	guint total;      /* files compared */
	bool all;         /* the list is complete */
} fingerprint_change;
fingerprint_change *fingerprint_compare(const fingerprint *before, const fingerprint *now);
void fingerprint_change_free(fingerprint_change *c);

/*
 * Called by an op that runs: finds the earlier run, reports on the vertex why the step runs again, and stores the
 * fingerprint on release. NULL if explanations are off.
 */
fingerprint *fingerprint_begin(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work);
void fingerprint_keep(const struct op *op, fingerprint *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(fingerprint, fingerprint_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fingerprint_change, fingerprint_change_free)
