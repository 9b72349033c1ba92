/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_origin: which request made a definition that another request takes as its input.
 *
 *	provenance_origins *o = provenance_origins_new();                       one for all builds
 *	provenance_origins_add(o, definition, origin, build);                   when a frontend's result is handed out
 *	provenance_origin *from = provenance_origins_find(o, definition);      counted; NULL: no request made it, or several did
 *	provenance_origins_drop(o, build);                                      at the end of the build
 *
 * An origin is immutable and counted; those of its inputs belong to it. One that would tell of more than
 * ORIGIN_WEIGHT_MAX requests leaves its inputs out: inputs of inputs multiply. Thread: any.
 */
#pragma once
#include "builder/provenance_capture.h"
#include "ops.pb-c.h"

#define ORIGIN_WEIGHT_MAX 1000

typedef struct provenance_origins provenance_origins;
typedef struct provenance_origin {
	gint refs;
	struct provenance_request request;
	guint weight; /* requests that it tells of, itself included */
} provenance_origin;

provenance_origin *provenance_origin_new(const struct provenance_request *request); /* copies */
provenance_origin *provenance_origin_ref(provenance_origin *o);
void provenance_origin_unref(void *o);
/* Tables of inputs, NULL for none. */
bool provenance_inputs_equal(GHashTable *a, GHashTable *b);
bool provenance_origin_equal(const provenance_origin *a, const provenance_origin *b);

provenance_origins *provenance_origins_new(void);
void provenance_origins_free(provenance_origins *o);
void provenance_origins_add(provenance_origins *o, const Pb__Definition *definition, provenance_origin *origin,
			    const void *owner);
provenance_origin *provenance_origins_find(provenance_origins *o, const Pb__Definition *definition);
void provenance_origins_drop(provenance_origins *o, const void *owner);
/* char * name to provenance_origin *, of those inputs (char * to Pb__Definition *) that have one. NULL: none. Owned. */
GHashTable *provenance_origins_of(provenance_origins *o, GHashTable *inputs);
