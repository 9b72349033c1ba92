/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_action.h"
#include "base/scope.h"
#include "ops/file_copy.h"
#include "ops/file_key.h"
#include "os/file.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/user_namespace.h"
#include "snapshot/apply.h"

const Pb__ChownOpt *file_action_owner(const Pb__FileAction *a)
{
	switch (a->action_case) {
	case PB__FILE_ACTION__ACTION_COPY:
		return a->copy->owner;
	case PB__FILE_ACTION__ACTION_MKFILE:
		return a->mkfile->owner;
	case PB__FILE_ACTION__ACTION_MKDIR:
		return a->mkdir->owner;
	case PB__FILE_ACTION__ACTION_SYMLINK:
		return a->symlink->owner;
	case PB__FILE_ACTION__ACTION_RM:
	case PB__FILE_ACTION__ACTION__NOT_SET:
	case _PB__FILE_ACTION__ACTION__CASE_IS_INT_SIZE:
	default:
		return NULL;
	}
}

/* ---- one path in the tree */

struct place {
	char *path;       /* owned; clean, links resolved */
	int parent_fd;    /* owned; -1 when the parent is missing */
	int why;          /* errno in that case */
	const char *name; /* in path; "" for the root */
};

static void place_clear(struct place *p)
{
	g_free(p->path);
	fd_close(&p->parent_fd);
}
#define scoped_place __attribute__((cleanup(place_clear))) struct place

static bool place_find(int root_fd, const char *path, bool follow_last, struct place *ret, GError **error)
{
	g_autofree char *rooted = g_strconcat("/", path, NULL);
	g_autofree char *clean = path_clean(rooted);
	ret->parent_fd = -1;
	ret->path = path_resolve(root_fd, clean, follow_last, error);
	if (!ret->path)
		return false;
	char *slash = strrchr(ret->path, '/');
	ret->name = slash + 1;
	g_autofree char *parent = g_strndup(ret->path, MAX((gsize)(slash - ret->path), 1));
	ret->parent_fd = path_open_errno(root_fd, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, PATH_BENEATH);
	ret->why = ret->parent_fd < 0 ? -ret->parent_fd : 0;
	return true;
}

/* ---- actions */

static bool make_directory(const Pb__FileActionMkDir *a, int root_fd, struct file_owner owner, GError **error)
{
	scoped_place p = {.parent_fd = -1};
	mode_t mode = (mode_t)a->mode & 0777;
	if (!place_find(root_fd, a->path, true, &p, error))
		return false;
	if (a->makeparents) {
		struct file_dirs dirs;
		file_dirs_init(&dirs, root_fd, owner, -1);
		scoped_fd fd = file_dirs_make(&dirs, p.path, mode, error);
		bool made = dirs.made->len > 0;
		file_dirs_done(&dirs);
		if (fd < 0)
			return false;
		/*
		 * Only the last one keeps its time: the times of the others changed when an entry was created in them.
		 */
		return !made || file_set_time(fd, "", a->timestamp) ||
		       error_set_errno(error, errno, "utime %s", p.path);
	}
	if (p.why != 0)
		return error_set_errno(error, p.why, "mkdir %s", p.path);
	if (*p.name == '\0' || mkdirat(p.parent_fd, p.name, mode) != 0)
		return *p.name == '\0' || errno == EEXIST || error_set_errno(error, errno, "mkdir %s", p.path);
	if (fchmodat(p.parent_fd, p.name, mode, 0) != 0 || !file_set_owner(p.parent_fd, p.name, owner) ||
	    !file_set_time(p.parent_fd, p.name, a->timestamp))
		return error_set_errno(error, errno, "mkdir %s", p.path);
	return true;
}

/*
 * A new file gets the mode regardless of the umask; an existing one keeps its mode. The existing entry may be a device
 * node or a FIFO that a step made, so only a regular file is opened.
 */
