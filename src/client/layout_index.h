/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout_index: index.json of an OCI layout directory: the tags and names of caches and images.
 *
 *	layout_index_find("cache", "latest", &descriptor, error)          *ret is NULL if there is no such tag
 *	layout_index_put("cache", descriptor, names, n, error);           replaces entries with one of the names
 *	layout_index_sweep("cache", error);                               removes blobs that no entry references
 *
 * A process holds index.json.lock while it reads or writes. Thread: any.
 */
#pragma once
#include "oci/oci.h"

struct layout_name {
	const char *value;
	bool is_tag; /* otherwise the name of an image, whose tag is stored as well */
};
bool layout_index_find(const char *dir, const char *tag, oci_descriptor **ret, GError **error);
bool layout_index_put(const char *dir, const oci_descriptor *d, const struct layout_name *names, size_t n,
		      GError **error);
bool layout_index_sweep(const char *dir, GError **error);
