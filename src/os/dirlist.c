/* SPDX-License-Identifier: Apache-2.0 */
#include "os/dirlist.h"
#include "base/scope.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 32768

static int compare_items(const void *a, const void *b, void *names)
{
	const struct dirlist_item *x = a, *y = b;
	return strcmp((char *)names + x->offset, (char *)names + y->offset);
}

static void add_chunk(const char *chunk, size_t n, GString *names, GArray *items)
{
	for (size_t at = 0; at < n;) {
		const struct dirent64 *d = (const void *)(chunk + at);
		at += d->d_reclen;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		struct dirlist_item item = {.offset = (uint32_t)names->len, .type = d->d_type};
		g_string_append_len(names, d->d_name, (gssize)strlen(d->d_name) + 1);
		g_array_append_val(items, item);
	}
}

bool dirlist_read_unsorted(struct dirlist *ret, int fd, size_t enough, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);
	g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(struct dirlist_item));
	g_autofree char *chunk = g_malloc(CHUNK_BYTES);
	while (items->len < enough) {
		ssize_t n = getdents64(fd, chunk, CHUNK_BYTES);
		if (n < 0)
			return error_set_errno(error, errno, "readdir");
		if (n == 0)
			break;
		if (names->len > UINT32_MAX - 2 * CHUNK_BYTES)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "directory too large");
		add_chunk(chunk, (size_t)n, names, items);
	}
	ret->n = items->len;
	ret->names = g_string_free(g_steal_pointer(&names), FALSE);
	ret->items = (struct dirlist_item *)(void *)g_array_free(g_steal_pointer(&items), FALSE);
	return true;
}

bool dirlist_read(struct dirlist *ret, int fd, GError **error)
{
	if (!dirlist_read_unsorted(ret, fd, SIZE_MAX, error))
		return false;
	if (ret->n > 1)
		qsort_r(ret->items, ret->n, sizeof(*ret->items), compare_items, ret->names);
	return true;
}

bool dirlist_read_at(struct dirlist *ret, int dir_fd, const char *name, GError **error)
{
	scoped_fd fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open directory %s", name);
	return dirlist_read(ret, fd, error);
}

void dirlist_clear(struct dirlist *list)
{
	g_free(list->names);
	g_free(list->items);
	*list = (struct dirlist){0};
}
