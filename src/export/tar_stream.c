/* SPDX-License-Identifier: Apache-2.0 */
#include "export/tar_stream.h"
#include "base/scope.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 512
#define CHUNK_BYTES (256 * 1024)

/* POSIX.1-1988 ustar header block. */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100];
	char magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "ustar header");

static void octal(char *field, size_t n, uint64_t value)
{
	field[--n] = '\0';
	while (n > 0) {
		field[--n] = (char)('0' + (value & 7));
		value >>= 3;
	}
}

static bool octal_fits(size_t n, int64_t value)
{
	return value >= 0 && (n > 21 || (uint64_t)value >> (3 * (n - 1)) == 0);
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* "<length> <key>=<value>\n", where the length counts itself. */
static void pax_add(GByteArray *pax, const char *key, const void *value, size_t n)
{
	size_t body = strlen(key) + n + 3, length = body;
	g_autofree char *number = NULL;
	for (;;) {
		g_free(number);
		number = g_strdup_printf("%zu", length);
		if (body + strlen(number) == length)
			break;
		length = body + strlen(number);
	}
	g_byte_array_append(pax, (const uint8_t *)number, (guint)strlen(number));
	g_byte_array_append(pax, (const uint8_t *)" ", 1);
	g_byte_array_append(pax, (const uint8_t *)key, (guint)strlen(key));
	g_byte_array_append(pax, (const uint8_t *)"=", 1);
	if (n > 0)
		g_byte_array_append(pax, value, (guint)n);
	g_byte_array_append(pax, (const uint8_t *)"\n", 1);
}

/* A number into its field, or into a record when it is too large or negative. */
static void put_number(GByteArray *pax, char *field, size_t n, const char *key, int64_t value)
{
	octal(field, n, octal_fits(n, value) ? (uint64_t)value : 0);
	if (octal_fits(n, value))
		return;
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
	pax_add(pax, key, text, strlen(text));
}

static void put_text(char *field, size_t n, const char *text)
{
	for (size_t i = 0; *text && i < n; text++)
		if ((unsigned char)*text < 0x80)
			field[i++] = *text;
}

/* Splits at a slash so that both parts fit: at the last one that leaves a short enough name. */
static bool split_name(struct ustar *h, const char *name)
{
	if (!name || !*name || !is_ascii(name))
		return false;
	size_t n = strlen(name);
	if (n <= sizeof(h->name)) {
		memcpy(h->name, name, n);
		return true;
	}
	size_t limit = MIN(n, sizeof(h->prefix) + 1);
	if (name[n - 1] == '/' && limit == n)
		limit--;
	const char *slash = memrchr(name, '/', limit);
	size_t prefix = slash ? (size_t)(slash - name) : 0;
	if (prefix == 0 || n - prefix - 1 > sizeof(h->name) || n - prefix - 1 == 0)
		return false;
	memcpy(h->prefix, name, prefix);
	memcpy(h->name, slash + 1, n - prefix - 1);
	return true;
}

static void finish_block(struct ustar *h)
{
	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->checksum, ' ', sizeof(h->checksum));
	unsigned sum = 0;
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	octal(h->checksum, 7, sum);
}

static char type_of(const struct fssync_stat *stat)
{
	if (stat->mode & FSSYNC_MODE_SYMLINK)
		return '2';
	if (stat->mode & FSSYNC_MODE_DIR)
		return '5';
	if (*stat->linkname)
		return '1';
	if (stat->mode & FSSYNC_MODE_CHAR_DEVICE)
		return '3';
	if (stat->mode & FSSYNC_MODE_DEVICE)
		return '4';
	return stat->mode & FSSYNC_MODE_PIPE ? '6' : '0';
}

static int compare_xattrs(const void *a, const void *b)
{
	const struct fssync_xattr *x = a, *y = b;
	return strcmp(x->name, y->name);
}

static void put_xattrs(GByteArray *pax, const struct fssync_stat *stat)
{
	g_autofree struct fssync_xattr *sorted = g_memdup2(stat->xattrs, stat->n_xattrs * sizeof(*stat->xattrs));
	if (stat->n_xattrs > 1)
		qsort(sorted, stat->n_xattrs, sizeof(*sorted), compare_xattrs);
	for (size_t i = 0; i < stat->n_xattrs; i++) {
		g_autofree char *key = g_strconcat("SCHILY.xattr.", sorted[i].name, NULL);
		pax_add(pax, key, sorted[i].value, sorted[i].len);
	}
}

