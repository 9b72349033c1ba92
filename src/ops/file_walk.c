/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk keeps a frame for each directory on the current path, but only a few open fds: trees may be deeper than the
 * limit of open files. A directory that the patterns do not include is created only if an entry below it is. Metadata
 * of a directory is set when its frame ends, because filling it changes its times.
 */
#include "ops/file_walk.h"
#include "base/scope.h"
#include "base/time.h"
#include "ops/file_mode.h"
#include "os/dir_chain.h"
#include "os/dirlist.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/user_namespace.h"
#include <sys/sysmacros.h>

struct frame {
	size_t rel_len;         /* length of its path in walk.rel */
	size_t name_at;         /* offset of its name in walk.rel */
	struct dirlist entries; /* sorted; empty if no entries are needed */
	size_t next;
	uint8_t *include_bits, *exclude_bits; /* owned */
	struct stat st;
	bool made;     /* exists in the destination: its fd is in walk.dst */
	bool fresh;    /* created by this copy: empty before */
	bool set_info; /* set all metadata at the end */
	bool set_time; /* set times only */
};
struct inode {
	dev_t dev;
	ino_t ino;
};
struct walk {
	const struct file_copy *c;
	int dst_parent;       /* borrowed */
	const char *dst_name; /* name of the top in dst_parent; "" for a top that is the root */
	const char *dst_path; /* path of the top, for messages */
	GArray *frames;       /* of struct frame */
	dir_chain *src;       /* owned; one per frame */
	dir_chain *dst;       /* owned; one per frame that exists in the destination, which are the outer ones */
	GString *rel;         /* path of the current entry relative to the top, "" for the top; matched by patterns */
	GHashTable *links;    /* struct inode * to char *: path of the first copy, relative to dst_parent */
};

static void frame_clear(void *data)
{
	struct frame *f = data;
	dirlist_clear(&f->entries);
	g_free(f->include_bits);
	g_free(f->exclude_bits);
}

static struct frame *frame_at(const struct walk *w, guint i)
{
	return &g_array_index(w->frames, struct frame, i);
}

static struct frame *frame_top(const struct walk *w)
{
	return w->frames->len > 0 ? frame_at(w, w->frames->len - 1) : NULL;
}

/* Destination path of the entry at rel[0, rel_len), for messages. */
static char *path_of(const struct walk *w, size_t rel_len)
{
	g_autofree char *rel = g_strndup(w->rel->str, rel_len);
	return path_join(w->dst_path, rel);
}

/* Name of a directory of the walk in the destination. */
static char *target_name(const struct walk *w, const struct frame *f)
{
	if (f->rel_len == 0)
		return g_strdup(w->dst_name);
	return g_strndup(w->rel->str + f->name_at, f->rel_len - f->name_at);
}

static int target_directory(const struct walk *w)
{
	return dir_chain_depth(w->dst) > 0 ? dir_chain_fd(w->dst) : w->dst_parent;
}

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

