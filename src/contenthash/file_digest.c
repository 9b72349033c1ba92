/* SPDX-License-Identifier: Apache-2.0 */
#include "contenthash/file_digest.h"
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "format/tar.h"
#include "os/tree.h"

#define BUFFER_SIZE (128 * 1024)

struct xattr {
	const char *name;
	const void *value;
	size_t len;
	void *owned; /* NULL: value is borrowed */
};

static void xattr_done(gpointer data)
{
	struct xattr *x = data;
	g_free(x->owned);
}

static gint xattr_compare(gconstpointer a, gconstpointer b)
{
	return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

/* overlayfs's own extended attributes are not visible in the merged tree. */
static bool xattr_counts(const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return true;
	return !g_str_has_prefix(name, "security.") && !g_str_has_prefix(name, "system.") &&
	       !g_str_has_prefix(name, "trusted.overlay.") && !g_str_has_prefix(name, "user.overlay.");
}

static void feed(hasher *h, const char *text)
{
	hasher_update(h, text, strlen(text));
}

static void feed_header(hasher *h, const struct stat *st, const char *link, GArray *xattrs)
{
	char head[160], tail[80];
	bool regular = S_ISREG(st->st_mode), device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
	unsigned mode = S_ISLNK(st->st_mode) ? 0777 : st->st_mode & 07777;
	g_snprintf(head, sizeof head, "namemode%uuid%ugid%usize%" PRId64 "typeflag%clinkname", mode, st->st_uid,
		   st->st_gid, regular ? (int64_t)st->st_size : 0, tar_type_of(st->st_mode));
	g_snprintf(tail, sizeof tail, "unamegnamedevmajor%udevminor%u", device ? major(st->st_rdev) : 0,
		   device ? minor(st->st_rdev) : 0);
	hasher_reset(h);
	feed(h, head);
	feed(h, link);
	feed(h, tail);
	if (!xattrs)
		return;
	g_array_sort(xattrs, xattr_compare);
	for (guint i = 0; i < xattrs->len; i++) {
		const struct xattr *x = &g_array_index(xattrs, struct xattr, i);
		feed(h, x->name);
		hasher_update(h, x->value, x->len);
	}
}

static bool collect_xattrs(int fd, const char *names, size_t len, GArray *ret, GError **error)
{
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		g_autoptr(GError) gone = NULL;
		struct xattr x = {.name = name};
		if (!xattr_counts(name))
			continue;
		x.owned = file_get_xattr(fd, name, &x.len, &gone);
		if (gone)
			continue; /* cannot be read by this process; upstream ignores it too */
		x.value = x.owned ? x.owned : "";
		g_array_append_val(ret, x);
	}
	return true;
}

static bool feed_content(hasher *h, int fd, int64_t size, GError **error)
{
	g_autofree char *buffer = g_malloc((gsize)CLAMP(size, 1, BUFFER_SIZE));
	int64_t done = 0;
	while (done < size) {
		ssize_t n = read(fd, buffer, (size_t)MIN(size - done, BUFFER_SIZE));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read file");
		if (n == 0)
			return error_set(error, ERROR_ABORTED, "file changed while it was read");
		hasher_update(h, buffer, (size_t)n);
		done += n;
	}
	return true;
}

bool file_digest_of(hasher *h, int fd, struct stat *ret_stat, uint8_t ret[RAW_DIGEST_SIZE], GError **error)
{
	char link[4097] = "";
	if (fstat(fd, ret_stat) < 0)
		return error_set_errno(error, errno, "stat file");
	if (S_ISLNK(ret_stat->st_mode) && readlinkat(fd, "", link, sizeof link - 1) < 0)
		return error_set_errno(error, errno, "read link");
	g_autoptr(GError) failure = NULL;
	size_t len = 0;
	g_autofree char *names = file_list_xattrs(fd, &len, &failure);
	if (failure)
		return error_propagate(error, g_steal_pointer(&failure));
	g_autoptr(GArray) xattrs = names && len > 0 ? g_array_new(FALSE, FALSE, sizeof(struct xattr)) : NULL;
	if (xattrs)
		g_array_set_clear_func(xattrs, xattr_done);
	if (xattrs && !collect_xattrs(fd, names, len, xattrs, error))
		return false;
	feed_header(h, ret_stat, link, xattrs);
	if (S_ISREG(ret_stat->st_mode) && !feed_content(h, fd, ret_stat->st_size, error))
		return false;
	raw_digest_finish(h, ret);
	return true;
}

void file_digest_begin(hasher *h, const struct fssync_stat *stat)
{
	const struct stat st = {.st_mode = fssync_mode_to_st(stat->mode),
				.st_uid = stat->uid,
				.st_gid = stat->gid,
				.st_size = stat->size};
	feed_header(h, &st, "", NULL);
}

void file_digest_of_announced(hasher *h, const struct fssync_stat *stat, uint8_t ret[RAW_DIGEST_SIZE])
{
	struct stat st = {.st_mode = fssync_mode_to_st(stat->mode),
			  .st_uid = stat->uid,
			  .st_gid = stat->gid,
			  .st_size = stat->size};
	st.st_rdev = makedev((unsigned)stat->devmajor, (unsigned)stat->devminor);
	g_autoptr(GArray) xattrs = g_array_new(FALSE, FALSE, sizeof(struct xattr));
	for (size_t i = 0; i < stat->n_xattrs; i++) {
		struct xattr x = {
			.name = stat->xattrs[i].name, .value = stat->xattrs[i].value, .len = stat->xattrs[i].len};
		if (xattr_counts(x.name))
			g_array_append_val(xattrs, x);
	}
	feed_header(h, &st, S_ISLNK(st.st_mode) && stat->linkname ? stat->linkname : "", xattrs);
	raw_digest_finish(h, ret);
}

/* ---- raw digests */
bool raw_digest_from(const struct digest *digest, uint8_t ret[RAW_DIGEST_SIZE])
{
	const char *hex = digest_hex(digest);
	if (!g_str_has_prefix(digest->text, "sha256:") || strlen(hex) != 2 * RAW_DIGEST_SIZE)
		return false;
	for (size_t i = 0; i < RAW_DIGEST_SIZE; i++)
		ret[i] = (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
	return true;
}

void raw_digest_finish(hasher *h, uint8_t ret[RAW_DIGEST_SIZE])
{
	struct digest d;
	hasher_finish(h, &d);
	raw_digest_from(&d, ret);
}

void raw_digest_text(const uint8_t raw[RAW_DIGEST_SIZE], struct digest *ret)
{
	static const char digits[] = "0123456789abcdef";
	memset(ret, 0, sizeof *ret);
	memcpy(ret->text, "sha256:", 7);
	for (size_t i = 0; i < RAW_DIGEST_SIZE; i++) {
		ret->text[7 + 2 * i] = digits[raw[i] >> 4];
		ret->text[8 + 2 * i] = digits[raw[i] & 15];
	}
}

void raw_digest_feed(hasher *h, const uint8_t raw[RAW_DIGEST_SIZE])
{
	struct digest d;
	raw_digest_text(raw, &d);
	feed(h, d.text);
}
