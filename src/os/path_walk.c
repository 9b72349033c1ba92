/* SPDX-License-Identifier: Apache-2.0 */
#include "os/path_walk.h"
#include "base/limits.h"
#include <limits.h>
#include <string.h>

enum {
	LINKS_MAX = 40,     /* as the kernel's MAXSYMLINKS */
	STEPS_MAX = 200000, /* opened components: a path with many ".." costs more than its length */
};

/*
 * cur is the directory reached so far, text its path from the root ("" is the root); rest is the path still to be
 * looked up; targets of links are inserted before it.
 */
struct walk {
	int root_fd; /* borrowed */
	int cur;     /* owned */
	GString *text;
	GString *rest;
	enum path_mode mode;
	bool follow_last;
	unsigned links, steps;
	char name[NAME_MAX + 1]; /* the current component */
	bool last;               /* nothing follows it */
	bool trailing_slash;     /* only slashes follow it */
};

static void walk_clear(struct walk *w)
{
	fd_close(&w->cur);
	g_string_free(w->text, TRUE);
	g_string_free(w->rest, TRUE);
}

static int open_dir_path(int fd)
{
	int copy = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return copy < 0 ? -errno : copy;
}

static int walk_init(struct walk *w, int root_fd, const char *path, enum path_mode mode, bool follow_last)
{
	*w = (struct walk){.root_fd = root_fd, .cur = -1, .mode = mode, .follow_last = follow_last};
	w->text = g_string_new(NULL);
	w->rest = g_string_new(path);
	w->cur = open_dir_path(root_fd);
	return w->cur < 0 ? w->cur : 0;
}

/* Removes the next component from rest: 1 found, 0 end of path, -errno. */
static int walk_next(struct walk *w)
{
	const char *start = w->rest->str + strspn(w->rest->str, "/");
	size_t len = strcspn(start, "/");
	if (len == 0)
		return 0;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(w->name, start, len);
	w->name[len] = '\0';
	const char *after = start + len;
	w->trailing_slash = *after == '/';
	after += strspn(after, "/");
	w->last = *after == '\0';
	w->trailing_slash = w->trailing_slash && w->last;
	g_string_erase(w->rest, 0, after - w->rest->str);
	return 1;
}

static int walk_to(struct walk *w, int fd)
{
	if (fd < 0)
		return fd;
	fd_close(&w->cur);
	w->cur = fd;
	return 0;
}

static int walk_count(struct walk *w)
{
	return ++w->steps > STEPS_MAX ? -ELOOP : 0;
}

/*
 * Goes down from the root again: what the kernel calls ".." of a directory that was moved meanwhile can be outside of the
 * root. The path that was reached has no links; one that is there now is an error.
 */
static int walk_up(struct walk *w)
{
	if (w->mode == PATH_BENEATH)
		return -EXDEV;
	if (w->text->len == 0)
		return 0;
	g_string_truncate(w->text, strrchr(w->text->str, '/') - w->text->str);
	int r = walk_to(w, open_dir_path(w->root_fd));
	g_auto(GStrv) names = g_strsplit(w->text->str, "/", -1);
	for (size_t i = 0; r == 0 && names[i]; i++) {
		if (names[i][0] == '\0')
			continue;
		int fd = openat(w->cur, names[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = walk_to(w, fd < 0 ? -errno : fd);
		r = r == 0 ? walk_count(w) : r;
	}
	return r;
}

/* Inserts a link's target before the rest of the path. */
static int walk_link(struct walk *w, int fd)
{
	if (w->mode == PATH_BENEATH || ++w->links > LINKS_MAX)
		return -ELOOP;
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof target);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if (n == (ssize_t)sizeof target || (size_t)n + w->rest->len > (size_t)64 * PATH_MAX)
		return -ENAMETOOLONG;
	if (!w->last || w->trailing_slash)
		g_string_prepend_c(w->rest, '/');
	g_string_prepend_len(w->rest, target, n);
	if (target[0] != '/')
		return 0;
	g_string_truncate(w->text, 0);
	return walk_to(w, open_dir_path(w->root_fd));
}

/*
 * Walks up to the last component, which is kept in w->name without being looked up: 1. If no component is left, cur is
 * the result: 0; -errno otherwise. A missing component gives -ENOENT with w->name set.
 */
static int walk_run(struct walk *w)
{
	for (;;) {
		int more = walk_next(w);
		if (more <= 0)
			return more;
		if (strcmp(w->name, ".") == 0)
			continue;
		if (strcmp(w->name, "..") == 0) {
			int up = walk_up(w);
			if (up < 0)
				return up;
			continue;
		}
		int counted = walk_count(w);
		if (counted < 0)
			return counted;
		scoped_fd fd = openat(w->cur, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return errno == ENOENT && w->last && !w->trailing_slash ? 1 : -errno;
		struct stat st;
		if (fstat(fd, &st) < 0)
			return -errno;
		bool end = w->last && !w->trailing_slash;
		if (S_ISLNK(st.st_mode) && (!end || w->follow_last)) {
			int link = walk_link(w, fd);
			if (link < 0)
				return link;
			continue;
		}
		if (end)
			return 1;
		if (!S_ISDIR(st.st_mode))
			return -ENOTDIR;
		walk_to(w, fd_steal(&fd));
		g_string_append_c(w->text, '/');
		g_string_append(w->text, w->name);
	}
}

int path_walk_open(int root_fd, const char *path, int flags, enum path_mode mode)
{
	if (strlen(path) >= (size_t)LIMIT_PATH_BYTES)
		return -ENAMETOOLONG;
	__attribute__((cleanup(walk_clear))) struct walk w;
	bool no_follow = (flags & O_NOFOLLOW) || ((flags & O_CREAT) && (flags & O_EXCL));
	int r = walk_init(&w, root_fd, path, mode, !no_follow);
	if (r < 0)
		return r;
	r = walk_run(&w);
	if (r < 0)
		return r;
	int fd = openat(w.cur, r == 1 ? w.name : ".", flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static char *join_clean(const struct walk *w, bool with_name)
{
	g_autoptr(GString) all = g_string_new(w->text->str);
	if (with_name)
		g_string_append_printf(all, "/%s", w->name);
	g_string_append_printf(all, "/%s", w->rest->str);
	return path_clean(all->str);
}

/* The component below the file at which a walk ended; NULL if the walk would not have looked one up. */
static char *below_file(const struct walk *w)
{
	size_t n = strcspn(w->rest->str, "/");
	g_autofree char *next = g_strndup(w->rest->str, n);
	bool is_last = w->rest->str[n] == '\0';
	if (n == 0 || strcmp(next, ".") == 0 || strcmp(next, "..") == 0 || (is_last && !w->follow_last))
		return NULL;
	return g_strdup_printf("%s/%s/%s", w->text->str, w->name, next);
}

int path_walk_resolve(int root_fd, const char *path, bool follow_last, char **ret_path)
{
	if (strlen(path) >= (size_t)LIMIT_PATH_BYTES)
		return -ENAMETOOLONG;
	__attribute__((cleanup(walk_clear))) struct walk w;
	int r = walk_init(&w, root_fd, path, PATH_IN_ROOT, follow_last);
	if (r < 0)
		return r;
	r = walk_run(&w);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return r;
	if (r == -ENOTDIR && (*ret_path = below_file(&w)))
		return r;
	*ret_path = join_clean(&w, r != 0);
	return 0;
}
