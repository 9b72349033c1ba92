/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_images: containerd's image store as the image store of a worker.
 *
 *	struct ctd_images images = {.client = client, .snapshotter = "overlayfs"};
 *	struct image_store store = {&ctd_images_class, &images};
 *
 * Unpacked trees are named by their chain ids, as containerd's clients expect; they are created under a temporary
 * lease, and exist as long as the image config refers to them. Thread: any, immutable.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "oci/image_store.h"

struct ctd_images {
	ctd_client *client; /* borrowed */
	const char *snapshotter;
};
extern const struct image_store_class ctd_images_class;
