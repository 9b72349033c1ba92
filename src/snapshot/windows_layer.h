/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows_layer: the form of layers of Windows images, which differs from that of trees.
 *
 *	struct windows_entry win;
 *	windows_entry_init(&win, &header);                        the entry's place in a layer, and its Windows attributes
 *	tar_writer_entry(tar, &win.entry, error);
 *	windows_entry_clear(&win);
 *
 * A layer has two directories: "Files" contains the tree, "Hives" changes of the registry. Entries have Windows attributes
 * and a security descriptor as pax records. As upstream, layers that are written have an empty "Hives", and all files and
 * directories get the same security descriptors; when a layer is applied, everything outside of "Files" is left out.
 * Targets of symbolic links are changed like those of hard links, in both directions. Private to snapshot. Thread: any.
 */
#pragma once
#include "format/tar.h"

#define WINDOWS_FILES "Files"
#define WINDOWS_HIVES "Hives"
#define WINDOWS_RECORDS 3

struct windows_entry {
	struct tar_entry entry;
	struct tar_xattr records[WINDOWS_RECORDS];
	char *name, *link, *time; /* owned */
};
void windows_entry_init(struct windows_entry *ret, const struct tar_entry *h /* borrowed until the entry is cleared */);
/* "Files" or "Hives" itself. They have the time 0, so that equal trees give equal bytes (upstream: the time of the build). */
void windows_entry_init_top(struct windows_entry *ret, const char *name);
void windows_entry_clear(struct windows_entry *e);

/* Returns the name of a layer's entry in the tree, or NULL if it is not part of the tree. */
const char *windows_tree_name(const char *name);
const char *windows_tree_link(const char *link);
/* Reports whether it is one of the two directories. */
bool windows_is_top(const char *name);
