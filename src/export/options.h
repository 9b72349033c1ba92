/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: attributes that image, oci and docker share (daemon-and-client.md section 4.1).
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
	char *name; /* owned; "" when none */
	enum compression compression;
	int level; /* -1: default */
	bool force;
	int oci_types;           /* -1: not said */
	int oci_artifact;        /* -1: not said */
	int inline_attestations; /* -1: not said */
	bool prefer_nondist;
	bool rewrite_timestamp;
	bool has_epoch; /* source-date-epoch was given; even empty it hides what the frontend says */
	bool epoch_set;
	int64_t epoch_s;
	annotation_group *annotations; /* owned */
	GHashTable *rest;              /* owned: attributes of the exporter itself, or metadata */
};
bool image_options_load(struct image_options *o, GHashTable *attrs, GError **error);
void image_options_clear(struct image_options *o);
/* Takes an attribute that is a bool (empty: true) out of rest. */
bool image_options_take_bool(struct image_options *o, const char *key, bool *ret, GError **error);
char *image_options_take(struct image_options *o, const char *key);
/* Conflicts between media types and the rest. Errors: upstream's texts. */
bool image_options_validate(const struct image_options *o, GError **error);
/* What a compatibility version lacks. type: of the exporter. */
bool image_options_check_compat(const struct image_options *o, int64_t compat_version, const char *type,
				GError **error);
bool image_options_oci(const struct image_options *o);

/* Seconds of an epoch: empty text leaves *ret_set false. Errors: "invalid KEY: strconv.ParseInt: ...". */
bool epoch_parse(const char *key, const char *text, bool *ret_set, int64_t *ret_s, GError **error);
/* The epoch that the frontend said: source.date.epoch[/<platform>]. */
bool epoch_from_metadata(GHashTable *metadata, const char *platform_id, bool *ret_set, int64_t *ret_s, GError **error);
