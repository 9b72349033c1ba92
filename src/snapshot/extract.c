/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/extract.h"
#include "base/time.h"
#include "snapshot/whiteout.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/user_namespace.h"
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A directory whose times are set at the end, because creating entries changes them. */
struct dir_time {
	char *path; /* owned, clean and absolute */
	int64_t time_ns;
};

struct extractor {
	int root_fd; /* borrowed */
	struct apply_options options;
	char *parent_path; /* owned: parent of the previous entry, often also of the next one */
	int parent_fd;     /* owned */
	GArray *dir_times; /* of struct dir_time */
	GHashTable *made;  /* NATIVE, or over earlier streams: inode numbers created by this stream */
	int64_t dropped_xattrs;
	bool error_is_whole; /* the error already names the entry */
};

/* Destination of an entry. */
struct place {
	int fd; /* borrowed: its parent directory */
	char name[NAME_MAX + 1];
	char *clean; /* owned */
};

static void place_clear(struct place *p)
{
	g_free(p->clean);
}

static void dir_time_clear(gpointer data)
{
	struct dir_time *d = data;
	g_free(d->path);
}

static guint inode_hash(gconstpointer data)
{
	return (guint)(*(const guint64 *)data * 0x9E3779B97F4A7C15ULL >> 32);
}

extractor *extractor_new(int root_fd, const struct apply_options *options)
{
	extractor *x = g_new0(extractor, 1);
	x->root_fd = root_fd;
	x->options = *options;
	x->parent_fd = -1;
	x->dir_times = g_array_new(FALSE, FALSE, sizeof(struct dir_time));
	g_array_set_clear_func(x->dir_times, dir_time_clear);
	x->made = g_hash_table_new_full(inode_hash, g_int64_equal, g_free, NULL);
	return x;
}

void extractor_free(extractor *x)
{
	if (!x)
		return;
	g_free(x->parent_path);
	fd_close(&x->parent_fd);
	g_array_unref(x->dir_times);
	g_hash_table_unref(x->made);
	g_free(x);
}

int64_t extractor_dropped_xattrs(const extractor *x)
{
	return x->dropped_xattrs;
}

/* An entry was removed, so the cached parent may be outdated. */
static void forget_parent(extractor *x)
{
	g_clear_pointer(&x->parent_path, g_free);
	fd_close(&x->parent_fd);
}

static uid_t owner_uid(const extractor *x, const struct entry *e)
{
	return x->options.has_owner ? x->options.uid : e->uid;
}

static gid_t owner_gid(const extractor *x, const struct entry *e)
{
	return x->options.has_owner ? x->options.gid : e->gid;
}

static int64_t time_of(const extractor *x, const struct entry *e)
{
	return x->options.has_time ? x->options.time_ns : MAX(e->mtime_ns, 0);
}

static void times_of(const extractor *x, const struct entry *e, struct timespec ret[2])
{
	ret[0] = ret[1] = timespec_from_ns(time_of(x, e));
}

