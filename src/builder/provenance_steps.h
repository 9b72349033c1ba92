/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_steps: a definition as steps with numbers, as provenance of mode=max shows it.
 *
 *	g_autoptr(provenance_steps) steps = provenance_steps_new(definition, error);
 *	provenance_steps_write(w, steps);              members llbDefinition and digestMapping, left out when empty
 *	provenance_steps_find(steps, "sha256:...")     2: it is "step2"; -1: not there
 *
 * Steps come after their inputs. What names a session is left out, credentials are masked. Thread: one at a time.
 */
#pragma once
#include "base/error.h"
#include "format/json_writer.h"
#include "ops.pb-c.h"

typedef struct provenance_steps provenance_steps;

/* The definition was loaded before, so that its parts are sound; NULL or empty: no steps. */
provenance_steps *provenance_steps_new(const Pb__Definition *definition, GError **error);
void provenance_steps_free(provenance_steps *s);
int provenance_steps_find(const provenance_steps *s, const char *digest);
void provenance_steps_write(json_writer *w, const provenance_steps *s);
/* The object "source": where the steps stand, and in what files. Nothing when the definition does not say. */
bool provenance_source_write(json_writer *w, const Pb__Definition *definition, const provenance_steps *s,
			     GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(provenance_steps, provenance_steps_free)
