/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout_index: index.json of an OCI layout directory: what a cache or an image there is called.
 *
 *	layout_index_find("cache", "latest", &descriptor, error)          *ret NULL: no such tag
 *	layout_index_put("cache", descriptor, names, n, error);           replaces what had one of the names
 *	layout_index_sweep("cache", error);                               removes blobs that nothing in it needs
 *
 * While one process writes or reads it holds index.json.lock. Thread: any.
 */
#pragma once
#include "oci/oci.h"

struct layout_name {
	const char *value;
	bool is_tag; /* otherwise an image's name, of which the tag is kept as well */
};
bool layout_index_find(const char *dir, const char *tag, oci_descriptor **ret, GError **error);
bool layout_index_put(const char *dir, const oci_descriptor *d, const struct layout_name *names, size_t n,
		      GError **error);
bool layout_index_sweep(const char *dir, GError **error);