/* Creates or enters the directory of a frame; existing ones below the top get the source's mode. */
static bool enter_directory(struct walk *w, struct frame *f, GError **error)
{
	bool top = f->rel_len == 0;
	int parent_fd = target_directory(w);
	g_autofree char *name = target_name(w, f);
	g_autofree char *path = path_of(w, f->rel_len);
	f->fresh = *name != '\0' && mkdirat(parent_fd, name, 0700) == 0;
	if (*name != '\0' && !f->fresh && errno != EEXIST)
		return error_set_errno(error, errno, "failed to mkdir %s: mkdir %s", path, path);
	int fd = openat(parent_fd, *name != '\0' ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(error, ERROR_UNKNOWN, "cannot copy to non-directory: %s", path);
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", path);
	f->made = true;
	f->set_info = f->fresh || !top;
	f->set_time = !f->fresh && top;
	return dir_chain_push(w->dst, fd, error);
}

/* An excluded directory above an included entry: created with its metadata; if it exists, only its mode is changed. */
static bool enter_parent_directory(struct walk *w, struct frame *f, GError **error)
{
	if (!enter_directory(w, f, error))
		return false;
	f->set_info = f->fresh;
	f->set_time = false;
	if (f->fresh || fchmod(dir_chain_fd(w->dst), f->st.st_mode & 07777) == 0)
		return true;
	g_autofree char *path = path_of(w, f->rel_len);
	return error_set_errno(error, errno, "failed to chmod on %s", path);
}

/* Creates the directories of all frames that were deferred. */
static bool ensure_parents(struct walk *w, GError **error)
{
	for (guint i = (guint)dir_chain_depth(w->dst); i < w->frames->len; i++)
		if (!enter_parent_directory(w, frame_at(w, i), error))
			return false;
	return true;
}

/* Removes an existing entry that blocks the destination, or fails. */
static bool clear_target(struct walk *w, int dst_fd, const char *name, bool is_directory, const char *path,
			 GError **error)
{
	struct stat st;
	if (*name == '\0') /* the root is never replaced */
		return is_directory ||
		       error_set(error, ERROR_UNKNOWN, "cannot replace to directory %s with file", path);
	if (fstatat(dst_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || error_set_errno(error, errno, "failed to stat %s", path);
	bool same_kind = is_directory && S_ISDIR(st.st_mode);
	if (w->c->replace && !same_kind)
		return tree_remove_at(dst_fd, name, error);
	if (is_directory)
		return true;
	if (S_ISDIR(st.st_mode))
		return error_set(error, ERROR_UNKNOWN, "cannot replace to directory %s with file", path);
	return unlinkat(dst_fd, name, 0) == 0 || error_set_errno(error, errno, "remove %s", path);
}

/* ---- entries other than directories */

static guint inode_hash(gconstpointer key)
{
	const struct inode *i = key;
	return (guint)(i->ino ^ (i->ino >> 32) ^ i->dev);
}

static gboolean inode_equal(gconstpointer a, gconstpointer b)
{
	const struct inode *x = a, *y = b;
	return x->dev == y->dev && x->ino == y->ino;
}

/* Path of the current entry relative to dst_parent, as stored in links. */
static char *path_from_parent(const struct walk *w)
{
	if (w->rel->len == 0 || *w->dst_name == '\0')
		return g_strdup(w->rel->len == 0 ? w->dst_name : w->rel->str);
	return g_strconcat(w->dst_name, "/", w->rel->str, NULL);
}

/* Handles another name of an already copied file: true with *ret_done if it was linked. */
static bool try_link(struct walk *w, const struct stat *st, int dst_fd, const char *name, bool *ret_done,
		     GError **error)
{
	struct inode key = {st->st_dev, st->st_ino};
	*ret_done = false;
	if (st->st_nlink < 2)
		return true;
	const char *first = g_hash_table_lookup(w->links, &key);
	if (!first) {
		struct inode *copy = g_new(struct inode, 1);
		*copy = key;
		g_hash_table_insert(w->links, copy, path_from_parent(w));
		return true;
	}
	scoped_fd fd = path_open_errno(w->dst_parent, first, O_PATH | O_NOFOLLOW, PATH_BENEATH);
	if (fd < 0 || linkat(fd, "", dst_fd, name, AT_EMPTY_PATH) != 0)
		return error_set_errno(error, fd < 0 ? -fd : errno, "failed to create hard link: link %s %s", first,
				       name);
	*ret_done = true;
	return true;
}

static bool copy_regular(struct walk *w, int src_dir, const char *src_name, const struct stat *st, int dst_dir,
			 const char *name, const char *path, GError **error)
{
	bool linked;
	if (!try_link(w, st, dst_dir, name, &linked, error))
		return false;
	if (linked)
		return true;
	scoped_fd src = path_open_regular_at(src_dir, src_name, O_RDONLY, NULL);
	if (src < 0)
		return error_set_errno(error, -src, "failed to copy files: failed to open source: open %s", path);
	scoped_fd dst = openat(dst_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dst < 0)
		return error_set_errno(error, errno, "failed to copy files: failed to open target: open %s", path);
	if (st->st_size > 0 && !file_copy_data(src, dst, st->st_size, w->c->cancel, error))
		return error_prefix(error, "failed to copy files: %s: ", path);
	if (!set_info(w->c, dst, st, path, error))
		return false;
	/* Last, because changing the owner drops capabilities. A target without xattr support is not an error. */
	file_copy_xattrs(src, dst, NULL);
	return true;
}

static bool copy_link(struct walk *w, int src_dir, const char *src_name, const struct stat *st, int dst_dir,
		      const char *name, const char *path, GError **error)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(src_dir, src_name, target, sizeof target - 1);
	if (n < 0)
		return error_set_errno(error, errno, "failed to read link: %s", path);
	target[n] = '\0';
	if (symlinkat(target, dst_dir, name) != 0)
		return error_set_errno(error, errno, "failed to create symlink: %s", path);
	return set_info_at(w->c, dst_dir, name, st, path, error);
}

static bool copy_special(struct walk *w, const struct stat *st, int dst_dir, const char *name, const char *path,
			 GError **error)
{
	if (mknodat(dst_dir, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) != 0)
		return error_set_errno(error, errno, "failed to create device: mknod %s", path);
	return set_info_at(w->c, dst_dir, name, st, path, error);
}

static bool copy_entry(struct walk *w, int src_dir, const char *src_name, const struct stat *st, int dst_dir,
		       const char *name, const char *path, GError **error)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return copy_regular(w, src_dir, src_name, st, dst_dir, name, path, error);
	case S_IFLNK:
		return copy_link(w, src_dir, src_name, st, dst_dir, name, path, error);
	default:
		return copy_special(w, st, dst_dir, name, path, error);
	}
}

