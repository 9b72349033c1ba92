/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_steps: the numbered steps of a definition, for provenance with mode=max.
 *
 *	g_autoptr(provenance_steps) steps = provenance_steps_new(definition, error);
 *	provenance_steps_write(w, steps, NULL, false, error) members llbDefinition and digestMapping, unless empty
 *	provenance_steps_find(steps, "sha256:...")     2: it is "step2"; -1: no such step
 *
 * Steps come after their inputs. Session ids are removed, credentials are masked. Thread: one at a time.
 */
#pragma once
#include "base/error.h"
#include "format/json_writer.h"
#include "resources/sampler.h"
#include "ops.pb-c.h"

typedef struct provenance_steps provenance_steps;

/* definition: already validated by llb_load; NULL or empty: no steps. */
provenance_steps *provenance_steps_new(const Pb__Definition *definition, GError **error);
void provenance_steps_free(provenance_steps *s);
int provenance_steps_find(const provenance_steps *s, const char *digest);
/*
 * usages: char * digest of a step to step_usage *; NULL: they are not written. sorted: the keys of all objects, as v1
 * needs them; otherwise in the order of the messages, for v0.2.
 */
bool provenance_steps_write(json_writer *w, const provenance_steps *s, GHashTable *usages, bool sorted, GError **error);
/*
 * Writes the object "source": source files and the locations of steps in them. Writes nothing if the definition has
 * none.
 */
bool provenance_source_write(json_writer *w, const Pb__Definition *definition, const provenance_steps *s,
			     GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(provenance_steps, provenance_steps_free)
