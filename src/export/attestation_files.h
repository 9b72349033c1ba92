/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation_files: writes the attestations of a tree as files in that tree.
 *
 *	GPtrArray *files = attestation_files_make(context, input, tree, prefix, with_platform, work, error);
 *
 * Their subjects are the files of the tree, which are hashed. Thread: one at a time.
 */
#pragma once
#include "export/result_tree.h"

/*
 * Returns elements of type struct fssync_extra (names and fds owned by the array). with_platform: names contain the
 * platform.
 */
GArray *attestation_files_make(const struct exporter_context *context, const struct export_input *input,
			       const struct result_tree *tree, const char *prefix, bool with_platform,
			       struct work *work, GError **error);
