/* SPDX-License-Identifier: Apache-2.0 */
#include "content/blob_store.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/scope.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define VERIFY_BYTES KIB(256)

static const char *const algorithms[] = {"sha256", "sha384", "sha512"};
enum { N_ALGORITHMS = G_N_ELEMENTS(algorithms) };

struct blob_store {
	int dirs[N_ALGORITHMS]; /* owned: content/blobs/<algorithm> */
	GMutex mu;              /* guards the tables; a commit gives a name and a sweep takes one under it */
	GHashTable *holds;      /* digest text (owned) to count */
	GHashTable *verified;   /* set of digest texts (owned): hashed by this process */
};

struct blob_writer {
	blob_store *store; /* borrowed: outlives us */
	struct digest expected;
	size_t algorithm;
	uint64_t size, size_max;
	hasher *hasher; /* owned */
	int fd;         /* owned, a file without a name */
	char *temporary; /* owned; its name where O_TMPFILE is missing, else NULL */
};

static size_t algorithm_of(const struct digest *digest)
{
	size_t len = strcspn(digest->text, ":");
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		if (strlen(algorithms[i]) == len && strncmp(algorithms[i], digest->text, len) == 0)
			return i;
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

/* Files that have a name before they are whole exist only where O_TMPFILE is missing: a crash may leave one. */
static void remove_temporaries(int dir_fd)
{
	scoped_fd fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	fd_steal(&fd);
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		if (g_str_has_prefix(entry->d_name, "tmp-"))
			unlinkat(dir_fd, entry->d_name, 0);
	closedir(dir);
}

blob_store *blob_store_open(int root_fd, GError **error)
{
	g_autoptr(blob_store) store = g_new0(blob_store, 1);
	g_mutex_init(&store->mu);
	store->holds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	store->verified = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		store->dirs[i] = -1;
	scoped_fd content = make_dir(root_fd, "content", error);
	if (content < 0)
		return NULL;
	scoped_fd blobs = make_dir(content, "blobs", error);
	if (blobs < 0)
		return NULL;
	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		store->dirs[i] = make_dir(blobs, algorithms[i], error);
		if (store->dirs[i] < 0)
			return NULL;
		remove_temporaries(store->dirs[i]);
	}
	return g_steal_pointer(&store);
}

void blob_store_close(blob_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		fd_close(&store->dirs[i]);
	g_hash_table_unref(store->holds);
	g_hash_table_unref(store->verified);
	g_mutex_clear(&store->mu);
	g_free(store);
}