static int64_t rounded_seconds(int64_t ns)
{
	int64_t seconds = ns / 1000000000, rest = ns % 1000000000;
	if (rest < 0) {
		rest += 1000000000;
		seconds--;
	}
	return seconds + (rest >= 500000000);
}

/* The block of an entry; what does not fit goes to pax, keys in order. */
static void fill_block(struct ustar *h, const struct fssync_stat *stat, const char *name, GByteArray *pax)
{
	char type = type_of(stat);
	h->type = type;
	octal(h->mode, sizeof(h->mode), fssync_mode_to_st(stat->mode) & 07777);
	octal(h->devmajor, sizeof(h->devmajor), type == '3' || type == '4' ? (uint64_t)stat->devmajor : 0);
	octal(h->devminor, sizeof(h->devminor), type == '3' || type == '4' ? (uint64_t)stat->devminor : 0);
	put_xattrs(pax, stat);
	put_number(pax, h->gid, sizeof(h->gid), "gid", stat->gid);
	if (!is_ascii(stat->linkname) || strlen(stat->linkname) > sizeof(h->linkname))
		pax_add(pax, "linkpath", stat->linkname, strlen(stat->linkname));
	put_text(h->linkname, sizeof(h->linkname), stat->linkname);
	put_number(pax, h->mtime, sizeof(h->mtime), "mtime", rounded_seconds(stat->mtime_ns));
	if (!split_name(h, name)) {
		pax_add(pax, "path", name, strlen(name));
		put_text(h->name, sizeof(h->name), name);
	}
	put_number(pax, h->size, sizeof(h->size), "size", type == '0' ? stat->size : 0);
	put_number(pax, h->uid, sizeof(h->uid), "uid", stat->uid);
	finish_block(h);
}

static bool pad(struct tar_stream *t, uint64_t written, GError **error)
{
	static const char zeros[BLOCK];
	size_t rest = (size_t)(written % BLOCK);
	return rest == 0 || t->sink(t->data, zeros, BLOCK - rest, error);
}

/* The records before their entry. */
static bool write_pax(struct tar_stream *t, const char *path, const GByteArray *pax, GError **error)
{
	struct ustar h = {.type = 'x'};
	g_autofree char *directory = g_path_get_dirname(path), *base = g_path_get_basename(path);
	g_autofree char *name = g_str_equal(directory, ".") ? g_strconcat("PaxHeaders.0/", base, NULL)
							    : g_strconcat(directory, "/PaxHeaders.0/", base, NULL);
	put_text(h.name, sizeof(h.name), name);
	octal(h.mode, sizeof(h.mode), 0);
	octal(h.uid, sizeof(h.uid), 0);
	octal(h.gid, sizeof(h.gid), 0);
	octal(h.mtime, sizeof(h.mtime), 0);
	octal(h.size, sizeof(h.size), pax->len);
	octal(h.devmajor, sizeof(h.devmajor), 0);
	octal(h.devminor, sizeof(h.devminor), 0);
	finish_block(&h);
	return t->sink(t->data, &h, sizeof(h), error) && t->sink(t->data, pax->data, pax->len, error) &&
	       pad(t, pax->len, error);
}

bool tar_stream_header(struct tar_stream *t, const struct fssync_stat *stat, GError **error)
{
	struct ustar h = {0};
	g_autoptr(GByteArray) pax = g_byte_array_new();
	g_autofree char *name = g_strconcat(stat->path, stat->mode & FSSYNC_MODE_DIR ? "/" : "", NULL);
	fill_block(&h, stat, name, pax);
	if (pax->len > 0 && !write_pax(t, stat->path, pax, error))
		return false;
	return t->sink(t->data, &h, sizeof(h), error);
}

bool tar_stream_data(struct tar_stream *t, int fd, int64_t size, cancel *c, GError **error)
{
	g_autofree char *chunk = g_malloc((gsize)MIN(size + 1, CHUNK_BYTES));
	for (int64_t left = size; left > 0;) {
		ssize_t n = read(fd, chunk, (size_t)MIN(left, CHUNK_BYTES));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read");
		if (n == 0)
			return error_set(error, ERROR_DATA_LOSS, "file became shorter while it was sent");
		if (!cancel_check(c, error) || !t->sink(t->data, chunk, (size_t)n, error))
			return false;
		left -= n;
	}
	return pad(t, (uint64_t)size, error);
}

bool tar_stream_end(struct tar_stream *t, GError **error)
{
	static const char zeros[2 * BLOCK];
	return t->sink(t->data, zeros, sizeof(zeros), error);
}
