/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: names a written image in the worker's image store.
 *
 *	struct store_options options = {.canonical = true};
 *	if (!store_image(context, tree, names, &options, work, error)) ...
 *
 * Statuses "naming to NAME" and "unpacking to NAME". Thread: one at a time.
 */
#pragma once
#include "export/writer.h"

struct store_options {
	bool canonical; /* also NAME@DIGEST */
	bool unpack;
	bool has_epoch;
	int64_t epoch_s;
};
/* names: NULL-terminated, as given. The context must have an image store. */
bool store_image(const struct exporter_context *context, const image_tree *tree, char *const *names,
		 const struct store_options *options, struct work *work, GError **error);