static int open_for_writing(const struct place *p, mode_t mode, GError **error)
{
	const char *name = *p->name != '\0' ? p->name : ".";
	if (p->why != 0) {
		error_set_errno(error, p->why, "open %s", p->path);
		return -1;
	}
	scoped_fd fd = openat(p->parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int why = fd < 0 ? errno : 0;
	if (fd >= 0 && fchmod(fd, mode) != 0)
		why = errno;
	if (fd < 0 && why == EEXIST) {
		fd = path_open_regular_at(p->parent_fd, name, O_WRONLY | O_TRUNC, NULL);
		why = fd < 0 ? -fd : 0;
	}
	if (why == 0)
		return fd_steal(&fd);
	if (why == ENXIO)
		error_set(error, ERROR_INVALID_ARGUMENT, "open %s: not a regular file", p->path);
	else
		error_set_errno(error, why == ELOOP ? EEXIST : why, "open %s", p->path);
	return -1;
}

static bool make_file(const Pb__FileActionMkFile *a, int root_fd, struct file_owner owner, file_links *links,
		      GError **error)
{
	scoped_place p = {.parent_fd = -1};
	if (!place_find(root_fd, a->path, true, &p, error))
		return false;
	if (p.why == 0 && *p.name != '\0' && !file_links_unshare(links, root_fd, p.parent_fd, p.name, error))
		return error_prefix(error, "write %s: ", p.path);
	scoped_fd fd = open_for_writing(&p, (mode_t)a->mode & 0777, error);
	if (fd < 0)
		return false;
	if (!file_write_all(fd, a->data.data, a->data.len))
		return error_set_errno(error, errno, "write %s", p.path);
	if (!file_set_owner(p.parent_fd, p.name, owner))
		return user_namespace_owner_error(error, errno, owner.uid, owner.gid, "chown %s", p.path);
	if (!file_set_time(p.parent_fd, p.name, a->timestamp))
		return error_set_errno(error, errno, "utime %s", p.path);
	return true;
}

static bool make_link(const Pb__FileActionSymlink *a, int root_fd, struct file_owner owner, GError **error)
{
	scoped_place p = {.parent_fd = -1};
	if (!place_find(root_fd, a->newpath, true, &p, error))
		return false;
	int why = p.why;
	if (why == 0 && symlinkat(a->oldpath, p.parent_fd, *p.name != '\0' ? p.name : ".") != 0)
		why = errno;
	if (why != 0)
		return error_set_errno(error, why, "symlink %s %s", a->oldpath, p.path);
	if (!file_set_owner(p.parent_fd, p.name, owner) || !file_set_time(p.parent_fd, p.name, a->timestamp))
		return error_set_errno(error, errno, "symlink %s %s", a->oldpath, p.path);
	return true;
}

static bool remove_path(int root_fd, const char *path, bool allow_missing, GError **error)
{
	scoped_place p = {.parent_fd = -1};
	if (!place_find(root_fd, path, false, &p, error))
		return false;
	if (*p.name == '\0')
		return error_set(error, ERROR_INVALID_ARGUMENT, "rmPath: invalid empty path");
	if (!allow_missing) {
		scoped_fd there = path_open_errno(root_fd, p.path, O_PATH, PATH_IN_ROOT);
		if (there == -ENOENT)
			return error_set_errno(error, ENOENT, "stat %s", p.path);
	}
	if (p.why == ENOENT)
		return true;
	if (p.why != 0)
		return error_set_errno(error, p.why, "unlinkat %s", p.path);
	return tree_remove_at(p.parent_fd, p.name, error);
}

static bool remove_action(const Pb__FileActionRm *a, int root_fd, GError **error)
{
	if (!a->allowwildcard)
		return remove_path(root_fd, a->path, a->allownotfound, error);
	g_autoptr(GPtrArray) paths = file_match(root_fd, a->path, false, error);
	for (guint i = 0; paths && i < paths->len; i++)
		if (!remove_path(root_fd, g_ptr_array_index(paths, i), a->allownotfound, error))
			return false;
	return paths != NULL;
}

/* ---- copy */

struct unsharing {
	file_links *links;
	int root_fd;
};

static bool unshare_file(void *data, int dir_fd, const char *name, GError **error)
{
	const struct unsharing *u = data;
	return file_links_unshare(u->links, u->root_fd, dir_fd, name, error);
}

/* Extracts an archive into the destination, whatever its name: 1 extracted, 0 not an archive, -1 error. */
static int try_unpack(const Pb__FileActionCopy *a, const struct file_copy *copy, GError **error)
{
	scoped_fd src = path_open_regular_errno(copy->src_root, copy->src, O_RDONLY, PATH_IN_ROOT, NULL);
	if (src == -ENOENT || src == -ENOTDIR || path_is_irregular(src))
		return 0; /* the copy reports a missing source */
	if (src < 0) {
		error_set_errno(error, -src, "open %s", copy->src);
		return -1;
	}
	int is_archive = apply_is_archive(src, error);
	if (is_archive <= 0)
		return is_archive;
	g_autofree char *clean = path_clean(copy->dst);
	g_autofree char *path = path_resolve(copy->dst_root, clean, true, error);
	if (!path)
		return -1;
	struct file_dirs dirs;
	file_dirs_init(&dirs, copy->dst_root, copy->owner, -1);
	scoped_fd dst = file_dirs_make(&dirs, path, 0755, error);
	bool made = dirs.made->len > 0;
	file_dirs_done(&dirs);
	if (dst < 0)
		return -1;
	if (made)
		file_set_time(dst, "", a->timestamp);
	struct unsharing unsharing = {copy->links, copy->dst_root};
	const struct apply_options options = {
		.mode = APPLY_ARCHIVE,
		.unshare = unshare_file,
		.unshare_data = &unsharing,
		.has_owner = copy->owner.set,
		.uid = copy->owner.uid,
		.gid = copy->owner.gid,
		.cancel = copy->cancel,
	};
	struct apply_result result;
	return apply_blob(src, dst, &options, &result, error) ? 1 : -1;
}

/*
 * Lists the sources of a copy. NULL and error on failure; NULL without one if no match is allowed and nothing matches.
 */
static GPtrArray *find_sources(const Pb__FileActionCopy *a, int source_fd, const char *src, GError **error)
{
	if (!a->allowwildcard) {
		GPtrArray *one = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(one, g_strdup(src));
		return one;
	}
	g_autoptr(GPtrArray) paths = file_match(source_fd, src, a->followsymlink, error);
	if (!paths || paths->len > 0)
		return g_steal_pointer(&paths);
	if (!a->allowemptywildcard)
		error_set(error, ERROR_NOT_FOUND, "%s not found", src);
	return NULL;
}

/* Host path of the tree, which upstream includes in this one error text; "" if it has no path. */
static char *tree_path(int root_fd)
{
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", root_fd);
	char *path = g_file_read_link(link, NULL);
	if (!path || g_str_equal(path, "/"))
		g_clear_pointer(&path, g_free);
	return path ? path : g_strdup("");
}

static bool check_parent(const Pb__FileActionCopy *a, int root_fd, GError **error)
{
	scoped_place p = {.parent_fd = -1};
	if (a->createdestpath)
		return true;
	if (!place_find(root_fd, a->dest, true, &p, error))
		return false;
	if (p.why != 0) {
		g_autofree char *parent = g_path_get_dirname(p.path);
		g_autofree char *where = tree_path(root_fd);
		return error_set_errno(error, p.why, "failed to stat %s: lstat %s%s", a->dest, where, parent);
	}
	return true;
}

/* NULL without an error if there are no patterns. */
static patterns *compile(char *const *list, size_t n, const char *what, GError **error)
{
	if (n == 0)
		return NULL;
	g_autoptr(GPtrArray) texts = g_ptr_array_new();
	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(texts, list[i]);
	g_ptr_array_add(texts, NULL);
	patterns *p = patterns_new((const char *const *)texts->pdata, error);
	if (!p) {
		g_autofree char *joined = g_strjoinv(" ", (char **)texts->pdata);
		g_prefix_error(error, "invalid %s: [%s]: ", what, joined);
	}
	return p;
}

static bool copy_action(const Pb__FileActionCopy *a, int root_fd, int source_fd, struct file_owner owner,
			file_links *links, cancel *c, GError **error)
{
	g_autofree char *src = file_clean_path(a->src);
	g_autofree char *dst = file_clean_path(a->dest);
	g_autoptr(patterns) include = compile(a->include_patterns, a->n_include_patterns, "includepatterns", error);
	g_autoptr(patterns) exclude = compile(a->exclude_patterns, a->n_exclude_patterns, "excludepatterns", error);
	if ((!include && a->n_include_patterns > 0) || (!exclude && a->n_exclude_patterns > 0) ||
	    !check_parent(a, root_fd, error))
		return false;
	GError *why = NULL;
	g_autoptr(GPtrArray) sources = find_sources(a, source_fd, src, &why);
	if (!sources && why)
		return error_propagate(error, why);
	struct file_copy copy = {
		.src_root = source_fd,
		.dst_root = root_fd,
		.dst = dst,
		.owner = owner,
		.mode = a->mode,
		.mode_text = *a->modestr != '\0' ? a->modestr : NULL,
		.time_ns = a->timestamp,
		.contents = a->dircopycontents,
		.follow_links = a->followsymlink,
		.replace = a->alwaysreplaceexistingdestpaths,
		.include = include,
		.exclude = exclude,
		.links = links,
		.cancel = c,
	};
	for (guint i = 0; sources && i < sources->len; i++) {
		copy.src = g_ptr_array_index(sources, i);
		int unpacked = a->attemptunpackdockercompatibility ? try_unpack(a, &copy, error) : 0;
		if (unpacked < 0 || (unpacked == 0 && !file_copy_run(&copy, error)))
			return false;
	}
	return true;
}

bool file_action_run(const Pb__FileAction *a, int root_fd, int source_fd, struct file_owner owner, file_links *links,
		     cancel *c, GError **error)
{
	switch (a->action_case) {
	case PB__FILE_ACTION__ACTION_COPY:
		return copy_action(a->copy, root_fd, source_fd, owner, links, c, error);
	case PB__FILE_ACTION__ACTION_MKFILE:
		return make_file(a->mkfile, root_fd, owner, links, error);
	case PB__FILE_ACTION__ACTION_MKDIR:
		return make_directory(a->mkdir, root_fd, owner, error);
	case PB__FILE_ACTION__ACTION_RM:
		return remove_action(a->rm, root_fd, error);
	case PB__FILE_ACTION__ACTION_SYMLINK:
		return make_link(a->symlink, root_fd, owner, error);
	case PB__FILE_ACTION__ACTION__NOT_SET:
	case _PB__FILE_ACTION__ACTION__CASE_IS_INT_SIZE:
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid action type");
	}
}