/* An fd or -errno. */
static int open_blob(blob_store *store, const struct digest *digest, int flags)
{
	int dir = store->dirs[algorithm_of(digest)];
	int fd = openat(dir, digest_hex(digest), flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int blob_store_find(blob_store *store, const struct digest *digest, GError **error)
{
	int fd = open_blob(store, digest, O_RDONLY);
	if (fd >= 0)
		return fd;
	if (fd != -ENOENT)
		error_set_errno(error, -fd, "open blob %s", digest->text);
	return -1;
}

/* ---- damage: what the disk did to blobs of an earlier life */

static void set_verified(blob_store *store, const struct digest *digest, bool verified)
{
	g_mutex_lock(&store->mu);
	if (verified)
		g_hash_table_add(store->verified, g_strdup(digest->text));
	else
		g_hash_table_remove(store->verified, digest->text);
	g_mutex_unlock(&store->mu);
}

static void drop(blob_store *store, const struct digest *digest)
{
	log_warn("blob %s is damaged: removed", digest->text);
	set_verified(store, digest, false);
	unlinkat(store->dirs[algorithm_of(digest)], digest_hex(digest), 0);
}

void blob_store_check_size(blob_store *store, const struct digest *digest, int64_t size)
{
	int64_t have = blob_store_size(store, digest);
	if (have >= 0 && size >= 0 && have != size)
		drop(store, digest);
}

static bool hash_file(int fd, hasher *h, GError **error)
{
	g_autofree uint8_t *buffer = g_malloc(VERIFY_BYTES);
	ssize_t n;
	for (off_t at = 0; (n = pread(fd, buffer, VERIFY_BYTES, at)) != 0; at += MAX(n, 0)) {
		if (n < 0 && errno != EINTR)
			return error_set_errno(error, errno, "read blob");
		if (n > 0)
			hasher_update(h, buffer, (size_t)n);
	}
	return true;
}

int blob_store_find_verified(blob_store *store, const struct digest *digest, GError **error)
{
	scoped_fd fd = blob_store_find(store, digest, error);
	g_mutex_lock(&store->mu);
	bool known = g_hash_table_contains(store->verified, digest->text);
	g_mutex_unlock(&store->mu);
	if (fd < 0 || known)
		return fd_steal(&fd);
	g_autoptr(hasher) h = hasher_new(algorithms[algorithm_of(digest)]);
	struct digest found;
	if (!hash_file(fd, h, error))
		return -1;
	hasher_finish(h, &found);
	if (!digest_equal(&found, digest)) {
		drop(store, digest);
		error_set(error, ERROR_DATA_LOSS, "blob %s is damaged and was removed: build again", digest->text);
		return -1;
	}
	set_verified(store, digest, true);
	return fd_steal(&fd);
}

int64_t blob_store_size(blob_store *store, const struct digest *digest)
{
	struct stat st;
	if (fstatat(store->dirs[algorithm_of(digest)], digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return st.st_size;
}

bool blob_store_has(blob_store *store, const struct digest *digest)
{
	return blob_store_size(store, digest) >= 0;
}

static bool read_full(int fd, char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, bytes, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got < 0 ? errno : EIO;
			return false;
		}
		bytes += got;
		n -= (size_t)got;
	}
	return true;
}

GBytes *blob_store_read(blob_store *store, const struct digest *digest, size_t max_bytes, GError **error)
{
	scoped_fd fd = open_blob(store, digest, O_RDONLY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		error_set_errno(error, fd < 0 ? -fd : errno, "open blob %s", digest->text);
		return NULL;
	}
	if ((uint64_t)st.st_size > max_bytes) {
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "blob %s is larger than %zu bytes", digest->text, max_bytes);
		return NULL;
	}
	size_t n = (size_t)st.st_size;
	g_autofree char *bytes = g_malloc(n + 1);
	if (!read_full(fd, bytes, n)) {
		error_set_errno(error, errno, "read blob %s", digest->text);
		return NULL;
	}
	return g_bytes_new_take(g_steal_pointer(&bytes), n);
}

bool blob_store_put(blob_store *store, const void *bytes, size_t n, struct digest *ret_digest, GError **error)
{
	struct digest digest;
	digest_of(bytes, n, &digest);
	if (!blob_store_has(store, &digest)) {
		g_autoptr(blob_writer) w = blob_store_write(store, &digest, n, error);
		if (!w || !blob_writer_append(w, bytes, n, error) || !blob_writer_commit(w, NULL, error))
			return false;
	}
	if (ret_digest)
		*ret_digest = digest;
	return true;
}

void blob_store_hold(blob_store *store, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&store->mu);
	guint count = GPOINTER_TO_UINT(g_hash_table_lookup(store->holds, digest->text));
	g_hash_table_replace(store->holds, g_strdup(digest->text), GUINT_TO_POINTER(count + 1));
}

void blob_store_release(blob_store *store, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&store->mu);
	guint count = GPOINTER_TO_UINT(g_hash_table_lookup(store->holds, digest->text));
	g_assert(count > 0);
	if (count == 1)
		g_hash_table_remove(store->holds, digest->text);
	else
		g_hash_table_replace(store->holds, g_strdup(digest->text), GUINT_TO_POINTER(count - 1));
}

