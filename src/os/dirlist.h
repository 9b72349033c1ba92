/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dirlist: reads the names of one directory, sorted by bytes.
 *
 *	scoped_dirlist list = {0};
 *	if (!dirlist_read_at(&list, dir_fd, "name", error)) ...
 *	for (size_t i = 0; i < list.n; i++) dirlist_name(&list, i)
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"

struct dirlist_item {
	uint32_t offset; /* of the name */
	uint8_t type;    /* DT_DIR, ...; DT_UNKNOWN if the file system does not provide it */
};
struct dirlist {
	char *names;
	struct dirlist_item *items;
	size_t n;
};

/* fd's offset is moved. */
bool dirlist_read(struct dirlist *ret, int fd, GError **error);
/* Opens a directory in dir_fd ("." is dir_fd itself) without following a link. */
bool dirlist_read_at(struct dirlist *ret, int dir_fd, const char *name, GError **error);
/* In the order of the file system; stops after a part of the directory with at least enough names. */
bool dirlist_read_unsorted(struct dirlist *ret, int fd, size_t enough, GError **error);
void dirlist_clear(struct dirlist *list);
#define scoped_dirlist __attribute__((cleanup(dirlist_clear))) struct dirlist

static inline const char *dirlist_name(const struct dirlist *list, size_t i)
{
	return list->names + list->items[i].offset;
}
