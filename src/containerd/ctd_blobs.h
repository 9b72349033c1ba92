/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_blobs: containerd's content store as the backend of a blob store.
 *
 *	void *self = ctd_blobs_open(client, content_root, root_fd, error);
 *	blob_store *blobs = blob_store_new(&ctd_blobs_backend, self);
 *
 * Ours is what our lease holds; which that is we know without asking. Bytes are written through the API. They are read
 * where containerd keeps them when that can be opened and has the right size, else through the API into a file without
 * a name. Thread: any (.mu guards the table; .commits is held for reading while a blob becomes ours).
 */
#pragma once
#include "containerd/ctd_client.h"
#include "content/blob_backend.h"

extern const struct blob_backend ctd_blobs_backend;
/* client is borrowed; content_root may be NULL; root_fd is borrowed. */
void *ctd_blobs_open(ctd_client *client, const char *content_root, int root_fd, GError **error);
/* A label of a blob of ours. */
bool ctd_blobs_label(ctd_client *client, const struct digest *digest, const char *const *keys,
		     const char *const *values, size_t n, GError **error);
