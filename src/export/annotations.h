/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotations: annotations of manifests, indexes and their descriptors, from annotation[-<type>][[<platform>]].<key>
 * attributes and metadata.
 *
 *	g_autoptr(annotation_group) g = annotation_group_new();
 *	annotation_group_add(g, key, value, &is_annotation, error);
 *	GHashTable *m = annotation_group_get(g, ANNOTATION_MANIFEST, "linux/amd64");
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"

enum annotation_kind {
	ANNOTATION_MANIFEST,
	ANNOTATION_MANIFEST_DESCRIPTOR,
	ANNOTATION_INDEX,
	ANNOTATION_INDEX_DESCRIPTOR,
	ANNOTATION_KINDS
};
typedef struct annotation_group annotation_group;

annotation_group *annotation_group_new(void);
void annotation_group_free(annotation_group *g);
/* Other keys are ignored. Errors: "unrecognized annotation type X". */
bool annotation_group_add(annotation_group *g, const char *key, const char *value, bool *ret_is_annotation,
			  GError **error);
/*
 * Returns the annotations for a platform id (NULL: those without a platform). Index kinds include all platforms. Owned,
 * NULL if empty.
 */
GHashTable *annotation_group_get(const annotation_group *g, enum annotation_kind kind, const char *platform_id);
/* Returns the platform ids used, NULL-terminated; g_free the array only. */
const char **annotation_group_platforms(const annotation_group *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(annotation_group, annotation_group_free)
