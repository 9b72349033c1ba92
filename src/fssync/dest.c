/* SPDX-License-Identifier: Apache-2.0 */
#include "fssync/dest.h"
#include "base/ident.h"
#include "base/time.h"
#include "os/file.h"
#include "os/path.h"
#include "os/tree.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct dest_dir {
	gint refs;            /* atomic */
	struct dest_how *how; /* borrowed; NULL: it gets no time */
	int fd;               /* owned; -1 while suspended */
	dev_t dev;            /* while suspended */
	ino_t ino;
	bool has_time;
	int64_t mtime_ns;
	bool late_mode; /* its final mode would prevent creating entries in it */
	mode_t mode;
	bool inherits_group; /* setgid: entries created in it need a chown */
};

/* Reads the process's umask without changing it. */
static mode_t read_umask(void)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
		return 0777;
	const char *line = strstr(text, "\nUmask:");
	return line ? (mode_t)g_ascii_strtoull(line + 7, NULL, 8) & 0777 : 0777;
}

void dest_how_init(struct dest_how *how, bool as_root)
{
	*how = (struct dest_how){.as_root = as_root, .euid = geteuid(), .egid = getegid(), .umask = read_umask()};
	random_bytes(&how->seed, sizeof(how->seed));
}

static void temp_name(struct dest_how *how, char ret[40])
{
	g_snprintf(ret, 40, ".tmp.%016" G_GINT64_MODIFIER "x%08x", how->seed,
		   (guint)g_atomic_int_add(&how->counter, 1));
}

static void times_of(int64_t mtime_ns, struct timespec ret[2])
{
	ret[0] = ret[1] = timespec_from_ns(mtime_ns);
}

/*
 * Ignores attributes that a file system does not support, as upstream does; some fail with ENOSPC for one that is too
 * large.
 */
static bool set_xattrs(int fd, const struct fssync_stat *stat, GError **error)
{
	for (size_t i = 0; i < stat->n_xattrs; i++) {
		const struct fssync_xattr *x = &stat->xattrs[i];
		if (file_xattr_is_portable(x->name) && fsetxattr(fd, x->name, x->value, x->len, 0) < 0 &&
		    errno != ENOSPC && error_errno_is_shortage(errno))
			return error_set_errno(error, errno, "setxattr %s", stat->path);
	}
	return true;
}

static bool needs_owner(const struct dest_how *how, const dest_dir *parent, const struct fssync_stat *stat)
{
	return how->as_root && (stat->uid != how->euid || stat->gid != how->egid || !parent || parent->inherits_group);
}

static bool fails(const char *what, const char *name, GError **error)
{
	return error_set_errno(error, errno, "%s %s", what, name);
}

/* ---- directories */

dest_dir *dest_dir_new(int fd)
{
	dest_dir *d = g_new0(dest_dir, 1);
	d->refs = 1;
	d->fd = fd;
	return d;
}

static dest_dir *dest_dir_ref(dest_dir *d)
{
	g_atomic_int_inc(&d->refs);
	return d;
}

static void note_late(struct dest_how *how, int errnum)
{
	if (error_errno_is_shortage(errnum))
		g_atomic_int_set(&how->late_errno, errnum);
}

void dest_dir_unref(dest_dir *d)
{
	if (!d || !g_atomic_int_dec_and_test(&d->refs))
		return;
	if (d->late_mode && fchmod(d->fd, d->mode) < 0)
		note_late(d->how, errno);
	if (d->has_time) {
		struct timespec times[2];
		times_of(d->mtime_ns, times);
		if (futimens(d->fd, times) < 0)
			note_late(d->how, errno);
	}
	fd_close(&d->fd);
	g_free(d);
}

void dest_dir_suspend(dest_dir *d)
{
	struct stat st;
	if (g_atomic_int_get(&d->refs) > 1 || d->fd < 0 || fstat(d->fd, &st) < 0)
		return;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	fd_close(&d->fd);
}

