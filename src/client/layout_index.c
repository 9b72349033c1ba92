/* SPDX-License-Identifier: Apache-2.0 */
#include "client/layout_index.h"
#include "base/limits.h"
#include "base/scope.h"
#include "format/reference.h"
#include "os/dirlist.h"
#include "os/file.h"
#include "os/path.h"
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define INDEX "index.json"
#define LOCK INDEX ".lock"
#define NAME_KEY "io.containerd.image.name"
#define REF_KEY "org.opencontainers.image.ref.name"
#define LOCK_TRIES 200
#define LOCK_WAIT_US (50 * 1000)
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct layout {
	const char *path; /* borrowed, for messages */
	int fd, lock;
};

static void layout_close(struct layout *l)
{
	if (l->lock >= 0)
		unlinkat(l->fd, LOCK, 0);
	fd_close(&l->lock);
	fd_close(&l->fd);
}

/* A holder removes the lock file before unlocking, so the file of an acquired lock may have been unlinked: check. */
static bool lock_is_current(const struct layout *l)
{
	struct stat held, named;
	return fstat(l->lock, &held) == 0 && fstatat(l->fd, LOCK, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

enum lock_result { LOCK_TAKEN, LOCK_HELD, LOCK_NONE, LOCK_FAILED };

/* LOCK_NONE: the layout is not writable; read it without a lock. */
static enum lock_result lock_try(struct layout *l, bool write)
{
	l->lock = openat(l->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (l->lock < 0)
		return !write && (errno == EPERM || errno == EROFS) ? LOCK_NONE : LOCK_FAILED;
	if (flock(l->lock, (write ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 && lock_is_current(l))
		return LOCK_TAKEN;
	fd_close(&l->lock);
	return LOCK_HELD;
}

/* Retries the lock: other clients hold it only while they write a small file, and flock has no timeout. */
static bool layout_open(struct layout *l, const char *path, bool write, GError **error)
{
	*l = (struct layout){.path = path, .fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .lock = -1};
	if (l->fd < 0)
		return error_set_errno(error, errno, "could not lock %s/" LOCK ": open %s/" LOCK, path, path);
	enum lock_result result = lock_try(l, write);
	for (unsigned n = 0; result == LOCK_HELD && n < LOCK_TRIES; n++) {
		g_usleep(LOCK_WAIT_US);
		result = lock_try(l, write);
	}
	if (result == LOCK_TAKEN || result == LOCK_NONE)
		return true;
	if (result == LOCK_FAILED)
		error_set_errno(error, errno, "could not lock %s/" LOCK ": open %s/" LOCK, path, path);
	else
		error_set(error, ERROR_UNAVAILABLE, "could not lock %s/" LOCK ": another client holds it", path);
	layout_close(l);
	return false;
}

static oci_index *index_read(const struct layout *l, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GBytes) bytes = path_read(l->fd, INDEX, (size_t)LIMIT_INDEX_BYTES, PATH_BENEATH, &why);
	if (!bytes) {
		const char *reason = error_is(why, ERROR_NOT_FOUND) ? "no such file or directory" : why->message;
		return error_null(error, error_get_code(why), "could not read %s/" INDEX ": open %s/" INDEX ": %s",
				  l->path, l->path, reason);
	}
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	oci_index *index = oci_index_parse(data, n, OCI_INDEX, error);
	if (!index)
		g_prefix_error(error, "could not unmarshal %s/" INDEX ": ", l->path);
	return index;
}

static bool is_named(const oci_descriptor *d, const char *key, const char *value)
{
	return g_strcmp0(oci_descriptor_annotation(d, key), value) == 0;
}

bool layout_index_find(const char *dir, const char *tag, oci_descriptor **ret, GError **error)
{
	struct layout l;
	if (!layout_open(&l, dir, false, error))
		return false;
	g_autoptr(oci_index) index = index_read(&l, error);
	layout_close(&l);
	if (!index)
		return false;
	static const char *const keys[] = {NAME_KEY, REF_KEY};
	*ret = NULL;
	for (size_t k = 0; k < G_N_ELEMENTS(keys) && !*ret; k++)
		for (guint i = 0; i < index->manifests->len && !*ret; i++)
			if (is_named(index->manifests->pdata[i], keys[k], tag))
				*ret = oci_descriptor_copy(index->manifests->pdata[i]);
	return true;
}

/* ---- writing */

/* Returns the tag of an image's name, for the second annotation. */
static char *tag_of(const char *name)
{
	g_autoptr(reference) r = reference_parse_normalized(name, NULL);
	if (!r || (!r->tag && !r->digest))
		return g_strdup(r ? "" : name);
	if (!r->digest)
		return g_strdup(r->tag);
	return g_strconcat(r->tag ? r->tag : "", "@", r->digest, NULL);
}

static void index_insert(oci_index *index, const oci_descriptor *d, const struct layout_name *name)
{
	g_autofree char *tag = name->is_tag ? g_strdup(name->value) : tag_of(name->value);
	const char *image = name->is_tag ? NULL : name->value;
	for (guint i = index->manifests->len; i > 0; i--) {
		const oci_descriptor *old = index->manifests->pdata[i - 1];
		const char *old_image = oci_descriptor_annotation(old, NAME_KEY);
		if (is_named(old, REF_KEY, tag) && g_strcmp0(old_image ? old_image : "", image ? image : "") == 0)
			g_ptr_array_remove_index(index->manifests, i - 1);
	}
	oci_descriptor *copy = oci_descriptor_copy(d);
	if (image)
		oci_descriptor_annotate(copy, NAME_KEY, image);
	oci_descriptor_annotate(copy, REF_KEY, tag);
	g_ptr_array_add(index->manifests, copy);
}

static char *index_text(const oci_index *index, size_t *ret_n)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_int_member(w, "schemaVersion", 2);
	json_put_string_member(w, "mediaType", index->media_type);
	json_array_member_begin(w, "manifests");
	for (guint i = 0; i < index->manifests->len; i++)
		oci_descriptor_write(w, index->manifests->pdata[i]);
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, ret_n);
}

/* Writes a temporary file and renames it, so that readers never see a partial file. */
static bool file_write(const struct layout *l, const char *name, const char *text, size_t n, GError **error)
{
	g_autofree char *temp = g_strconcat(name, ".new", NULL);
	scoped_fd fd = openat(l->fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && file_write_all(fd, text, n) && renameat(l->fd, temp, l->fd, name) == 0)
		return true;
	return error_set_errno(error, errno, "could not write %s/%s", l->path, name);
}

static bool put_locked(const struct layout *l, const oci_descriptor *d, const struct layout_name *names, size_t n,
		       GError **error)
{
	struct stat st;
	bool fresh = fstatat(l->fd, INDEX, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size == 0;
	g_autoptr(oci_index) index = fresh ? oci_index_new(OCI_INDEX) : index_read(l, error);
	if (!index)
		return false;
	for (size_t i = 0; i < n; i++)
		index_insert(index, d, &names[i]);
	size_t n_text;
	g_autofree char *text = index_text(index, &n_text);
	return file_write(l, "oci-layout", LAYOUT, strlen(LAYOUT), error) && file_write(l, INDEX, text, n_text, error);
}

bool layout_index_put(const char *dir, const oci_descriptor *d, const struct layout_name *names, size_t n,
		      GError **error)
{
	struct layout l;
	if (!layout_open(&l, dir, true, error))
		return false;
	bool ok = put_locked(&l, d, names, n, error);
	layout_close(&l);
	return ok;
}

/* ---- sweeping */

static void mark(const struct layout *l, const oci_descriptor *d, GHashTable *needed, unsigned depth);

static void mark_list(const struct layout *l, const GPtrArray *list, GHashTable *needed, unsigned depth)
{
	for (guint i = 0; list && i < list->len; i++)
		mark(l, list->pdata[i], needed, depth);
}

static void mark(const struct layout *l, const oci_descriptor *d, GHashTable *needed, unsigned depth)
{
	bool is_index = oci_media_type_is_index(d->media_type);
	if (!g_hash_table_add(needed, g_strdup(digest_hex(&d->digest))) || depth >= LIMIT_INDEX_NESTING ||
	    (!is_index && !oci_media_type_is_manifest(d->media_type)))
		return;
	g_autofree char *path = digest_blob_path(&d->digest);
	g_autoptr(GBytes) bytes = path_read(l->fd, path, (size_t)LIMIT_INDEX_BYTES, PATH_BENEATH, NULL);
	if (!bytes)
		return;
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	if (is_index) {
		g_autoptr(oci_index) index = oci_index_parse(data, n, d->media_type, NULL);
		mark_list(l, index ? index->manifests : NULL, needed, depth + 1);
		return;
	}
	g_autoptr(oci_manifest) m = oci_manifest_parse(data, n, d->media_type, NULL);
	if (m)
		mark(l, m->config, needed, depth + 1);
	mark_list(l, m ? m->layers : NULL, needed, depth + 1);
}

static bool remove_rest(const struct layout *l, GHashTable *needed, GError **error)
{
	scoped_fd fd = path_open_errno(l->fd, "blobs/sha256", O_RDONLY | O_DIRECTORY, PATH_BENEATH);
	scoped_dirlist list = {0};
	if (fd < 0)
		return error_set_errno(error, -fd, "read %s/blobs/sha256", l->path);
	bool ok = dirlist_read(&list, fd, error);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		g_autofree char *text = g_strconcat("sha256:", name, NULL);
		if (digest_is_valid(text) && !g_hash_table_contains(needed, name) && unlinkat(fd, name, 0) < 0)
			ok = error_set_errno(ok ? error : NULL, errno, "remove blob %s", text);
	}
	return ok;
}

bool layout_index_sweep(const char *dir, GError **error)
{
	struct layout l;
	if (!layout_open(&l, dir, true, error))
		return false;
	g_autoptr(GHashTable) needed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(oci_index) index = index_read(&l, error);
	if (index)
		mark_list(&l, index->manifests, needed, 0);
	bool ok = index && remove_rest(&l, needed, error);
	layout_close(&l);
	return ok;
}
