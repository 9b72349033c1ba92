/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk reads the source; the counterpart of a directory is the one that it is copied to. A directory that the
 * patterns do not include is created only if an entry below it is. Metadata of a directory is set when it is left,
 * because filling it changes its times.
 */
#include "ops/file_walk.h"
#include "base/scope.h"
#include "base/time.h"
#include "ops/file_mode.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/tree_walk.h"
#include "os/user_namespace.h"
#include <sys/sysmacros.h>

/* An entered directory of the source. */
struct directory {
	uint8_t *include_bits, *exclude_bits; /* owned */
	struct stat st;
	bool fresh;    /* created by this copy: empty before */
	bool set_info; /* set all metadata at the end */
	bool set_time; /* set times only */
};
struct walk {
	const struct file_copy *c;
	int dst_parent;       /* borrowed */
	const char *dst_name; /* name of the top in dst_parent; "" for a top that is the root */
	const char *src_path; /* of the top */
	const char *dst_path;
	tree_walk *tree;   /* data: struct directory; paths are matched by the patterns */
	GHashTable *links; /* struct tree_inode * to char *: path of the first copy, relative to dst_parent */
};

/* An entry that is copied; a name "" is the directory itself. */
struct item {
	int src_dir, dst_dir; /* borrowed */
	const char *src_name, *dst_name;
	const char *rel; /* path relative to the top, "" for the top */
	char *path;      /* owned; destination path, for messages */
	struct stat st;
};

static void directory_clear(void *data)
{
	struct directory *d = data;
	g_free(d->include_bits);
	g_free(d->exclude_bits);
}

static void item_clear(struct item *it)
{
	g_free(it->path);
}
#define scoped_item __attribute__((cleanup(item_clear))) struct item

/* ---- metadata */

static struct file_owner owner_for(const struct file_copy *c, const struct stat *st)
{
	return c->owner.set ? c->owner : (struct file_owner){true, st->st_uid, st->st_gid};
}

static bool mode_for(const struct file_copy *c, const struct stat *st, mode_t *ret, GError **error)
{
	if (c->mode_text)
		return file_mode_apply(c->mode_text, st->st_mode, ret, error);
	*ret = c->mode != -1 ? (mode_t)c->mode & 07777 : st->st_mode & 07777;
	return true;
}

static void times_for(const struct file_copy *c, const struct stat *st, struct timespec ret[2])
{
	ret[0] = c->time_ns != -1 ? timespec_from_ns(c->time_ns) : st->st_atim;
	ret[1] = c->time_ns != -1 ? timespec_from_ns(c->time_ns) : st->st_mtim;
}

/* Sets metadata of a file or directory by descriptor. */
static bool set_info(const struct file_copy *c, int fd, const struct stat *st, const char *path, GError **error)
{
	struct file_owner owner = owner_for(c, st);
	struct timespec times[2];
	mode_t mode;
	times_for(c, st, times);
	if (!mode_for(c, st, &mode, error))
		return false;
	/* Owner first: changing it clears the set-id bits. */
	if (fchown(fd, owner.uid, owner.gid) != 0)
		return user_namespace_owner_error(error, errno, owner.uid, owner.gid,
						  "failed to copy file info: failed to chown %s", path);
	if (fchmod(fd, mode) != 0)
		return error_set_errno(error, errno, "failed to copy file info: failed to chmod %s", path);
	if (futimens(fd, times) != 0)
		return error_set_errno(error, errno, "failed to copy file info: failed to utime %s", path);
	return true;
}

/* Sets metadata of a link or special file by name. */
static bool set_info_at(const struct file_copy *c, int dir_fd, const char *name, const struct stat *st,
			const char *path, GError **error)
{
	struct file_owner owner = owner_for(c, st);
	struct timespec times[2];
	mode_t mode;
	times_for(c, st, times);
	if (!mode_for(c, st, &mode, error))
		return false;
	if (fchownat(dir_fd, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
		return user_namespace_owner_error(error, errno, owner.uid, owner.gid,
						  "failed to copy file info: failed to chown %s", path);
	if (!S_ISLNK(st->st_mode) && fchmodat(dir_fd, name, mode, 0) != 0)
		return error_set_errno(error, errno, "failed to copy file info: failed to chmod %s", path);
	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) != 0)
		return error_set_errno(error, errno, "failed to copy file info: failed to utime %s", path);
	return true;
}