bool dest_dir_resume(dest_dir *d, const dest_dir *child, GError **error)
{
	struct stat st;
	if (d->fd >= 0)
		return true;
	scoped_fd fd = openat(child->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "open parent directory");
	if (st.st_dev != d->dev || st.st_ino != d->ino)
		return error_set(error, ERROR_ABORTED, "a directory of the destination was moved during the transfer");
	d->fd = fd_steal(&fd);
	return true;
}

int dest_dir_fd(const dest_dir *d)
{
	return d->fd;
}

static bool dir_set_attributes(struct dest_how *how, dest_dir *d, const struct fssync_stat *stat, GError **error)
{
	mode_t mode = fssync_mode_to_st(stat->mode) & 07777;
	if (how->as_root && fchown(d->fd, stat->uid, stat->gid) < 0)
		return fails("chown", stat->path, error);
	if (how->euid != 0 && (mode & 0700) != 0700) {
		d->late_mode = true;
		d->mode = mode;
		mode |= 0700;
	}
	if (fchmod(d->fd, mode) < 0)
		return fails("chmod", stat->path, error);
	d->inherits_group = mode & S_ISGID;
	return set_xattrs(d->fd, stat, error);
}

static dest_dir *dir_open(struct dest_how *how, dest_dir *parent, const char *name, const struct fssync_stat *stat,
			  GError **error)
{
	int fd = openat(parent->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		fails("open", stat->path, error);
		return NULL;
	}
	dest_dir *d = dest_dir_new(fd);
	d->how = how;
	d->has_time = true;
	d->mtime_ns = stat->mtime_ns;
	d->inherits_group = stat->mode & FSSYNC_MODE_SETGID;
	return d;
}

dest_dir *dest_dir_make(struct dest_how *how, dest_dir *parent, const char *name, const struct fssync_stat *stat,
			GError **error)
{
	if (mkdirat(parent->fd, name, 0700) < 0) {
		fails("mkdir", stat->path, error);
		return NULL;
	}
	g_autoptr(dest_dir) d = dir_open(how, parent, name, stat, error);
	if (!d || !dir_set_attributes(how, d, stat, error))
		return NULL;
	return g_steal_pointer(&d);
}

dest_dir *dest_dir_open(struct dest_how *how, dest_dir *parent, const char *name, const struct fssync_stat *stat,
			bool update, GError **error)
{
	g_autoptr(dest_dir) d = dir_open(how, parent, name, stat, error);
	if (!d || (update && !dir_set_attributes(how, d, stat, error)))
		return NULL;
	return g_steal_pointer(&d);
}

/* ---- entries other than regular files */

static bool rename_in(dest_dir *d, const char *from, const char *to, GError **error)
{
	if (renameat(d->fd, from, d->fd, to) == 0)
		return true;
	fails("rename", to, error);
	unlinkat(d->fd, from, 0);
	return false;
}

static bool make_node(dest_dir *d, const char *name, const struct fssync_stat *stat, GError **error)
{
	mode_t mode = fssync_mode_to_st(stat->mode);
	if (S_ISLNK(mode))
		return symlinkat(stat->linkname, d->fd, name) == 0 || fails("symlink", stat->path, error);
	dev_t dev = S_ISFIFO(mode) ? 0 : makedev((unsigned)stat->devmajor, (unsigned)stat->devminor);
	return mknodat(d->fd, name, mode, dev) == 0 || fails("failed to create device", stat->path, error);
}

