/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributes: attributes that several cache backends have.
 *
 *	if (!attribute_bool(attrs, "oci-mediatypes", true, &oci, error)) return NULL;
 *
 * Thread: any.
 */
#pragma once
#include "format/compress.h"
#include "format/reference.h"

/* Returns "" if the attribute is missing. Borrowed. */
const char *attribute(GHashTable *attrs, const char *key);
/* Errors: "failed to parse KEY: strconv.ParseBool: ...". */
bool attribute_bool(GHashTable *attrs, const char *key, bool fallback, bool *ret, GError **error);
/* Reads compression, compression-level, force-compression (empty: true). */
struct compression_attributes {
	enum compression compression;
	int level; /* -1: default */
	bool force;
};
bool attribute_compression(GHashTable *attrs, struct compression_attributes *ret, GError **error);
/* Reads "ref" and normalises it, with a tag. Errors: "missing ref". */
reference *attribute_ref(GHashTable *attrs, GError **error);