static bool note_made(extractor *x, int dir_fd, const char *name, GError **error)
{
	struct stat st;
	if (x->options.mode != APPLY_NATIVE && !x->options.again)
		return true;
	if (fstatat(dir_fd, name, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(error, errno, "stat %s", name);
	guint64 ino = st.st_ino;
	g_hash_table_add(x->made, g_memdup2(&ino, sizeof ino));
	return true;
}

/* A parent missing in the stream gets its attributes from the layers below, if it exists there. */
static bool copy_lower_attributes(extractor *x, int dir_fd, const char *path, GError **error)
{
	for (size_t i = 0; i < x->options.n_lowers; i++) {
		scoped_fd lower = path_open_errno(x->options.lower_fds[i], path, O_RDONLY | O_DIRECTORY, PATH_IN_ROOT);
		struct stat st;
		if (lower == -ENOENT)
			continue;
		if (lower == -ENOTDIR || lower == -ELOOP)
			return true; /* something else hides the directories below */
		if (lower < 0 || fstat(lower, &st) < 0)
			return error_set_errno(error, lower < 0 ? -lower : errno, "open %s in the layers below", path);
		if (fchown(dir_fd, st.st_uid, st.st_gid) < 0 || fchmod(dir_fd, st.st_mode & 07777) < 0)
			return error_set_errno(error, errno, "set owner and mode of %s", path);
		struct timespec times[2] = {st.st_atim, st.st_mtim};
		return file_copy_xattrs(lower, dir_fd, error) &&
		       (futimens(dir_fd, times) == 0 || error_set_errno(error, errno, "set times of %s", path));
	}
	return true;
}

/* Creates missing parents, one directory at a time, so that each finds its counterpart below. */
static int make_parents(extractor *x, const char *path, GError **error)
{
	const struct apply_options *o = &x->options;
	int64_t time_ns = o->has_time ? o->time_ns : -1;
	if (o->n_lowers == 0)
		return path_make_dirs(x->root_fd, path, 0755, 0, 0, time_ns, error);
	scoped_fd fd = -1;
	for (const char *slash = path; slash;) {
		slash = strchr(slash + 1, '/');
		g_autofree char *prefix = slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup(path);
		fd_close(&fd);
		fd = path_open_errno(x->root_fd, prefix, O_RDONLY | O_DIRECTORY, PATH_IN_ROOT);
		if (fd >= 0)
			continue;
		fd = path_make_dirs(x->root_fd, prefix, 0755, 0, 0, time_ns, error);
		if (fd < 0 || !copy_lower_attributes(x, fd, prefix, error))
			return -1;
	}
	return fd_steal(&fd);
}

/* Cleans a name into a path from the root; ".." never leaves it. */
static char *clean_name(const char *name)
{
	g_autofree char *rooted = g_strconcat("/", name, NULL);
	return path_clean(rooted);
}

/* Reports whether there is a dangling link. ADD does not create its target. */
static bool is_dangling(const extractor *x, const char *path)
{
	scoped_fd link = path_open_errno(x->root_fd, path, O_PATH | O_NOFOLLOW, PATH_IN_ROOT);
	return link >= 0;
}

/* ADD's errors name the failed call and the path of the entry, as upstream does. */
static bool call_failed(extractor *x, const struct entry *e, const char *clean, int errnum, GError **error)
{
	x->error_is_whole = true;
	if (e->type == ENTRY_DIR)
		return error_set_errno(error, errnum, "mkdir %s", clean);
	if (e->type == ENTRY_SYMLINK)
		return error_set_errno(error, errnum, "symlink %s %s", e->link, clean);
	if (e->type == ENTRY_HARDLINK) {
		g_autofree char *target = clean_name(e->link);
		return error_set_errno(error, errnum, "link %s %s", target, clean);
	}
	return error_set_errno(error, errnum, "open %s", clean);
}

/* ADD does not create a directory in place of a dangling link, neither as the parent nor above it. */
static bool check_dangling(extractor *x, const char *path, const struct entry *e, const char *clean, GError **error)
{
	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		g_autofree char *prefix = g_strndup(path, (gsize)(end - path));
		scoped_fd there = path_open_errno(x->root_fd, prefix, O_PATH, PATH_IN_ROOT);
		if (there == -ENOENT && is_dangling(x, prefix)) {
			x->error_is_whole = true;
			return error_set_errno(error, EEXIST, "mkdir %s", prefix);
		}
	}
	return !is_dangling(x, path) || call_failed(x, e, clean, ENOENT, error);
}

/* Opens the parent of an entry, whose path is clean, into x->parent_fd. */
static bool enter_parent(extractor *x, const char *path, const struct entry *e, const char *clean, GError **error)
{
	if (x->parent_path && strcmp(x->parent_path, path) == 0)
		return true;
	forget_parent(x);
	int fd = path_open_errno(x->root_fd, path, O_RDONLY | O_DIRECTORY, PATH_IN_ROOT);
	bool is_add = x->options.mode == APPLY_ARCHIVE;
	if (fd == -ENOENT && is_add && !check_dangling(x, path, e, clean, error))
		return false;
	if (fd < 0 && fd != -ENOENT && is_add)
		return call_failed(x, e, clean, -fd, error);
	if (fd == -ENOENT)
		fd = make_parents(x, path, error);
	else if (fd < 0)
		error_set_errno(error, -fd, "open %s", path);
	if (fd < 0)
		return false;
	x->parent_fd = fd;
	x->parent_path = g_strdup(path);
	return true;
}

static bool check_length(const char *name, GError **error)
{
	size_t depth = 0, len = strlen(name);
	if (len == 0 || len >= (size_t)LIMIT_PATH_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT, "archive entry with a name of %zu bytes", len);
	for (const char *p = name; (p = strchr(p, '/')); p++)
		depth++;
	return depth <= (size_t)LIMIT_PATH_DEPTH ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "archive entry is nested in %zu directories", depth);
}

