/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_blobs: containerd's content store as the backend of a blob store.
 *
 *	void *self = ctd_blobs_open(client, content_root, root_fd, error);
 *	blob_store *blobs = blob_store_new(&ctd_blobs_backend, self);
 *
 * The store consists of the blobs that our lease holds; a table caches them. Bytes are written through the API. They
 * are read from containerd's directory if the file can be opened and has the right size, otherwise through the API into
 * an unnamed file. Thread: any (.mu guards the table; .commits is read-locked while a blob is added to the lease).
 */
#pragma once
#include "containerd/ctd_client.h"
#include "content/blob_backend.h"

extern const struct blob_backend ctd_blobs_backend;
/* client is borrowed; content_root may be NULL; root_fd is borrowed. */
void *ctd_blobs_open(ctd_client *client, const char *content_root, int root_fd, GError **error);
/* Sets a label of one of our blobs. */
bool ctd_blobs_label(ctd_client *client, const struct digest *digest, const char *const *keys,
		     const char *const *values, size_t n, GError **error);
