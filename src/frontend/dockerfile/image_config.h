/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_config: the image config that a Dockerfile produces, read and written as JSON in the form of upstream's
 * frontend.
 *
 *	struct image_config *c = image_config_read(a, bytes, n, error);
 *	image_config_history(a, c, "ENV A=1", true, NULL);
 *	GBytes *json = image_config_write(c);
 *
 * Lives in the arena; image_config_copy makes a copy that may be changed. Unknown members of a base image's config
 * (such as docker's container_config) are dropped, as upstream does. Thread: one at a time.
 */
#pragma once
#include "base/error.h"
#include "format/platform.h"
#include "frontend/dockerfile/instruction.h"

struct history {
	const char *created; /* RFC 3339, NULL: none */
	const char *created_by, *author, *comment;
	bool empty_layer;
	const struct history *before; /* the previous entry; NULL: this is the first */
};

struct image_config {
	const char *created, *author; /* NULL: none */
	const char *architecture, *os, *os_version, *variant;
	struct vec os_features;
	const char *rootfs_type;
	struct vec diff_ids;
	const struct history *last; /* last history entry; entries are shared with child stages; NULL: none */
	size_t n_history;
	const char *user, *working_dir, *stop_signal;
	struct vec env;            /* element type: char *: KEY=value */
	struct vec ports, volumes; /* sets of names */
	struct vec labels;         /* element type: struct pair * */
	struct vec entrypoint, cmd, on_build, shell;
	bool args_escaped;
	const struct healthcheck *health;
};

struct image_config *image_config_read(arena *a, const void *bytes, size_t n, GError **error);
/* Returns the config of FROM scratch. */
struct image_config *image_config_scratch(arena *a, const struct platform *p);
struct image_config *image_config_copy(arena *a, const struct image_config *c);
size_t image_config_weight(const struct image_config *c); /* number of bytes that a copy allocates */
GBytes *image_config_write(const struct image_config *c);

const char *image_config_env_get(arena *a, const struct image_config *c, const char *key); /* NULL: unset */
void image_config_env_set(arena *a, struct image_config *c, const char *key, const char *value);
void image_config_label_set(arena *a, struct image_config *c, const char *key, const char *value);
void image_config_set_add(arena *a, struct vec *set, const char *key);
void image_config_history(arena *a, struct image_config *c, const char *created_by, bool layer, const char *created);
bool image_config_has_layers(const struct image_config *c);
struct platform *image_config_platform(arena *a, const struct image_config *c);
/* Reports whether os and architecture are those of the platform. */
bool image_config_fits(const struct image_config *c, const struct platform *p);
