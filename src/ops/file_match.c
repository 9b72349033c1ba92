/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_match.h"
#include "base/limits.h"
#include "base/scope.h"
#include "format/patterns.h"
#include "os/dirlist.h"
#include "os/path.h"

bool file_has_wildcard(const char *name)
{
	for (; *name != '\0'; name++)
		if (*name == '\\' && name[1] != '\0')
			name++;
		else if (*name == '*' || *name == '?' || *name == '[')
			return true;
	return false;
}

/* Adds the matching entries of a directory, sorted. Invalid patterns match nothing. */
static bool match_directory(const char *directory, int fd, const char *pattern, GPtrArray *found, GError **error)
{
	struct dirlist list = {0};
	bool ok = dirlist_read(&list, fd, error);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		bool match = false;
		if (glob_match(pattern, name, &match, NULL) && match)
			g_ptr_array_add(found, path_join(directory, name));
	}
	dirlist_clear(&list);
	return ok;
}

/* Descends one level from each of the directories; NULL with error. */
static GPtrArray *match_level(int root_fd, const GPtrArray *directories, const char *pattern, GError **error)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < directories->len; i++) {
		const char *directory = g_ptr_array_index(directories, i);
		scoped_fd fd = path_open_errno(root_fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, PATH_BENEATH);
		if (fd == -ENOTDIR || fd == -ELOOP)
			continue; /* the match is not a directory */
		if (fd < 0)
			return error_null_errno(error, -fd, "open %s", directory);
		if (!match_directory(directory, fd, pattern, found, error))
			return NULL;
	}
	return g_steal_pointer(&found);
}

/* Length of a clean path before the first component with a wildcard. */
static size_t literal_length(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	size_t n = 0;
	for (size_t i = 0; parts[i]; i++) {
		if (file_has_wildcard(parts[i]))
			return n;
		n += strlen(parts[i]) + 1;
	}
	return strlen(path);
}

GPtrArray *file_match(int root_fd, const char *pattern, bool follow_links, GError **error)
{
	g_autofree char *rooted = g_strconcat("/", pattern, NULL);
	g_autofree char *clean = path_clean(rooted);
	size_t n = literal_length(clean);
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	if (clean[n] == '\0') {
		g_ptr_array_add(paths, g_strdup(clean));
		return g_steal_pointer(&paths);
	}
	g_autofree char *prefix = g_strndup(clean, MAX(n - 1, 1));
	char *base = path_resolve(root_fd, prefix, follow_links, error);
	if (!base)
		return NULL;
	g_ptr_array_add(paths, base);
	scoped_fd there = path_open_errno(root_fd, base, O_PATH | O_NOFOLLOW, PATH_BENEATH);
	if (there < 0)
		return error_null_errno(error, -there, "lstat %s", base);
	g_auto(GStrv) parts = g_strsplit(clean + n, "/", -1);
	for (size_t i = 0; parts[i]; i++) {
		GPtrArray *next = match_level(root_fd, paths, parts[i], error);
		g_ptr_array_unref(paths);
		paths = next;
		if (!paths)
			return NULL;
	}
	return g_steal_pointer(&paths);
}