/* Returns 1: p is set; 0: the entry is the root itself; -1. */
static int place_of(extractor *x, const struct entry *e, struct place *p, GError **error)
{
	const char *name = e->name;
	if (!check_length(name, error))
		return -1;
	p->clean = clean_name(name);
	char *slash = strrchr(p->clean, '/');
	if (slash[1] == '\0')
		return 0;
	if (strlen(slash + 1) > NAME_MAX) {
		error_set_errno(error, ENAMETOOLONG, "extract %s", name);
		return -1;
	}
	g_strlcpy(p->name, slash + 1, sizeof p->name);
	g_autofree char *parent = slash == p->clean ? g_strdup("/") : g_strndup(p->clean, (gsize)(slash - p->clean));
	if (!enter_parent(x, parent, e, p->clean, error))
		return -1;
	p->fd = x->parent_fd;
	return 1;
}

/* ---- attributes */

static bool set_one_xattr(extractor *x, int fd, const struct entry_xattr *a, bool is_special, GError **error)
{
	if (!file_xattr_is_portable(a->name)) {
		x->dropped_xattrs++;
		return true;
	}
	if (file_set_xattr(fd, a->name, a->value, a->len, NULL) || errno == ENOTSUP)
		return true;
	if (errno == EPERM && is_special && g_str_has_prefix(a->name, "user."))
		return true; /* only files and directories can have them */
	return error_set_errno(error, errno, "set extended attribute %s", a->name);
}

static bool set_xattrs(extractor *x, int fd, const struct entry *e, GError **error)
{
	size_t bytes = 0;
	bool is_special = e->type != ENTRY_FILE && e->type != ENTRY_DIR;
	if (e->n_xattrs > (size_t)LIMIT_XATTRS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%zu extended attributes", e->n_xattrs);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		bytes += e->xattrs[i].len;
		if (bytes > (size_t)LIMIT_XATTR_BYTES)
			return error_set(error, ERROR_INVALID_ARGUMENT, "too many bytes of extended attributes");
		if (!set_one_xattr(x, fd, &e->xattrs[i], is_special, error))
			return false;
	}
	return true;
}

