/* SPDX-License-Identifier: Apache-2.0 */
#include "client/content_dir.h"
#include "base/scope.h"
#include "os/file.h"
#include "os/path.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define CHUNK_BYTES (256 * 1024)

struct content_dir {
	int fd;     /* owned */
	int blobs;  /* owned: blobs/sha256; -1 until it exists */
	int ingest; /* owned; -1 until the first write */
	GMutex mu;  /* for the two descriptors above */
};

struct content_dir *content_dir_open(const char *path, bool create, GError **error)
{
	if (create && g_mkdir_with_parents(path, 0755) < 0)
		return error_null_errno(error, errno, "mkdir %s", path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_null_errno(error, errno, "open %s", path);
	struct content_dir *d = g_new0(struct content_dir, 1);
	g_mutex_init(&d->mu);
	d->fd = fd;
	d->blobs = d->ingest = -1;
	return d;
}

void content_dir_free(void *dir)
{
	struct content_dir *d = dir;
	fd_close(&d->fd);
	fd_close(&d->blobs);
	fd_close(&d->ingest);
	g_mutex_clear(&d->mu);
	g_free(d);
}

int content_dir_find(struct content_dir *d, const char *digest, struct stat *ret, GError **error)
{
	struct digest checked;
	if (!digest_parse(digest, &checked, error))
		return -1;
	g_autofree char *path = digest_blob_path(&checked);
	scoped_fd fd = path_open_errno(d->fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, PATH_IN_ROOT);
	if (fd < 0 || fstat(fd, ret) < 0 || !S_ISREG(ret->st_mode)) {
		error_set(error, ERROR_NOT_FOUND, "content %s: not found", checked.text);
		return -1;
	}
	return fd_steal(&fd);
}

/* Opens a directory once; creates it if missing. */
static int ensure_dir(struct content_dir *d, int *where, const char *path, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&d->mu);
	if (*where < 0)
		*where = path_make_dirs(d->fd, path, 0755, geteuid(), getegid(), -1, error);
	return *where;
}

/* ---- writing */

static void ingest_name(const char *ref, char ret[DIGEST_TEXT_SIZE])
{
	struct digest digest;
	digest_of_text(ref, &digest);
	g_strlcpy(ret, digest_hex(&digest), DIGEST_TEXT_SIZE);
}

/* Hashes the bytes that an earlier writer left. */
static bool catch_up(struct content_writer *w, GError **error)
{
	g_autofree char *chunk = g_malloc(CHUNK_BYTES);
	ssize_t n;
	while ((n = pread(w->fd, chunk, CHUNK_BYTES, w->offset)) > 0) {
		hasher_update(w->hash, chunk, (size_t)n);
		w->offset += n;
	}
	return n == 0 || error_set_errno(error, errno, "read ingest");
}

bool content_dir_begin(struct content_dir *d, const char *ref, struct content_writer *ret, GError **error)
{
	struct content_writer w = {.dir = d, .fd = -1};
	int ingest = ensure_dir(d, &d->ingest, "ingest", error);
	if (ingest < 0)
		return false;
	ingest_name(ref, w.name);
	w.fd = openat(ingest, w.name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (w.fd < 0)
		return error_set_errno(error, errno, "open ingest");
	if (flock(w.fd, LOCK_EX | LOCK_NB) < 0) {
		fd_close(&w.fd);
		return error_set(error, ERROR_UNAVAILABLE, "ref %s locked: unavailable", ref);
	}
	w.hash = hasher_new_sha256();
	if (!catch_up(&w, error)) {
		content_writer_clear(&w);
		return false;
	}
	*ret = w;
	return true;
}

bool content_writer_truncate(struct content_writer *w, GError **error)
{
	if (ftruncate(w->fd, 0) < 0)
		return error_set_errno(error, errno, "truncate the blob");
	hasher_reset(w->hash);
	w->offset = 0;
	return true;
}

bool content_writer_write(struct content_writer *w, const void *bytes, size_t n, GError **error)
{
	hasher_update(w->hash, bytes, n);
	if (!file_write_all_at(w->fd, bytes, n, w->offset))
		return error_set_errno(error, errno, "write");
	w->offset += (int64_t)n;
	return true;
}

bool content_writer_commit(struct content_writer *w, int64_t total, const char *expected, struct digest *ret,
			   GError **error)
{
	struct content_dir *d = w->dir;
	if (total > 0 && total != w->offset)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "unexpected commit size %" G_GINT64_FORMAT ", expected %" G_GINT64_FORMAT
				 ": failed precondition",
				 w->offset, total);
	hasher_finish(w->hash, ret);
	hasher_reset(w->hash);
	if (*expected && strcmp(expected, ret->text) != 0)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "unexpected commit digest %s, expected %s: failed precondition", ret->text, expected);
	int blobs = ensure_dir(d, &d->blobs, "blobs/sha256", error);
	if (blobs < 0)
		return false;
	(void)fchmod(w->fd, 0444);
	return renameat(d->ingest, w->name, blobs, digest_hex(ret)) == 0 ||
	       error_set_errno(error, errno, "rename blob");
}

void content_writer_clear(struct content_writer *w)
{
	fd_close(&w->fd);
	g_clear_pointer(&w->hash, hasher_free);
}

bool content_dir_status(struct content_dir *d, const char *ref, struct stat *ret, GError **error)
{
	char name[DIGEST_TEXT_SIZE];
	ingest_name(ref, name);
	g_autofree char *path = g_strconcat("ingest/", name, NULL);
	scoped_fd fd = path_open_errno(d->fd, path, O_PATH | O_CLOEXEC, PATH_BENEATH);
	return (fd >= 0 && fstat(fd, ret) == 0) || error_set(error, ERROR_NOT_FOUND, "ref %s: not found", ref);
}

bool content_dir_abort(struct content_dir *d, const char *ref, GError **error)
{
	char name[DIGEST_TEXT_SIZE];
	ingest_name(ref, name);
	int ingest = ensure_dir(d, &d->ingest, "ingest", error);
	if (ingest < 0)
		return false;
	return unlinkat(ingest, name, 0) == 0 || error_set(error, ERROR_NOT_FOUND, "ref %s: not found", ref);
}
