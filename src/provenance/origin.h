/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_origin: finds the request that produced a definition which another request uses as its input.
 *
 *	provenance_origins *o = provenance_origins_new();                       one instance for all builds
 *	provenance_origins_add(o, definition, origin, build);                   when a frontend returns a result
 *	provenance_origin *from = provenance_origins_find(o, definition);      counted; NULL: none or several requests
 *	provenance_origins_drop(o, build);                                      at the end of the build
 *
 * An origin is immutable, counted, and contains the origins of its inputs. An origin with more than ORIGIN_WEIGHT_MAX
 * requests drops its inputs, because the number of nested inputs can grow exponentially. Thread: any.
 */
#pragma once
#include "provenance/capture.h"
#include "ops.pb-c.h"

#define ORIGIN_WEIGHT_MAX 1000

typedef struct provenance_origins provenance_origins;
typedef struct provenance_origin {
	gint refs;
	struct provenance_request request;
	guint weight; /* number of requests in it, including itself */
} provenance_origin;

provenance_origin *provenance_origin_new(const struct provenance_request *request); /* copies */
provenance_origin *provenance_origin_ref(provenance_origin *o);
void provenance_origin_unref(void *o);
/* Tables of inputs; NULL: no inputs. */
bool provenance_inputs_equal(GHashTable *a, GHashTable *b);

provenance_origins *provenance_origins_new(void);
void provenance_origins_free(provenance_origins *o);
void provenance_origins_add(provenance_origins *o, const Pb__Definition *definition, provenance_origin *origin,
			    const void *owner);
provenance_origin *provenance_origins_find(provenance_origins *o, const Pb__Definition *definition);
void provenance_origins_drop(provenance_origins *o, const void *owner);
/*
 * Returns an owned table, char * name to provenance_origin *, of the inputs (char * to Pb__Definition *) with a known
 * origin. NULL: none.
 */
GHashTable *provenance_origins_of(provenance_origins *o, GHashTable *inputs);