/* ---- patterns */

struct verdict {
	bool included, excluded;
	uint8_t *include_bits, *exclude_bits; /* owned */
};

static struct verdict judge(const struct walk *w, const char *rel, const struct frame *parent)
{
	const struct file_copy *c = w->c;
	struct verdict v = {.included = true};
	if (*rel == '\0')
		return v;
	if (c->include) {
		v.include_bits = g_malloc0(patterns_count(c->include));
		v.included = patterns_match_in(c->include, rel, parent->include_bits, v.include_bits);
	}
	if (c->exclude) {
		v.exclude_bits = g_malloc0(patterns_count(c->exclude));
		v.excluded = patterns_match_in(c->exclude, rel, parent->exclude_bits, v.exclude_bits);
	}
	v.included &= !v.excluded;
	return v;
}

static void verdict_clear(struct verdict *v)
{
	g_free(v->include_bits);
	g_free(v->exclude_bits);
}

/* Nothing below an excluded directory can match without an exception pattern. */
static bool wants_entries(const struct walk *w, const struct verdict *v)
{
	return !v->excluded || patterns_has_exclusions(w->c->exclude);
}

/* ---- the walk */

/* Reads the names of a directory and pushes its frame. Takes the bits out of v. */
static bool push_directory(struct walk *w, int src_dir, const char *src_name, const struct stat *st, struct verdict *v,
			   GError **error)
{
	struct frame f = {.rel_len = w->rel->len, .st = *st};
	const char *slash = strrchr(w->rel->str, '/');
	g_autofree char *path = path_of(w, w->rel->len);
	f.name_at = slash ? (size_t)(slash - w->rel->str) + 1 : 0;
	int fd = openat(src_dir, *src_name != '\0' ? src_name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "failed to read %s", path);
	if (wants_entries(w, v) && !dirlist_read(&f.entries, fd, error)) {
		g_prefix_error(error, "failed to read %s: ", path);
		close(fd);
		return false;
	}
	f.include_bits = g_steal_pointer(&v->include_bits);
	f.exclude_bits = g_steal_pointer(&v->exclude_bits);
	bool ok = dir_chain_push(w->src, fd, error);
	if (ok && v->included) {
		g_autofree char *name = target_name(w, &f);
		ok = ensure_parents(w, error) && clear_target(w, target_directory(w), name, true, path, error) &&
		     enter_directory(w, &f, error);
	}
	if (ok)
		g_array_append_val(w->frames, f);
	else
		frame_clear(&f);
	return ok;
}

