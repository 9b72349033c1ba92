/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_match.h"
#include "base/limits.h"
#include "base/scope.h"
#include "format/patterns.h"
#include "os/path.h"
#include <dirent.h>

bool file_has_wildcard(const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == '\\' && name[1] != '\0')
			name++;
		else if (*name == '*' || *name == '?' || *name == '[')
			return true;
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a directory that match, sorted. Patterns that are none match nothing. */
static GPtrArray *matching_names(int fd, const char *pattern)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL) {
		bool match = false;
		if (g_str_equal(e->d_name, ".") || g_str_equal(e->d_name, ".."))
			continue;
		if (glob_match(pattern, e->d_name, &match, NULL) && match)
			g_ptr_array_add(names, g_strdup(e->d_name));
	}
	if (d != NULL)
		closedir(d);
	else
		close(fd);
	g_ptr_array_sort(names, by_text);
	return names;
}

/* One level down from each of the directories. */
static GPtrArray *match_level(int root_fd, const GPtrArray *directories, const char *pattern)
{
	GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < directories->len; i++) {
		const char *directory = g_ptr_array_index(directories, i);
		int fd = path_open_errno(root_fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, PATH_BENEATH);
		if (fd < 0)
			continue;
		g_autoptr(GPtrArray) names = matching_names(fd, pattern);
		for (guint k = 0; k < names->len; k++)
			g_ptr_array_add(found, path_join(directory, g_ptr_array_index(names, k)));
	}
	return found;
}

/* How many bytes of a clean path come before the first component with a wildcard. */
static size_t literal_length(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	size_t n = 0;
	for (size_t i = 0; parts[i] != NULL; i++) {
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
	if (base == NULL)
		return NULL;
	g_ptr_array_add(paths, base);
	scoped_fd there = path_open_errno(root_fd, base, O_PATH | O_NOFOLLOW, PATH_BENEATH);
	if (there < 0) {
		error_set_errno(error, -there, "lstat %s", base);
		return NULL;
	}
	g_auto(GStrv) parts = g_strsplit(clean + n, "/", -1);
	for (size_t i = 0; parts[i] != NULL; i++) {
		GPtrArray *next = match_level(root_fd, paths, parts[i]);
		g_ptr_array_unref(paths);
		paths = next;
	}
	return g_steal_pointer(&paths);
}