static bool node_set_attributes(struct dest_how *how, dest_dir *d, const char *name, const struct fssync_stat *stat,
				GError **error)
{
	struct timespec times[2];
	times_of(stat->mtime_ns, times);
	if (needs_owner(how, d, stat) && fchownat(d->fd, name, stat->uid, stat->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fails("chown", stat->path, error);
	if (!(stat->mode & FSSYNC_MODE_SYMLINK) &&
	    fchmodat(d->fd, name, fssync_mode_to_st(stat->mode) & 07777, AT_SYMLINK_NOFOLLOW) < 0)
		return fails("chmod", stat->path, error);
	return utimensat(d->fd, name, times, AT_SYMLINK_NOFOLLOW) == 0 || fails("chtimes", stat->path, error);
}

bool dest_make_special(struct dest_how *how, dest_dir *d, const char *name, bool exists, const struct fssync_stat *stat,
		       GError **error)
{
	char temp[40];
	temp_name(how, temp);
	const char *made = exists ? temp : name;
	if (!make_node(d, made, stat, error))
		return false;
	if (!node_set_attributes(how, d, made, stat, error)) {
		unlinkat(d->fd, made, 0);
		return false;
	}
	return !exists || rename_in(d, temp, name, error);
}

bool dest_make_link(struct dest_how *how, dest_dir *d, const char *name, bool exists, int target_fd,
		    const char *target_name, GError **error)
{
	char temp[40];
	temp_name(how, temp);
	if (linkat(target_fd, target_name, d->fd, exists ? temp : name, 0) < 0)
		return fails("link", name, error);
	if (!exists)
		return true;
	if (!rename_in(d, temp, name, error))
		return false;
	unlinkat(d->fd, temp, 0); /* still exists if both names were the same file */
	return true;
}

bool dest_remove(dest_dir *d, const char *name, GError **error)
{
	if (unlinkat(d->fd, name, 0) == 0 || errno == ENOENT)
		return true;
	return tree_remove_at(d->fd, name, error);
}

/* ---- regular files */

bool dest_file_create(struct dest_how *how, dest_dir *d, const char *name, bool exists, const struct fssync_stat *stat,
		      struct dest_file *ret, GError **error)
{
	mode_t mode = fssync_mode_to_st(stat->mode) & 07777;
	struct dest_file f = {0};
	bool owner = needs_owner(how, d, stat);
	/* Sets the final permissions at creation if nothing else has to change, so that most files need no chmod. */
	f.exact_mode = !owner && !(mode & 07000) && !(mode & how->umask);
	temp_name(how, f.temp);
	f.fd = openat(d->fd, exists ? f.temp : name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      f.exact_mode ? mode : 0600);
	if (f.fd < 0)
		return fails("failed to create", stat->path, error);
	if (exists) {
		f.dir = dest_dir_ref(d);
		f.name = g_strdup(name);
	}
	*ret = f;
	if (!owner || fchown(f.fd, stat->uid, stat->gid) == 0)
		return true;
	fails("chown", stat->path, error);
	dest_file_drop(ret);
	return false;
}

bool dest_file_write(struct dest_file *f, const void *bytes, size_t n, GError **error)
{
	if (!file_write_all(f->fd, bytes, n))
		return error_set_errno(error, errno, "write");
	f->size += (int64_t)n;
	return true;
}

static bool file_set_attributes(struct dest_file *f, const struct fssync_stat *stat, GError **error)
{
	struct timespec times[2];
	times_of(stat->mtime_ns, times);
	if (!f->exact_mode && fchmod(f->fd, fssync_mode_to_st(stat->mode) & 07777) < 0)
		return fails("chmod", stat->path, error);
	/* After the data, because writing clears security.capability. */
	if (!set_xattrs(f->fd, stat, error))
		return false;
	return futimens(f->fd, times) == 0 || fails("chtimes", stat->path, error);
}

bool dest_file_finish(struct dest_how *how, struct dest_file *f, const struct fssync_stat *stat, struct dest_state *ret,
		      GError **error)
{
	bool ok = file_set_attributes(f, stat, error);
	if (ok && f->name) {
		ok = rename_in(f->dir, f->temp, f->name, error);
		g_clear_pointer(&f->name, g_free);
	}
	if (ok && ret && fstat(f->fd, &ret->st) < 0)
		ok = fails("stat", stat->path, error);
	if (ok && ret)
		ret->has_xattrs = flistxattr(f->fd, NULL, 0) > 0;
	dest_file_drop(f);
	return ok;
}

void dest_file_drop(struct dest_file *f)
{
	if (f->name)
		unlinkat(dest_dir_fd(f->dir), f->temp, 0);
	fd_close(&f->fd);
	g_clear_pointer(&f->name, g_free);
	g_clear_pointer(&f->dir, dest_dir_unref);
}
