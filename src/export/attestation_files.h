/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation_files: the attestations of a tree as files beside what is in it.
 *
 *	GPtrArray *files = attestation_files_make(input, tree, prefix, with_platform, work, error);
 *
 * Their subjects are the files of the tree, which is read for it. Thread: one at a time.
 */
#pragma once
#include "export/result_tree.h"

/* Of struct fssync_extra (names and fds owned by the array). with_platform: in the names too. */
GArray *attestation_files_make(const struct export_input *input, const struct result_tree *tree, const char *prefix,
			       bool with_platform, struct work *work, GError **error);
