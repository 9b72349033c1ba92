/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds: the table of sources.
 *
 *	#define NAME(kind) #kind,
 *	static const char *const names[] = {SOURCE_KINDS(NAME)};
 *
 * A new source is a file that defines source_KIND_class, its name in meson.build, and one entry here. Thread: any,
 * constants.
 */
#pragma once

#define SOURCE_KINDS(X) X(image) X(oci_layout) X(image_blob) X(oci_layout_blob) X(http) X(https) X(local) X(git)

/* Kinds of provenance materials, in the order of upstream's lists; local sources are never materials. */
enum source_material {
	SOURCE_MATERIAL_UNSET, /* of no class: one that omits the member is an error (unit test source/identifier) */
	SOURCE_MATERIAL_IMAGE,
	SOURCE_MATERIAL_IMAGE_BLOB,
	SOURCE_MATERIAL_GIT,
	SOURCE_MATERIAL_HTTP,
	SOURCE_MATERIAL_LOCAL,
	SOURCE_MATERIAL_COUNT,
};