/* ---- the destination of an entry */

/* Creates or opens the counterpart of a directory; existing ones below the top get the source's mode. */
static bool pair_directory(struct walk *w, struct directory *d, const struct item *it, GError **error)
{
	bool top = *it->rel == '\0', is_root = *it->dst_name == '\0';
	d->fresh = !is_root && mkdirat(it->dst_dir, it->dst_name, 0700) == 0;
	if (!is_root && !d->fresh && errno != EEXIST)
		return error_set_errno(error, errno, "failed to mkdir %s: mkdir %s", it->path, it->path);
	int fd = openat(it->dst_dir, is_root ? "." : it->dst_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(error, ERROR_UNKNOWN, "cannot copy to non-directory: %s", it->path);
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", it->path);
	d->set_info = d->fresh || !top;
	d->set_time = !d->fresh && top;
	tree_walk_pair(w->tree, fd, false);
	return true;
}

/*
 * Creates the directories above an included entry that were deferred, as they are excluded, with their metadata; of one
 * that exists, only the mode is changed.
 */
static bool ensure_parents(struct walk *w, GError **error)
{
	for (size_t i = tree_walk_paired(w->tree); i < tree_walk_depth(w->tree); i++) {
		g_autofree char *rel = tree_walk_path(w->tree, i);
		const char *slash = strrchr(rel, '/');
		struct directory *d = tree_walk_data(w->tree, i);
		scoped_item it = {.dst_dir = tree_walk_pair_fd(w->tree),
				  .dst_name = slash ? slash + 1 : rel,
				  .rel = rel,
				  .path = path_join(w->dst_path, rel)};
		if (!pair_directory(w, d, &it, error))
			return false;
		d->set_info = d->fresh;
		if (!d->fresh && fchmod(tree_walk_pair_fd(w->tree), d->st.st_mode & 07777) != 0)
			return error_set_errno(error, errno, "failed to chmod on %s", it.path);
	}
	return true;
}

/* Removes an existing entry that blocks the destination, or fails. */
static bool clear_target(struct walk *w, const struct item *it, GError **error)
{
	struct stat st;
	bool is_directory = S_ISDIR(it->st.st_mode);
	if (*it->dst_name == '\0') /* the root is never replaced */
		return is_directory ||
		       error_set(error, ERROR_UNKNOWN, "cannot replace to directory %s with file", it->path);
	if (fstatat(it->dst_dir, it->dst_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || error_set_errno(error, errno, "failed to stat %s", it->path);
	bool same_kind = is_directory && S_ISDIR(st.st_mode);
	if (w->c->replace && !same_kind)
		return tree_remove_at(it->dst_dir, it->dst_name, error);
	if (is_directory)
		return true;
	if (S_ISDIR(st.st_mode))
		return error_set(error, ERROR_UNKNOWN, "cannot replace to directory %s with file", it->path);
	return unlinkat(it->dst_dir, it->dst_name, 0) == 0 || error_set_errno(error, errno, "remove %s", it->path);
}

/* ---- entries other than directories */

/* Handles another name of an already copied file: true with *ret_done if it was linked. */
static bool try_link(struct walk *w, const struct item *it, bool *ret_done, GError **error)
{
	const struct tree_inode key = {it->st.st_dev, it->st.st_ino};
	*ret_done = false;
	if (it->st.st_nlink < 2)
		return true;
	const char *first = g_hash_table_lookup(w->links, &key);
	if (!first) {
		char *path = *it->rel == '\0'       ? g_strdup(w->dst_name)
			     : *w->dst_name == '\0' ? g_strdup(it->rel)
						    : g_strconcat(w->dst_name, "/", it->rel, NULL);
		g_hash_table_insert(w->links, tree_inode_new(&it->st), path);
		return true;
	}
	scoped_fd fd = path_open_errno(w->dst_parent, first, O_PATH | O_NOFOLLOW, PATH_BENEATH);
	if (fd < 0 || linkat(fd, "", it->dst_dir, it->dst_name, AT_EMPTY_PATH) != 0)
		return error_set_errno(error, fd < 0 ? -fd : errno, "failed to create hard link: link %s %s", first,
				       it->dst_name);
	*ret_done = true;
	return true;
}

/* Reports whether the copy would have the attributes of the source. */
static bool is_unchanged(const struct file_copy *c, const struct stat *st)
{
	struct file_owner owner = owner_for(c, st);
	mode_t mode;
	return owner.uid == st->st_uid && owner.gid == st->st_gid && mode_for(c, st, &mode, NULL) &&
	       mode == (st->st_mode & 07777) && (c->time_ns == -1 || c->time_ns == timespec_to_ns(&st->st_mtim));
}

/* Makes the copy a hard link to the source's file, if that is possible. dir: where the copy is; NULL: unknown. */
static bool try_share(struct walk *w, const struct item *it, const struct directory *dir)
{
	const struct tree_inode key = {it->st.st_dev, it->st.st_ino};
	if (!file_links_may(w->c->links, &it->st) || !is_unchanged(w->c, &it->st) ||
	    g_hash_table_contains(w->links, &key))
		return false;
	struct timespec times[2];
	bool sets_time = dir && (dir->set_info || dir->set_time);
	if (sets_time)
		times_for(w->c, &dir->st, times);
	g_autofree char *from = path_join(w->src_path, it->rel);
	const struct file_link link = {.from_dir = it->src_dir,
				       .to_dir = it->dst_dir,
				       .from_name = it->src_name,
				       .to_name = it->dst_name,
				       .from_path = from,
				       .to_path = it->path,
				       .st = &it->st,
				       .dir_times = sets_time ? times : NULL};
	return file_links_make(w->c->links, &link);
}

static bool copy_regular(struct walk *w, const struct item *it, const struct directory *dir, GError **error)
{
	bool linked;
	if (try_share(w, it, dir))
		return true;
	if (!try_link(w, it, &linked, error))
		return false;
	if (linked)
		return true;
	scoped_fd src = path_open_regular_at(it->src_dir, it->src_name, O_RDONLY, NULL);
	if (src < 0)
		return error_set_errno(error, -src, "failed to copy files: failed to open source: open %s", it->path);
	scoped_fd dst = openat(it->dst_dir, it->dst_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dst < 0)
		return error_set_errno(error, errno, "failed to copy files: failed to open target: open %s", it->path);
	if (it->st.st_size > 0 && !file_copy_data(src, dst, it->st.st_size, w->c->cancel, error))
		return error_prefix(error, "failed to copy files: %s: ", it->path);
	if (!set_info(w->c, dst, &it->st, it->path, error))
		return false;
	/* Last, because changing the owner drops capabilities. A target without xattr support is not an error. */
	file_copy_xattrs(src, dst, NULL);
	return true;
}

static bool copy_entry(struct walk *w, const struct item *it, const struct directory *dir, GError **error)
{
	if (S_ISREG(it->st.st_mode))
		return copy_regular(w, it, dir, error);
	if (S_ISLNK(it->st.st_mode)) {
		char target[PATH_MAX];
		ssize_t n = readlinkat(it->src_dir, it->src_name, target, sizeof target - 1);
		if (n < 0)
			return error_set_errno(error, errno, "failed to read link: %s", it->path);
		target[n] = '\0';
		if (symlinkat(target, it->dst_dir, it->dst_name) != 0)
			return error_set_errno(error, errno, "failed to create symlink: %s", it->path);
	} else if (mknodat(it->dst_dir, it->dst_name, (it->st.st_mode & S_IFMT) | 0600, it->st.st_rdev) != 0) {
		return error_set_errno(error, errno, "failed to create device: mknod %s", it->path);
	}
	return set_info_at(w->c, it->dst_dir, it->dst_name, &it->st, it->path, error);
}

/* ---- the walk */

/* Matches a path below the top; keeps the state of the match in ret. */
static bool is_included(const struct walk *w, const char *rel, const struct directory *parent, struct directory *ret,
			bool *ret_excluded)
{
	const patterns *include = w->c->include, *exclude = w->c->exclude;
	bool included = true;
	if (include) {
		ret->include_bits = g_malloc0(patterns_count(include));
		included = patterns_match_in(include, rel, parent->include_bits, ret->include_bits);
	}
	if (exclude) {
		ret->exclude_bits = g_malloc0(patterns_count(exclude));
		*ret_excluded = patterns_match_in(exclude, rel, parent->exclude_bits, ret->exclude_bits);
	}
	return included && !*ret_excluded;
}

/* Takes the bits out of d. */
static bool enter(struct walk *w, const struct item *it, bool included, struct directory *d, GError **error)
{
	const char *name = *it->src_name != '\0' ? it->src_name : ".";
	int fd = openat(it->src_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "failed to read %s", it->path);
	d->st = it->st;
	bool ok = tree_walk_enter_fd(w->tree, fd, d, error);
	d->include_bits = d->exclude_bits = NULL;
	return ok && (!included || pair_directory(w, tree_walk_data(w->tree, tree_walk_depth(w->tree) - 1), it, error));
}

static bool visit(struct walk *w, const struct tree_entry *e, GError **error)
{
	const struct directory *parent = e->data;
	__attribute__((cleanup(directory_clear))) struct directory d = {0};
	bool excluded = false, included = is_included(w, e->path, parent, &d, &excluded);
	/* Nothing below an excluded directory can match without an exception pattern. */
	if (excluded && !patterns_has_exclusions(w->c->exclude))
		return true;
	scoped_item it = {.src_dir = e->dir_fd,
			  .src_name = e->name,
			  .dst_name = e->name,
			  .rel = e->path,
			  .path = path_join(w->dst_path, e->path)};
	if (fstatat(e->dir_fd, e->name, &it.st, AT_SYMLINK_NOFOLLOW) != 0)
		return error_set_errno(error, errno, "failed to stat %s", it.path);
	if (!included)
		return !S_ISDIR(it.st.st_mode) || enter(w, &it, false, &d, error);
	if (!ensure_parents(w, error))
		return false;
	it.dst_dir = e->pair_fd;
	if (!parent->fresh && !clear_target(w, &it, error))
		return false;
	return S_ISDIR(it.st.st_mode) ? enter(w, &it, true, &d, error) : copy_entry(w, &it, parent, error);
}

static bool finish_directory(struct walk *w, const struct tree_entry *e, GError **error)
{
	const struct directory *d = e->data;
	if (e->pair_fd < 0 || (!d->set_info && !d->set_time))
		return true;
	g_autofree char *path = path_join(w->dst_path, e->path);
	if (d->set_info) {
		if (!set_info(w->c, e->pair_fd, &d->st, path, error))
			return false;
		file_copy_xattrs(e->dir_fd, e->pair_fd, NULL);
		return true;
	}
	struct timespec times[2];
	times_for(w->c, &d->st, times);
	return futimens(e->pair_fd, times) == 0 ||
	       error_set_errno(error, errno, "failed to restore file timestamp: failed to utime %s", path);
}

bool file_walk_run(const struct file_copy *c, int src_parent, const char *src_name, const char *src_path,
		   int dst_parent, const char *dst_name, const char *dst_path, GError **error)
{
	const struct tree_walk_options options = {.sorted = true,
						  .data_size = sizeof(struct directory),
						  .data_clear = directory_clear,
						  .cancel = c->cancel};
	g_autoptr(tree_walk) tree = tree_walk_new(&options);
	g_autoptr(GHashTable) links = g_hash_table_new_full(tree_inode_hash, tree_inode_equal, g_free, g_free);
	struct walk w = {c, dst_parent, dst_name, src_path, dst_path, tree, links};
	struct directory d = {0};
	scoped_item top = {src_parent, dst_parent, src_name, dst_name, "", g_strdup(dst_path), {0}};
	file_links_next(c->links);
	if (!cancel_check(c->cancel, error))
		return false;
	if (fstatat(src_parent, src_name, &top.st, AT_SYMLINK_NOFOLLOW | (*src_name == '\0' ? AT_EMPTY_PATH : 0)) != 0)
		return error_set_errno(error, errno, "failed to stat %s", dst_path);
	if (!clear_target(&w, &top, error))
		return false;
	if (!S_ISDIR(top.st.st_mode))
		return copy_entry(&w, &top, NULL, error);
	if (!enter(&w, &top, true, &d, error))
		return false;
	for (const struct tree_entry *e; (e = tree_walk_next(tree, error));)
		if (!(e->left ? finish_directory(&w, e, error) : visit(&w, e, error)))
			return false;
	return tree_walk_is_done(tree);
}
