/* SPDX-License-Identifier: Apache-2.0 */
#include "source/file_record.h"
#include "api/message.h"
#include "base/limits.h"
#include "base/scope.h"
#include "format/gotype.h"
#include "os/file.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/user_namespace.h"
#include "source/pull.h"
#include <string.h>

#define DEFAULT_NAME "download"
#define DEFAULT_PERM 0600

static bool number_read(const Pb__SourceOp *op, const char *key, int64_t *ret, GError **error)
{
	const char *text = message_map_find(op, attrs, key);
	*ret = 0;
	return !text || int_parse(text, 0, ret, error);
}

bool file_spec_read(struct file_spec *ret, const Pb__SourceOp *op, GError **error)
{
	struct file_spec s = {0};
	if (!number_read(op, "http.perm", &s.perm, error) || !number_read(op, "http.uid", &s.uid, error) ||
	    !number_read(op, "http.gid", &s.gid, error))
		return false;
	if (s.uid < 0 || s.uid > UINT32_MAX - 1 || s.gid < 0 || s.gid > UINT32_MAX - 1)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid owner of a file source");
	const char *name = message_map_find(op, attrs, "http.filename");
	s.name = g_strdup(name ? name : "");
	*ret = s;
	return true;
}

void file_spec_clear(struct file_spec *s)
{
	g_clear_pointer(&s->name, g_free);
}

char *file_name_safe(const char *text)
{
	g_autofree char *name = g_strstrip(g_strdup(text));
	for (size_t n = strlen(name); n > 0 && name[n - 1] == '/'; n--)
		name[n - 1] = '\0';
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	if (!*base || g_str_equal(base, ".") || g_str_equal(base, "..") || !g_utf8_validate(base, -1, NULL))
		return g_strdup(DEFAULT_NAME);
	for (const char *p = base; *p; p = g_utf8_next_char(p))
		if (g_unichar_iscntrl(g_utf8_get_char(p)))
			return g_strdup(DEFAULT_NAME);
	return g_strdup(base);
}

void file_record_clear(file_record *f)
{
	fd_close(&f->fd);
	g_clear_pointer(&f->ref, cache_ref_unref);
	g_clear_pointer(&f->hash, hasher_free);
}

bool file_record_begin(file_record *f, cache *c, const char *description, const char *name,
		       const struct file_spec *spec, struct work *work, GError **error)
{
	struct cache_record_options options = {.description = description, .policy = CACHE_POLICY_RETAIN};
	*f = (file_record){.cache = c, .fd = -1, .size_max = LIMIT_HTTP_SOURCE_BYTES};
	f->ref = cache_new_mutable(c, NULL, &options, work, error);
	scoped_fd root = f->ref ? cache_ref_open_tree(c, f->ref, CACHE_TREE_WRITE, work, error) : -1;
	if (root < 0)
		return false;
	f->fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return error_set_errno(error, errno, "open %s", name);
	if ((spec->uid || spec->gid) && fchown(f->fd, (uid_t)spec->uid, (gid_t)spec->gid) < 0)
		return user_namespace_owner_error(error, errno, (uid_t)spec->uid, (gid_t)spec->gid, "chown %s", name);
	if (fchmod(f->fd, spec->perm ? (mode_t)spec->perm & 0777 : DEFAULT_PERM) < 0)
		return error_set_errno(error, errno, "chmod %s", name);
	f->hash = hasher_new_sha256();
	return true;
}

bool file_record_write(file_record *f, const void *bytes, size_t n, GError **error)
{
	if (n > f->size_max - f->size)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "file is larger than %" G_GUINT64_FORMAT " bytes",
				 f->size_max);
	hasher_update(f->hash, bytes, n);
	f->size += n;
	return file_write_all(f->fd, bytes, n) || error_set_errno(error, errno, "write file");
}

bool file_record_copy(file_record *f, int from, int64_t size, cancel *c, GError **error)
{
	f->size = (uint64_t)size;
	return file_copy_data(from, f->fd, size, c, error);
}

cache_ref *file_record_commit(file_record *f, int64_t mtime_s, struct work *work, struct digest *ret_digest,
			      GError **error)
{
	struct timespec times[2] = {{.tv_sec = mtime_s}, {.tv_sec = mtime_s}};
	if (futimens(f->fd, times) < 0)
		return error_null_errno(error, errno, "set times of file");
	fd_close(&f->fd);
	if (ret_digest)
		hasher_finish(f->hash, ret_digest);
	return cache_commit(g_steal_pointer(&f->ref), work, error);
}
