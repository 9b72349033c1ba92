/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worklist of (resolved directory, rest of the path). Each step processes one component: a link adds its target with
 * the rest to the list, a wildcard does so for each matching link; other components are kept. Resolved paths are
 * recorded as patterns, including the links themselves.
 */
#include "fssync/follow.h"
#include "base/scope.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/patterns.h"
#include "os/dirlist.h"
#include "os/path.h"
#include <limits.h>
#include <string.h>

#define STEPS_MAX 100000 /* for all paths: a limit for link loops, far beyond real trees */

struct follower {
	int root_fd;
	GQueue todo;          /* of char *, clean relative paths */
	GHashTable *seen;     /* set of char *: paths that were on the list before */
	GHashTable *resolved; /* set of char * */
	unsigned steps;
	GError *error; /* owned: the first error, after which no path is followed */
};

static void follower_push(struct follower *f, const char *path)
{
	g_autofree char *rooted = g_strconcat("/", path, NULL);
	g_autofree char *clean = path_clean(rooted);
	const char *relative = clean[1] ? clean + 1 : ".";
	if (strlen(relative) < (size_t)LIMIT_PATH_BYTES && g_hash_table_add(f->seen, g_strdup(relative)))
		g_queue_push_tail(&f->todo, g_strdup(relative));
}

static bool has_wildcard(const char *name)
{
	for (; *name; name++) {
		if (*name == '\\' && name[1])
			name++;
		else if (strchr("*?[", *name))
			return true;
	}
	return false;
}

/* Opens the directory of a path; -1 if it does not exist or cannot be read, or with f->error. */
static int open_directory(struct follower *f, const char *directory)
{
	int fd = path_open_errno(f->root_fd, directory, O_RDONLY | O_DIRECTORY, PATH_BENEATH);
	bool is_absent = fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EACCES || fd == -ENAMETOOLONG;
	if (fd < 0 && !is_absent && !f->error)
		error_set_errno(&f->error, -fd, "open %s", directory);
	return MAX(fd, -1);
}

/* Pushes the target of a link joined with rest. False if name is not a link. */
static bool follow_link(struct follower *f, int dir_fd, const char *directory, const char *name, const char *rest)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
	if (n < 0) {
		bool is_no_link = errno == EINVAL || errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
		if (!is_no_link && !f->error)
			error_set_errno(&f->error, errno, "readlink %s/%s", directory, name);
		return false;
	}
	target[n] = '\0';
	g_autofree char *base = target[0] == '/' ? g_strdup(target) : g_strconcat(directory, "/", target, NULL);
	g_autofree char *path = g_strconcat(base, "/", rest, NULL);
	follower_push(f, path);
	return true;
}

static bool follow_matches(struct follower *f, int dir_fd, const char *directory, const char *pattern, const char *rest)
{
	scoped_dirlist list = {0};
	bool any = false, match;
	if (!dirlist_read(&list, dir_fd, f->error ? NULL : &f->error))
		return false;
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		if (glob_match(pattern, name, &match, NULL) && match)
			any |= follow_link(f, dir_fd, directory, name, rest);
	}
	return any;
}

/* Reports whether the component at path[start, end) is a link (or its wildcard matches one) and pushes the targets. */
static bool follow_component(struct follower *f, const char *path, size_t start, size_t end)
{
	g_autofree char *directory = start > 0 ? g_strndup(path, start - 1) : g_strdup(".");
	g_autofree char *name = g_strndup(path + start, end - start);
	const char *rest = path[end] ? path + end + 1 : "";
	scoped_fd dir_fd = open_directory(f, directory);
	if (dir_fd < 0)
		return false;
	if (has_wildcard(name))
		return follow_matches(f, dir_fd, directory, name, rest);
	return follow_link(f, dir_fd, directory, name, rest);
}

static void follow_path(struct follower *f, const char *path)
{
	for (size_t start = 0;;) {
		size_t end = start + strcspn(path + start, "/");
		bool link = strcmp(path, ".") != 0 && f->steps++ < STEPS_MAX && follow_component(f, path, start, end);
		if (link || !path[end]) {
			g_hash_table_add(f->resolved, g_strndup(path, end));
			return;
		}
		start = end + 1;
	}
}

/* Drops paths below the path before them; false if the root is one of them. */
static bool dedupe(const GPtrArray *in, GPtrArray *out)
{
	const char *last = "";
	for (guint i = 0; i < in->len; i++) {
		const char *path = in->pdata[i];
		if (strcmp(path, ".") == 0)
			return false;
		if (path_is_below(path, last))
			continue;
		g_ptr_array_add(out, g_strdup(path));
		last = path;
	}
	return true;
}

/* Returns all resolved paths, sorted; *ret_everything if the root is one of them. */
static bool resolve_all(int root_fd, const char *const *follow, GPtrArray *ret, bool *ret_everything, GError **error)
{
	struct follower f = {.root_fd = root_fd};
	g_queue_init(&f.todo);
	f.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	f.resolved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (; *follow; follow++)
		follower_push(&f, *follow);
	for (char *path; (path = g_queue_pop_head(&f.todo)); g_free(path))
		follow_path(&f, path);
	guint n;
	g_autofree gpointer *keys = g_hash_table_get_keys_as_array(f.resolved, &n);
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();
	for (guint i = 0; i < n; i++)
		g_ptr_array_add(sorted, keys[i]);
	g_ptr_array_sort(sorted, text_order);
	*ret_everything = !dedupe(sorted, ret);
	g_hash_table_unref(f.seen);
	g_hash_table_unref(f.resolved);
	if (f.error)
		g_propagate_error(error, f.error);
	return f.error == NULL;
}

char **follow_includes(int root_fd, const char *const *include, const char *const *follow, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
	for (; include && *include; include++)
		g_ptr_array_add(list, g_strdup(*include));
	bool everything = false;
	if (follow && !resolve_all(root_fd, follow, targets, &everything, error))
		return NULL;
	if (follow && !everything) {
		g_autoptr(GPtrArray) both = g_steal_pointer(&list);
		g_ptr_array_extend_and_steal(both, g_steal_pointer(&targets));
		list = g_ptr_array_new_with_free_func(g_free);
		if (!dedupe(both, list))
			g_ptr_array_set_size(list, 0);
	}
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}
