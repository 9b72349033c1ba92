/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the image config of an export: the frontend's config with rootfs, history, times and inline cache of the
 * export.
 *
 *	struct config_input in = {.config = bytes, .base = NULL, .layers = layers, .n_layers = n, ...};
 *	char *json = config_write(&in, &len, error);
 *
 * The result is compact JSON with sorted keys at the top level; other keys keep the order of the input. Thread: any.
 */
#pragma once
#include "base/digest.h"
#include "format/platform.h"

struct config_layer {
	const char *diff_id;
	const char *description; /* NULL: unknown */
	int64_t created_ns;      /* 0: unknown */
};
struct config_input {
	GBytes *config; /* NULL: the host's default platform */
	GBytes *base;   /* config of the base image, NULL: none */
	const struct config_layer *layers;
	size_t n_layers;
	const char *inline_cache; /* JSON bytes or NULL */
	bool epoch_set;
	int64_t epoch_s;
};
char *config_write(const struct config_input *in, size_t *ret_len, GError **error);