/* Copies the entry at w->rel, which is name in src_dir, to dst_name. */
static bool visit(struct walk *w, int src_dir, const char *name, const char *dst_name, GError **error)
{
	struct stat st;
	const struct frame *parent = frame_top(w);
	__attribute__((cleanup(verdict_clear))) struct verdict v = judge(w, w->rel->str, parent);
	if (!v.included && !w->c->include && !patterns_has_exclusions(w->c->exclude))
		return true;
	if (!cancel_check(w->c->cancel, error))
		return false;
	g_autofree char *path = path_of(w, w->rel->len);
	if (fstatat(src_dir, name, &st, AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0)) != 0)
		return error_set_errno(error, errno, "failed to stat %s", path);
	if (S_ISDIR(st.st_mode))
		return push_directory(w, src_dir, name, &st, &v, error);
	if (!v.included)
		return true;
	if (!ensure_parents(w, error))
		return false;
	int dst_fd = target_directory(w);
	bool fresh = parent && parent->fresh;
	return (fresh || clear_target(w, dst_fd, dst_name, false, path, error)) &&
	       copy_entry(w, src_dir, name, &st, dst_fd, dst_name, path, error);
}

static bool finish_directory(struct walk *w, struct frame *f, GError **error)
{
	if (!f->made)
		return true;
	int dst_fd = dir_chain_fd(w->dst);
	g_autofree char *path = path_of(w, f->rel_len);
	if (f->set_info) {
		if (!set_info(w->c, dst_fd, &f->st, path, error))
			return false;
		file_copy_xattrs(dir_chain_fd(w->src), dst_fd, NULL);
	} else if (f->set_time) {
		struct timespec times[2];
		times_for(w->c, &f->st, times);
		if (futimens(dst_fd, times) != 0)
			return error_set_errno(error, errno, "failed to restore file timestamp: failed to utime %s",
					       path);
	}
	return dir_chain_pop(w->dst, error);
}

/* Processes the next entry of the innermost directory, or its end. */
static bool step(struct walk *w, GError **error)
{
	struct frame *f = frame_top(w);
	g_string_truncate(w->rel, f->rel_len);
	if (f->next == f->entries.n) {
		bool ok = finish_directory(w, f, error) && dir_chain_pop(w->src, error);
		g_array_set_size(w->frames, w->frames->len - 1);
		return ok;
	}
	if (f->rel_len > 0)
		g_string_append_c(w->rel, '/');
	g_autofree char *name = g_strdup(dirlist_name(&f->entries, f->next++));
	g_string_append(w->rel, name);
	return visit(w, dir_chain_fd(w->src), name, name, error);
}

bool file_walk_run(const struct file_copy *c, int src_parent, const char *src_name, int dst_parent,
		   const char *dst_name, const char *dst_path, GError **error)
{
	g_autoptr(dir_chain) src = dir_chain_new();
	g_autoptr(dir_chain) dst = dir_chain_new();
	g_autoptr(GString) rel = g_string_new(NULL);
	g_autoptr(GHashTable) links = g_hash_table_new_full(inode_hash, inode_equal, g_free, g_free);
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
	g_array_set_clear_func(frames, frame_clear);
	struct walk w = {
		.c = c,
		.dst_parent = dst_parent,
		.dst_name = dst_name,
		.dst_path = dst_path,
		.frames = frames,
		.src = src,
		.dst = dst,
		.rel = rel,
		.links = links,
	};
	bool ok = visit(&w, src_parent, src_name, dst_name, error);
	while (ok && frames->len > 0)
		ok = step(&w, error);
	return ok;
}