/* Sets attributes of an entry without an fd. Owner first, because changing it clears set-id bits and capabilities. */
static bool set_attributes_at(extractor *x, const struct place *p, const struct entry *e, GError **error)
{
	if (fchownat(p->fd, p->name, owner_uid(x, e), owner_gid(x, e), AT_SYMLINK_NOFOLLOW) < 0)
		return user_namespace_owner_error(error, errno, owner_uid(x, e), owner_gid(x, e), "chown");
	if (e->type != ENTRY_SYMLINK && fchmodat(p->fd, p->name, e->mode, 0) < 0) /* not a link: the tree is private */
		return error_set_errno(error, errno, "chmod");
	if (e->n_xattrs > 0) {
		scoped_fd fd = openat(p->fd, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return error_set_errno(error, errno, "open");
		if (!set_xattrs(x, fd, e, error))
			return false;
	}
	if (e->type == ENTRY_DIR) {
		struct dir_time d = {g_strdup(p->clean), time_of(x, e)};
		g_array_append_val(x->dir_times, d);
		return true;
	}
	struct timespec times[2];
	times_of(x, e, times);
	if (utimensat(p->fd, p->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(error, errno, "set times");
	return true;
}

/* ---- entry types */

static bool remove_existing(extractor *x, const struct place *p, GError **error)
{
	int fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 3); /* clearing the cached parent closes it */
	if (fd < 0)
		return error_set_errno(error, errno, "dup");
	scoped_fd parent = fd;
	forget_parent(x);
	x->parent_fd = fd_steal(&parent);
	return tree_remove_at(x->parent_fd, p->name, error);
}

/* Runs make until it succeeds or fails for another reason than an existing entry, which is removed. */
#define LINKED INT_MAX /* make_file: the file is a link and needs no data */
typedef int (*make_fn)(extractor *x, const struct place *p, const struct entry *e);

static bool make_new(extractor *x, struct place *p, const struct entry *e, make_fn make, int *ret, GError **error)
{
	int r = make(x, p, e);
	if (r == -EEXIST) {
		if (!remove_existing(x, p, error))
			return false;
		p->fd = x->parent_fd;
		r = make(x, p, e);
	}
	if (r < 0)
		return error_set_errno(error, -r, "create");
	if (ret)
		*ret = r;
	return true;
}

/* Opens the file itself in one of the trees that the stream was made from; -1. */
static int find_linkable(extractor *x, const struct place *p, const struct entry *e, char name[static 256])
{
	for (size_t i = 0; i < x->options.n_links; i++) {
		struct stat st;
		scoped_fd dir = path_open_parent(x->options.link_fds[i], p->clean, name, NULL);
		if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bool same = S_ISREG(st.st_mode) && st.st_size == e->size && (st.st_mode & 07777) == e->mode &&
			    st.st_uid == e->uid && st.st_gid == e->gid && st.st_mtim.tv_sec == e->mtime_ns / NS_PER_S;
		return same ? fd_steal(&dir) : -1; /* this entry hides those below */
	}
	return -1;
}

static int make_linked(extractor *x, const struct place *p, const struct entry *e)
{
	char name[256];
	scoped_fd dir = find_linkable(x, p, e, name);
	if (dir < 0)
		return -ENOENT;
	return linkat(dir, name, p->fd, p->name, 0) < 0 ? -errno : 0;
}

static int make_file(extractor *x, const struct place *p, const struct entry *e)
{
	if (x->options.n_links > 0) {
		int r = make_linked(x, p, e);
		if (r == 0 || r == -EEXIST)
			return r == 0 ? LINKED : r;
	}
	int fd = openat(p->fd, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int make_symlink(extractor *x, const struct place *p, const struct entry *e)
{
	return symlinkat(e->link, p->fd, p->name) < 0 ? -errno : 0;
}

static int make_special(extractor *x, const struct place *p, const struct entry *e)
{
	mode_t type = e->type == ENTRY_FIFO ? S_IFIFO : e->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK;
	return mknodat(p->fd, p->name, type | 0600, e->device) < 0 ? -errno : 0;
}

static bool same_inode(int fd_a, const char *a, int fd_b, const char *b)
{
	struct stat sa, sb;
	return fstatat(fd_a, a, &sa, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(fd_b, b, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static bool add_hardlink(extractor *x, struct place *p, const struct entry *e, GError **error)
{
	char name[256];
	GError *why = NULL;
	struct stat st;
	scoped_fd target = path_open_parent(x->root_fd, e->link, name, &why);
	bool is_missing = why ? error_is(why, ERROR_NOT_FOUND) : fstatat(target, name, &st, AT_SYMLINK_NOFOLLOW) < 0;
	if (is_missing && x->options.mode == APPLY_ARCHIVE) {
		int errnum = why ? ENOENT : errno;
		g_clear_error(&why);
		return call_failed(x, e, p->clean, errnum, error);
	}
	if (why)
		return error_propagate(error, why);
	if (is_missing)
		return error_set_errno(error, errno, "hard link to %s", e->link);
	if (S_ISDIR(st.st_mode))
		return error_set(error, ERROR_INVALID_ARGUMENT, "hard link to directory %s", e->link);
	if (x->options.unshare && S_ISREG(st.st_mode) && st.st_nlink > 1 &&
	    !x->options.unshare(x->options.unshare_data, target, name, error))
		return false;
	int r = linkat(target, name, p->fd, p->name, 0) < 0 ? -errno : 0;
	if (r == -EEXIST && !same_inode(target, name, p->fd, p->name)) {
		if (!remove_existing(x, p, error))
			return false;
		r = linkat(target, name, x->parent_fd, p->name, 0) < 0 ? -errno : 0;
	}
	return r == 0 || r == -EEXIST || error_set_errno(error, -r, "hard link to %s", e->link);
}

static bool add_dir(extractor *x, struct place *p, const struct entry *e, GError **error)
{
	bool was_other = false;
	struct stat st;
	if (mkdirat(p->fd, p->name, 0700) < 0) {
		if (errno != EEXIST || fstatat(p->fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_set_errno(error, errno, "mkdir");
		was_other = x->options.mode == APPLY_OVERLAY && !S_ISDIR(st.st_mode);
		if (!S_ISDIR(st.st_mode)) {
			if (!remove_existing(x, p, error))
				return false;
			p->fd = x->parent_fd;
			if (mkdirat(p->fd, p->name, 0700) < 0)
				return error_set_errno(error, errno, "mkdir");
		}
	}
	if (was_other) { /* entries that a whiteout or a file hid stay hidden */
		scoped_fd fd = openat(p->fd, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || !whiteout_set_opaque(fd, x->options.user_xattrs, error))
			return false;
	}
	return set_attributes_at(x, p, e, error);
}

/* ADD applies owner, mode and time of a hard link's entry to the file it links to. */
static bool set_linked_attributes(extractor *x, struct place *p, const struct entry *e, GError **error)
{
	struct stat st;
	struct entry as = *e;
	p->fd = x->parent_fd;
	if (fstatat(p->fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(error, errno, "stat");
	if (S_ISLNK(st.st_mode))
		as.type = ENTRY_SYMLINK; /* must not be followed */
	return set_attributes_at(x, p, &as, error);
}

static bool add_at(extractor *x, struct place *p, const struct entry *e, int *ret_fd, GError **error)
{
	int fd = -1;
	switch (e->type) {
	case ENTRY_FILE:
		if (!make_new(x, p, e, make_file, &fd, error))
			return false;
		*ret_fd = fd == LINKED ? -1 : fd;
		return true;
	case ENTRY_DIR:
		return add_dir(x, p, e, error);
	case ENTRY_SYMLINK:
		if (strlen(e->link) > (size_t)LIMIT_SYMLINK_BYTES)
			return error_set(error, ERROR_INVALID_ARGUMENT, "symlink target is too long");
		return make_new(x, p, e, make_symlink, NULL, error) && set_attributes_at(x, p, e, error);
	case ENTRY_HARDLINK:
		return add_hardlink(x, p, e, error) &&
		       (x->options.mode != APPLY_ARCHIVE || set_linked_attributes(x, p, e, error));
	case ENTRY_FIFO:
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		if (e->type == ENTRY_CHAR && e->device == 0)
			return error_set(error, ERROR_INVALID_ARGUMENT, "character device 0:0 is refused");
		if (e->type != ENTRY_FIFO && user_namespace_is_limited())
			return true; /* no devices in a user namespace, as upstream */
		return make_new(x, p, e, make_special, NULL, error) && set_attributes_at(x, p, e, error);
	}
	return error_set(error, ERROR_INTERNAL, "unknown entry type");
}

/* ---- whiteouts */

/* Opens the parent without following links: a whiteout applies to this very directory. */
static int open_lexical_parent(extractor *x, const char *clean, bool make, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(clean);
	int fd = path_open_errno(x->root_fd, parent, O_RDONLY | O_DIRECTORY, PATH_BENEATH);
	if (fd == -ENOENT && make)
		return make_parents(x, parent, error);
	if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP)
		error_set_errno(error, -fd, "open %s", parent);
	return fd < 0 ? -1 : fd;
}

/* clean: the path of the whiteout; its name contains hidden. */
static bool add_whiteout(extractor *x, const char *clean, const char *hidden, enum whiteout_kind kind, GError **error)
{
	bool is_overlay = x->options.mode == APPLY_OVERLAY;
	GError *problem = NULL;
	scoped_fd dir = open_lexical_parent(x, clean, is_overlay, &problem);
	if (problem)
		return error_propagate(error, problem);
	if (dir < 0)
		return true;
	if (x->options.again)
		forget_parent(x);
	if (x->options.again && !(kind == WHITEOUT_OPAQUE ? whiteout_clear_dir(dir, x->made, error)
							  : whiteout_clear_entry(dir, hidden, x->made, error)))
		return false;
	if (is_overlay && kind == WHITEOUT_OPAQUE)
		return whiteout_set_opaque(dir, x->options.user_xattrs, error);
	if (is_overlay)
		return whiteout_make(dir, hidden, x->options.user_xattrs, x->options.whiteout_files, error);
	forget_parent(x);
	if (kind == WHITEOUT_OPAQUE)
		return whiteout_clear_dir(dir, x->made, error);
	return whiteout_clear_entry(dir, hidden, x->made, error);
}

/* A device 0:0 in a layer, stored by a tool that copied overlay whiteouts, hides its own name. */
static bool is_overlay_whiteout(const extractor *x, const struct entry *e)
{
	return x->options.mode != APPLY_ARCHIVE && e->type == ENTRY_CHAR && e->device == 0;
}

/* ---- the archive */

static bool add(extractor *x, const struct entry *e, int *ret_fd, GError **error)
{
	enum whiteout_kind kind = WHITEOUT_NONE;
	g_autofree char *clean = clean_name(e->name);
	const char *base = strrchr(clean, '/') + 1;
	if (x->options.mode != APPLY_ARCHIVE &&
	    (!check_length(e->name, error) || !whiteout_kind_of(base, &kind, error)))
		return false;
	if (kind == WHITEOUT_IGNORED)
		return true;
	if (kind != WHITEOUT_NONE)
		return add_whiteout(x, clean, base + strlen(WHITEOUT_PREFIX), kind, error);
	if (is_overlay_whiteout(x, e))
		return *base == '\0' || add_whiteout(x, clean, base, WHITEOUT_ENTRY, error);
	__attribute__((cleanup(place_clear))) struct place p = {.fd = -1};
	int r = place_of(x, e, &p, error);
	if (r < 0)
		return false;
	if (r == 0) /* as upstream: the root keeps its attributes */
		return e->type == ENTRY_DIR ||
		       error_set(error, ERROR_INVALID_ARGUMENT, "the root can only be a directory");
	if (!add_at(x, &p, e, ret_fd, error))
		return false;
	bool exists =
		e->type == ENTRY_FILE || e->type == ENTRY_DIR || e->type == ENTRY_SYMLINK || e->type == ENTRY_HARDLINK;
	return !exists || note_made(x, x->parent_fd, p.name, error);
}

bool extractor_add(extractor *x, const struct entry *e, int *ret_fd, GError **error)
{
	*ret_fd = -1;
	if (add(x, e, ret_fd, error))
		return true;
	fd_close(ret_fd);
	if (!x->error_is_whole)
		g_prefix_error(error, "failed to extract %s: ", e->name);
	return false;
}

bool extractor_end_file(extractor *x, const struct entry *e, int fd, GError **error)
{
	struct timespec times[2];
	times_of(x, e, times);
	if (fchown(fd, owner_uid(x, e), owner_gid(x, e)) < 0)
		return user_namespace_owner_error(error, errno, owner_uid(x, e), owner_gid(x, e),
						  "failed to extract %s: set owner", e->name);
	if (fchmod(fd, e->mode) < 0)
		return error_set_errno(error, errno, "failed to extract %s: set mode", e->name);
	if (e->n_xattrs > 0 && !set_xattrs(x, fd, e, error))
		return error_prefix(error, "failed to extract %s: ", e->name);
	if (futimens(fd, times) < 0)
		return error_set_errno(error, errno, "failed to extract %s: set times", e->name);
	return true;
}

bool extractor_finish(extractor *x, GError **error)
{
	forget_parent(x);
	for (guint i = 0; i < x->dir_times->len; i++) {
		const struct dir_time *d = &g_array_index(x->dir_times, struct dir_time, i);
		scoped_fd fd = path_open_errno(x->root_fd, d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, PATH_IN_ROOT);
		struct timespec t = timespec_from_ns(d->time_ns);
		const struct timespec times[2] = {t, t};
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue; /* a later entry replaced it */
		if (fd < 0 || futimens(fd, times) < 0)
			return error_set_errno(error, fd < 0 ? -fd : errno, "set times of %s", d->path);
	}
	return true;
}
