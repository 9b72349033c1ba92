/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: writes an image as an OCI layout in a tar stream, with manifest.json for docker load.
 *
 *	archive_write(&archive, sink, data, cancel, error)
 *
 * Entries are sorted by name; times and ids are zero. Blobs are copied from the blob store to the sink. Thread: any.
 */
#pragma once
#include "export/writer.h"

struct archive {
	blob_store *blobs;
	const image_tree *tree;
	const oci_descriptor *root; /* as in index.json */
	char *const *names;         /* normalised, NULL-terminated; may be empty */
	bool docker;                /* write manifest.json too */
};
bool archive_write(const struct archive *a, bytes_sink_fn sink, void *data, cancel *c, GError **error);
