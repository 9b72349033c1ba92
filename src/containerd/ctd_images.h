/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_images: containerd's image store as a worker's.
 *
 *	struct ctd_images images = {.client = client, .snapshotter = "overlayfs"};
 *	struct image_store store = {&ctd_images_class, &images};
 *
 * Unpacked trees are named by their chain ids, as every client of containerd expects them; they are made under a lease
 * of their own that goes at the end, and live as long as the image config refers to them. Thread: any, immutable.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "oci/image_store.h"

struct ctd_images {
	ctd_client *client; /* borrowed */
	const char *snapshotter;
};
extern const struct image_store_class ctd_images_class;
