/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: attributes of the exporters image, oci and docker.
 *
 *	struct image_options o;
 *	if (!image_options_load(&o, attrs, error)) return NULL;
 *
 * Thread: one at a time.
 */
#pragma once
#include "export/annotations.h"
#include "export/exporter.h"
#include "format/compress.h"

struct image_options {
	char *name; /* owned; "" if none */
	enum compression compression;
	int level; /* -1: default */
	bool force;
	int oci_types;           /* -1: not given */
	int oci_artifact;        /* -1: not given */
	int inline_attestations; /* -1: not given */
	bool prefer_nondist;
	bool rewrite_timestamp;
	bool has_epoch; /* source-date-epoch was given; even if empty, it overrides the frontend's value */
	bool epoch_set;
	int64_t epoch_s;
	annotation_group *annotations; /* owned */
	GHashTable *rest;              /* owned; attributes of the exporter itself, or metadata */
};
bool image_options_load(struct image_options *o, GHashTable *attrs, GError **error);
void image_options_clear(struct image_options *o);
/* Removes a boolean attribute (empty: true) from rest. */
bool image_options_take_bool(struct image_options *o, const char *key, bool *ret, GError **error);
char *image_options_take(struct image_options *o, const char *key);
/* Reports conflicts between media types and other options. Errors: upstream's texts. */
bool image_options_validate(const struct image_options *o, GError **error);
/* Reports options that a compatibility version does not have. type: of the exporter. */
bool image_options_check_compat(const struct image_options *o, int64_t compat_version, const char *type,
				GError **error);
bool image_options_oci(const struct image_options *o);

/*
 * Parses the seconds of an epoch: for an empty text, *ret_set is false. Errors: "invalid KEY: strconv.ParseInt: ...".
 */
bool epoch_parse(const char *key, const char *text, bool *ret_set, int64_t *ret_s, GError **error);
/* Returns the frontend's epoch: source.date.epoch[/<platform>]. */
bool epoch_from_metadata(GHashTable *metadata, const char *platform_id, bool *ret_set, int64_t *ret_s, GError **error);