/* Bytes freed. keep is asked without the lock, so that it may call us; a hold taken meanwhile still counts. */
static int64_t sweep_one(blob_store *store, int dir, const struct digest *digest)
{
	struct stat st;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&store->mu);
	const char *hex = digest_hex(digest);
	if (g_hash_table_contains(store->holds, digest->text) || fstatat(dir, hex, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	g_hash_table_remove(store->verified, digest->text);
	return unlinkat(dir, hex, 0) == 0 ? (int64_t)st.st_blocks * 512 : 0;
}

static int64_t sweep_dir(blob_store *store, size_t algorithm, bool (*keep)(const struct digest *, void *), void *data)
{
	int64_t freed = 0;
	scoped_fd fd = openat(store->dirs[algorithm], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return 0;
	fd_steal(&fd);
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct digest digest;
		g_autofree char *text = g_strconcat(algorithms[algorithm], ":", entry->d_name, NULL);
		if (digest_parse(text, &digest, NULL) && !keep(&digest, data))
			freed += sweep_one(store, store->dirs[algorithm], &digest);
	}
	closedir(dir);
	return freed;
}

int64_t blob_store_sweep(blob_store *store, bool (*keep)(const struct digest *digest, void *data), void *data)
{
	int64_t freed = 0;
	for (size_t i = 0; i < N_ALGORITHMS; i++)
		freed += sweep_dir(store, i, keep, data);
	return freed;
}

/* ---- writers */

/* A file without a name; with one that start removes where the file system has no O_TMPFILE. */
static bool open_unnamed(blob_writer *w, GError **error)
{
	int dir = w->store->dirs[w->algorithm];
	w->fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (w->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		char id[IDENT_SIZE];
		ident_new(id);
		w->temporary = g_strconcat("tmp-", id, NULL);
		w->fd = openat(dir, w->temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
	}
	return w->fd >= 0 || error_set_errno(error, errno, "create blob");
}

blob_writer *blob_store_write(blob_store *store, const struct digest *expected, uint64_t size_max, GError **error)
{
	g_autoptr(blob_writer) w = g_new0(blob_writer, 1);
	w->store = store;
	w->fd = -1;
	w->size_max = size_max;
	if (expected)
		w->expected = *expected;
	w->algorithm = expected ? algorithm_of(expected) : 0;
	w->hasher = hasher_new(algorithms[w->algorithm]);
	if (!open_unnamed(w, error))
		return NULL;
	return g_steal_pointer(&w);
}

void blob_writer_free(blob_writer *w)
{
	if (!w)
		return;
	if (w->temporary)
		unlinkat(w->store->dirs[w->algorithm], w->temporary, 0);
	g_free(w->temporary);
	fd_close(&w->fd);
	hasher_free(w->hasher);
	g_free(w);
}

static bool write_full(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, bytes, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		bytes += done;
		n -= (size_t)done;
	}
	return true;
}

bool blob_writer_append(blob_writer *w, const void *bytes, size_t n, GError **error)
{
	if (n > w->size_max - w->size)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "blob %s is larger than %" G_GUINT64_FORMAT " bytes",
				 digest_is_set(&w->expected) ? w->expected.text : "", w->size_max);
	if (!write_full(w->fd, bytes, n))
		return error_set_errno(error, errno, "write blob");
	hasher_update(w->hasher, bytes, n);
	w->size += n;
	return true;
}

uint64_t blob_writer_size(const blob_writer *w)
{
	return w->size;
}

bool blob_writer_reset(blob_writer *w, GError **error)
{
	if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
		return error_set_errno(error, errno, "reset blob");
	hasher_reset(w->hasher);
	w->size = 0;
	return true;
}

/* 0, 1 when the name is there already (names are digests), or -errno. */
static int give_name(blob_writer *w, const char *hex)
{
	int dir = w->store->dirs[w->algorithm];
	char self[32];
	g_snprintf(self, sizeof self, "/proc/self/fd/%d", w->fd);
	int r = w->temporary ? linkat(dir, w->temporary, dir, hex, 0)
			     : linkat(AT_FDCWD, self, dir, hex, AT_SYMLINK_FOLLOW);
	return r == 0 ? 0 : errno == EEXIST ? 1 : -errno;
}

bool blob_writer_commit(blob_writer *w, struct digest *ret_digest, GError **error)
{
	struct digest digest;
	hasher_finish(w->hasher, &digest);
	if (digest_is_set(&w->expected) && !digest_equal(&digest, &w->expected))
		return error_set(error, ERROR_DATA_LOSS, "unexpected commit digest %s, expected %s", digest.text,
				 w->expected.text);
	int r = give_name(w, digest_hex(&digest));
	if (r < 0)
		return error_set_errno(error, -r, "name blob %s", digest.text);
	if (r == 0)
		set_verified(w->store, &digest, true);
	if (ret_digest)
		*ret_digest = digest;
	return true;
}
