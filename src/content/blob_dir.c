/* SPDX-License-Identifier: Apache-2.0 */
/* Stores blobs as files of a directory; a writer uses an unnamed file until commit. */
#include "base/ident.h"
#include "base/scope.h"
#include "base/time.h"
#include "content/blob_backend.h"
#include "os/dirlist.h"
#include "os/file.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *const algorithms[] = {"sha256", "sha384", "sha512"};
enum { N_ALGORITHMS = G_N_ELEMENTS(algorithms) };

struct blob_dir {
	int dirs[N_ALGORITHMS]; /* owned: content/blobs/<algorithm> */
};

struct dir_writer {
	struct blob_dir *dir; /* borrowed: outlives the writer */
	int fd;               /* owned, a file without a name */
	char *temporary;      /* owned; its name if O_TMPFILE is not supported, else NULL */
};

static int dir_of(const struct blob_dir *d, const struct digest *digest)
{
	size_t len = strcspn(digest->text, ":");
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		if (strlen(algorithms[i]) == len && strncmp(algorithms[i], digest->text, len) == 0)
			return d->dirs[i];
	g_assert_not_reached(); /* a struct digest is always valid */
}

static int make_dir(int parent, const char *name, GError **error)
{
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST) {
		error_set_errno(error, errno, "mkdir %s", name);
		return -1;
	}
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", name);
	return fd;
}

/* Incomplete files with a name exist only without O_TMPFILE: a crash may leave one. */
static void remove_temporaries(int dir_fd)
{
	scoped_dirlist list = {0};
	dirlist_read_at(&list, dir_fd, ".", NULL);
	for (size_t i = 0; i < list.n; i++)
		if (g_str_has_prefix(dirlist_name(&list, i), "tmp-"))
			unlinkat(dir_fd, dirlist_name(&list, i), 0);
}

static void dir_close(void *self)
{
	struct blob_dir *d = self;
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		fd_close(&d->dirs[i]);
	g_free(d);
}

static bool open_dirs(struct blob_dir *d, int root_fd, GError **error)
{
	scoped_fd content = make_dir(root_fd, "content", error);
	scoped_fd blobs = content < 0 ? -1 : make_dir(content, "blobs", error);
	for (size_t i = 0; blobs >= 0 && i < N_ALGORITHMS; i++) {
		d->dirs[i] = make_dir(blobs, algorithms[i], error);
		if (d->dirs[i] < 0)
			return false;
		remove_temporaries(d->dirs[i]);
	}
	return blobs >= 0;
}

void *blob_dir_open(int root_fd, GError **error)
{
	struct blob_dir *d = g_new0(struct blob_dir, 1);
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		d->dirs[i] = -1;
	if (open_dirs(d, root_fd, error))
		return d;
	dir_close(d);
	return NULL;
}

static int dir_open(void *self, const struct digest *digest, GError **error)
{
	int fd = openat(dir_of(self, digest), digest_hex(digest), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		error_set_errno(error, errno, "open blob %s", digest->text);
	return fd;
}

static int64_t dir_size(void *self, const struct digest *digest)
{
	struct stat st;
	if (fstatat(dir_of(self, digest), digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return st.st_size;
}

static int64_t dir_created_ns(void *self, const struct digest *digest)
{
	struct stat st;
	if (fstatat(dir_of(self, digest), digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return timespec_to_ns(&st.st_mtim);
}

static int64_t dir_remove(void *self, const struct digest *digest)
{
	struct stat st;
	int dir = dir_of(self, digest);
	const char *hex = digest_hex(digest);
	if (fstatat(dir, hex, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return unlinkat(dir, hex, 0) == 0 ? (int64_t)st.st_blocks * 512 : 0;
}

static void each_of(const struct blob_dir *d, size_t algorithm, void (*fn)(const struct digest *, void *), void *data)
{
	scoped_dirlist list = {0};
	dirlist_read_at(&list, d->dirs[algorithm], ".", NULL);
	for (size_t i = 0; i < list.n; i++) {
		struct digest digest;
		g_autofree char *text = g_strconcat(algorithms[algorithm], ":", dirlist_name(&list, i), NULL);
		if (digest_parse(text, &digest, NULL))
			fn(&digest, data);
	}
}

static void dir_each(void *self, void (*fn)(const struct digest *digest, void *data), void *data)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		each_of(self, i, fn, data);
}

/* ---- writers */

/* Opens an unnamed file; without O_TMPFILE, a named one that the next start removes. */
static bool open_unnamed(struct dir_writer *w, GError **error)
{
	int dir = w->dir->dirs[0];
	w->fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (w->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		char id[IDENT_SIZE];
		ident_new(id);
		w->temporary = g_strconcat("tmp-", id, NULL);
		w->fd = openat(dir, w->temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
	}
	return w->fd >= 0 || error_set_errno(error, errno, "create blob");
}

static void dir_writer_close(void *writer)
{
	struct dir_writer *w = writer;
	if (w->temporary)
		unlinkat(w->dir->dirs[0], w->temporary, 0);
	g_free(w->temporary);
	fd_close(&w->fd);
	g_free(w);
}

static void *dir_writer_open(void *self, const struct digest *expected, GError **error)
{
	struct dir_writer *w = g_new0(struct dir_writer, 1);
	w->dir = self;
	w->fd = -1;
	if (open_unnamed(w, error))
		return w;
	dir_writer_close(w);
	return NULL;
}

static bool dir_writer_append(void *writer, const void *bytes, size_t n, GError **error)
{
	const struct dir_writer *w = writer;
	return file_write_all(w->fd, bytes, n) || error_set_errno(error, errno, "write blob");
}

static bool dir_writer_reset(void *writer, GError **error)
{
	const struct dir_writer *w = writer;
	if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
		return error_set_errno(error, errno, "reset blob");
	return true;
}

/* An existing name is fine, because names are digests. */
static bool dir_writer_commit(void *writer, const struct digest *digest, uint64_t size, bool *ret_fresh, GError **error)
{
	const struct dir_writer *w = writer;
	int dir = dir_of(w->dir, digest);
	const char *hex = digest_hex(digest);
	char self[32];
	g_snprintf(self, sizeof self, "/proc/self/fd/%d", w->fd);
	int r = w->temporary ? linkat(w->dir->dirs[0], w->temporary, dir, hex, 0)
			     : linkat(AT_FDCWD, self, dir, hex, AT_SYMLINK_FOLLOW);
	*ret_fresh = r == 0;
	return r == 0 || errno == EEXIST || error_set_errno(error, errno, "link blob %s", digest->text);
}

const struct blob_backend blob_dir_backend = {
	.open = dir_open,
	.size = dir_size,
	.created_ns = dir_created_ns,
	.writer_open = dir_writer_open,
	.writer_append = dir_writer_append,
	.writer_reset = dir_writer_reset,
	.writer_commit = dir_writer_commit,
	.writer_close = dir_writer_close,
	.remove = dir_remove,
	.each = dir_each,
	.close = dir_close,
};
