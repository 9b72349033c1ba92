/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: an image as an OCI layout in a tar stream, with manifest.json for docker load (daemon-and-client.md 4.5).
 *
 *	archive_write(&archive, sink, data, error)
 *
 * Entries come sorted by name, times and ids zero, straight from the blob store into the sink. Thread: any.
 */
#pragma once
#include "export/writer.h"

struct archive {
	blob_store *blobs;
	const image_tree *tree;
	const oci_descriptor *root; /* as index.json shows it */
	char *const *names;         /* normalised, NULL-terminated; may be empty */
	bool docker;                /* manifest.json too */
};
bool archive_write(const struct archive *a, bytes_sink_fn sink, void *data, cancel *c, GError **error);
