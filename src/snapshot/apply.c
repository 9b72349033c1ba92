/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses two threads per blob: one reads, decompresses and hashes, the other parses (libarchive, tar formats only, no
 * filters) and extracts. Data that the parser leaves unread is still read to the end, because the digest covers it.
 */
#include "snapshot/apply.h"
#include "base/thread.h"
#include "base/time.h"
#include "snapshot/byte_pipe.h"
#include "snapshot/extract.h"
#include "snapshot/libarchive.h"
#include "snapshot/windows_layer.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/file.h"
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { READ_BYTES = 256 * 1024 };

/* Returns the next bytes of a plain tar stream, valid until the next call; 0 at the end, -1 with error. */
typedef ssize_t (*next_fn)(void *data, const void **ret, GError **error);

struct reader {
	struct archive *tar; /* owned */
	next_fn next;
	void *next_data;
	GError *problem; /* owned: error of next, which libarchive cannot pass on */
	const struct apply_options *options;
	int64_t claimed_bytes; /* sizes stated by the entries */
	bool has_bytes;        /* an empty stream is an empty archive */
};

static void reader_clear(struct reader *r)
{
	if (r->tar)
		libarchive.read_free(r->tar);
	g_clear_error(&r->problem);
}

static la_ssize_t on_read(struct archive *tar, void *data, const void **ret)
{
	struct reader *r = data;
	ssize_t n = cancel_check(r->options->cancel, &r->problem) ? r->next(r->next_data, ret, &r->problem) : -1;
	if (n < 0)
		libarchive.set_error(tar, ARCHIVE_FATAL, "read");
	r->has_bytes = r->has_bytes || n > 0;
	return n;
}

static bool reader_failed(struct reader *r, GError **error)
{
	if (r->problem)
		return error_propagate(error, g_steal_pointer(&r->problem));
	const char *text = libarchive.error_string(r->tar);
	if (text && strstr(text, "runcated"))
		return error_set(error, ERROR_DATA_LOSS, "unexpected EOF");
	return error_set(error, ERROR_DATA_LOSS, "archive/tar: %s", text ? text : "invalid tar header");
}

static bool is_empty(const struct reader *r)
{
	return !r->has_bytes && !r->problem;
}

static bool reader_init(struct reader *r, next_fn next, void *data, const struct apply_options *options, GError **error)
{
	if (!libarchive_load(error))
		return false;
	*r = (struct reader){.tar = libarchive.read_new(), .next = next, .next_data = data, .options = options};
	if (libarchive.read_support_format_tar(r->tar) != ARCHIVE_OK)
		return reader_failed(r, error);
	bool opened = libarchive.read_open(r->tar, r, NULL, on_read, NULL) == ARCHIVE_OK;
	return opened || is_empty(r) || reader_failed(r, error);
}

/* A name that is not in our character set is accepted: its bytes are kept. Any other warning is an invalid header. */
static bool is_harmless(struct archive *tar)
{
	const char *text = libarchive.error_string(tar);
	return text && strstr(text, "converted");
}

/* Returns 1 for an entry, 0 at the end, -1. */
static int reader_next(struct reader *r, struct archive_entry **ret, GError **error)
{
	int code = libarchive.read_next_header(r->tar, ret);
	if (code == ARCHIVE_EOF || is_empty(r))
		return 0;
	if (code == ARCHIVE_OK || (code == ARCHIVE_WARN && is_harmless(r->tar)))
		return 1;
	reader_failed(r, error);
	return -1;
}

/* ---- converting libarchive's entries */

static bool kind_of(struct archive_entry *from, struct entry *e, GError **error)
{
	e->link = libarchive.entry_hardlink(from);
	if (e->link) {
		e->type = ENTRY_HARDLINK;
		return true;
	}
	switch (libarchive.entry_filetype(from)) {
	case AE_IFREG:
		e->type = ENTRY_FILE;
		return true;
	case AE_IFDIR:
		e->type = ENTRY_DIR;
		return true;
	case AE_IFLNK:
		e->type = ENTRY_SYMLINK;
		e->link = libarchive.entry_symlink(from);
		return e->link || error_set(error, ERROR_INVALID_ARGUMENT, "%s: symlink without target", e->name);
	case AE_IFIFO:
		e->type = ENTRY_FIFO;
		return true;
	case AE_IFCHR:
		e->type = ENTRY_CHAR;
		return true;
	case AE_IFBLK:
		e->type = ENTRY_BLOCK;
		return true;
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s: unhandled tar header type %o", e->name,
				 (unsigned)libarchive.entry_filetype(from));
	}
}

static bool id_of(int64_t id, uint32_t *ret, const char *name, GError **error)
{
	if (id < 0 || id >= (int64_t)UINT32_MAX)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s: owner %" G_GINT64_FORMAT, name, id);
	*ret = (uint32_t)id;
	return true;
}

/* Times before 1970 and those beyond the range of nanoseconds become 1970, as upstream. */
static int64_t time_of(struct archive_entry *from)
{
	int64_t ns, s = libarchive.entry_mtime(from);
	if (s < 0 || __builtin_mul_overflow(s, NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)libarchive.entry_mtime_nsec(from), &ns))
		return 0;
	return ns;
}

static void xattrs_of(struct archive_entry *from, struct entry *e, GArray *xattrs)
{
	struct entry_xattr a;
	g_array_set_size(xattrs, 0);
	if (libarchive.entry_xattr_reset(from) > 0)
		while (libarchive.entry_xattr_next(from, &a.name, &a.value, &a.len) == ARCHIVE_OK)
			g_array_append_val(xattrs, a);
	e->xattrs = (const struct entry_xattr *)(const void *)xattrs->data;
	e->n_xattrs = xattrs->len;
}

static bool size_of(struct reader *r, struct archive_entry *from, struct entry *e, GError **error)
{
	e->size = e->type == ENTRY_FILE ? libarchive.entry_size(from) : 0;
	if (e->size < 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s: negative size", e->name);
	if (e->size > LIMIT_LAYER_BYTES - r->claimed_bytes)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "archive unpacks to more than %lld bytes",
				 LIMIT_LAYER_BYTES);
	r->claimed_bytes += e->size;
	return true;
}

static bool translate(struct reader *r, struct archive_entry *from, struct entry *e, GArray *xattrs, GError **error)
{
	*e = (struct entry){.name = libarchive.entry_pathname(from)};
	if (!e->name)
		return error_set(error, ERROR_INVALID_ARGUMENT, "archive entry without a name");
	if (!kind_of(from, e, error) || !id_of(libarchive.entry_uid(from), &e->uid, e->name, error) ||
	    !id_of(libarchive.entry_gid(from), &e->gid, e->name, error) || !size_of(r, from, e, error))
		return false;
	e->mode = libarchive.entry_perm(from) & 07777;
	e->mtime_ns = time_of(from);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
		e->device = makedev(libarchive.entry_rdevmajor(from), libarchive.entry_rdevminor(from));
	xattrs_of(from, e, xattrs);
	return true;
}

/* ---- data */

/* Holes stay holes; a file that ends with a hole gets its length at the end. */
static bool copy_data(struct reader *r, const struct entry *e, int fd, GError **error)
{
	int64_t end = 0;
	for (;;) {
		const void *bytes;
		size_t n;
		la_int64_t offset;
		int code = libarchive.read_data_block(r->tar, &bytes, &n, &offset);
		if (code == ARCHIVE_EOF)
			break;
		if (code != ARCHIVE_OK)
			return reader_failed(r, error);
		if (offset < end || offset > e->size || (int64_t)n > e->size - offset)
			return error_set(error, ERROR_DATA_LOSS, "%s: data beyond its size", e->name);
		if (!file_write_all_at(fd, bytes, n, offset))
			return error_set_errno(error, errno, "write %s", e->name);
		end = offset + (int64_t)n;
	}
	return end == e->size || ftruncate(fd, e->size) == 0 || error_set_errno(error, errno, "truncate %s", e->name);
}

/* Windows layers: entries outside of the tree are not examined further. */
static bool is_of_tree(const struct reader *r, struct archive_entry *from)
{
	const char *name = r->options->windows ? libarchive.entry_pathname(from) : NULL;
	return !name || windows_tree_name(name);
}

static void to_tree(struct entry *e)
{
	e->name = windows_tree_name(e->name);
	if (e->link)
		e->link = windows_tree_link(e->link);
}

/* Layers of Linux images have a slash after the names of directories. */
static bool check_first(const struct reader *r, const struct entry *e, GError **error)
{
	bool is_windows = e->type == ENTRY_DIR && windows_is_top(e->name);
	return !r->options->refuse_windows || !is_windows ||
	       error_set(error, ERROR_UNIMPLEMENTED,
			 "the layer is one of a Windows image, which is not supported where its image is not known");
}

static bool extract_all(struct reader *r, int root_fd, struct apply_result *result, GError **error)
{
	g_autoptr(extractor) x = extractor_new(root_fd, r->options);
	g_autoptr(GArray) xattrs = g_array_new(FALSE, FALSE, sizeof(struct entry_xattr));
	struct archive_entry *from;
	int more;
	while ((more = reader_next(r, &from, error)) > 0) {
		if (++result->entries > LIMIT_TAR_ENTRIES)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %lld archive entries",
					 LIMIT_TAR_ENTRIES);
		struct entry e;
		scoped_fd fd = -1;
		if (!is_of_tree(r, from))
			continue;
		if (!cancel_check(r->options->cancel, error) || !translate(r, from, &e, xattrs, error) ||
		    (result->entries == 1 && !check_first(r, &e, error)))
			return false;
		if (r->options->windows)
			to_tree(&e);
		if (!extractor_add(x, &e, &fd, error))
			return false;
		if (fd >= 0 && (!copy_data(r, &e, fd, error) || !extractor_end_file(x, &e, fd, error)))
			return false;
	}
	if (more < 0 || !extractor_finish(x, error))
		return false;
	result->dropped_xattrs = extractor_dropped_xattrs(x);
	return true;
}

static bool drain(struct reader *r, GError **error)
{
	const void *bytes;
	ssize_t n;
	while ((n = r->next(r->next_data, &bytes, error)) > 0)
		if (!cancel_check(r->options->cancel, error))
			return false;
	return n == 0;
}

static bool apply_tar(next_fn next, void *data, int root_fd, const struct apply_options *options,
		      struct apply_result *result, GError **error)
{
	__attribute__((cleanup(reader_clear))) struct reader r = {0};
	if (!reader_init(&r, next, data, options, error) || !extract_all(&r, root_fd, result, error))
		return false;
	/* A layer's digest covers the whole stream. Data after the end of an archive that ADD unpacks is ignored. */
	return options->mode == APPLY_ARCHIVE || drain(&r, error);
}

/* ---- plain streams */

struct plain_source {
	bytes_source_fn source;
	void *data;
	hasher *hasher;  /* owned */
	uint8_t *buffer; /* owned */
	int64_t n;
};

static ssize_t plain_next(void *data, const void **ret, GError **error)
{
	struct plain_source *s = data;
	ssize_t n = s->source(s->data, s->buffer, READ_BYTES, error);
	if (n > 0) {
		hasher_update(s->hasher, s->buffer, (size_t)n);
		s->n += n;
		*ret = s->buffer;
	}
	return n;
}

bool apply_stream(bytes_source_fn source, void *data, int root_fd, const struct apply_options *options,
		  struct apply_result *ret, GError **error)
{
	g_autoptr(hasher) h = hasher_new_sha256();
	g_autofree uint8_t *buffer = g_malloc(READ_BYTES);
	struct plain_source s = {source, data, h, buffer, 0};
	struct apply_result result = {0};
	if (!apply_tar(plain_next, &s, root_fd, options, &result, error))
		return false;
	hasher_finish(h, &result.diff_id);
	result.stream_bytes = s.n;
	*ret = result;
	return true;
}

/* ---- blobs */

struct unpacker {
	int fd; /* borrowed */
	bool any, allow_high_ratio;
	byte_pipe *pipe; /* owned */
	hasher *hasher;  /* owned */
	int64_t n_in, n_out;
};

static bool on_plain_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	struct unpacker *u = data;
	u->n_out += (int64_t)n;
	if (!u->allow_high_ratio && u->n_out > GIB(1) && u->n_out / LIMIT_EXPANSION_RATIO > u->n_in)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "compression ratio exceeds %lld to 1",
				 LIMIT_EXPANSION_RATIO);
	hasher_update(u->hasher, bytes, n);
	return byte_pipe_write(u->pipe, bytes, n, error);
}

static bool unpack(struct unpacker *u, GError **error)
{
	g_autoptr(decompressor) d = decompressor_new(u->any, (uint64_t)LIMIT_LAYER_BYTES, on_plain_bytes, u);
	g_autofree uint8_t *buffer = g_malloc(READ_BYTES);
	for (;;) {
		ssize_t n = read(u->fd, buffer, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read blob");
		if (n == 0)
			return decompressor_finish(d, error);
		u->n_in += n;
		if (!decompressor_write(d, buffer, (size_t)n, error))
			return false;
	}
}

static gpointer unpack_thread(gpointer data)
{
	struct unpacker *u = data;
	GError *problem = NULL;
	unpack(u, &problem);
	byte_pipe_end(u->pipe, problem);
	return NULL;
}

static ssize_t pipe_next(void *data, const void **ret, GError **error)
{
	return byte_pipe_read(data, ret, error);
}

bool apply_blob(int blob_fd, int root_fd, const struct apply_options *options, struct apply_result *ret, GError **error)
{
	g_autoptr(hasher) h = hasher_new_sha256();
	g_autoptr(byte_pipe) p = byte_pipe_new();
	struct unpacker u = {.fd = blob_fd,
			     .any = options->mode == APPLY_ARCHIVE,
			     .allow_high_ratio = options->allow_high_ratio,
			     .pipe = p,
			     .hasher = h};
	struct apply_result result = {0};
	GThread *thread = thread_start("unpack", unpack_thread, &u, error);
	if (!thread)
		return false;
	bool done = apply_tar(pipe_next, p, root_fd, options, &result, error);
	byte_pipe_close(p);
	g_thread_join(thread);
	if (!done)
		return false;
	hasher_finish(h, &result.diff_id);
	result.stream_bytes = u.n_out;
	*ret = result;
	return true;
}

/* ---- archive detection */

struct probe {
	GByteArray *head;
	bool taken;
};

static bool on_probe_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	struct probe *p = data;
	size_t room = MIB(1) - MIN(p->head->len, (guint)MIB(1));
	g_byte_array_append(p->head, bytes, (guint)MIN(n, room));
	return n < room || error_set(error, ERROR_CANCELED, "the first MiB was read");
}

static ssize_t probe_next(void *data, const void **ret, GError **error)
{
	struct probe *p = data;
	if (p->taken)
		return 0;
	p->taken = true;
	*ret = p->head->data;
	return (ssize_t)p->head->len;
}

/* The first MiB of output from the first 256 KiB of input is enough for any first header. */
int apply_is_archive(int fd, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	g_autofree uint8_t *buffer = g_malloc(READ_BYTES);
	ssize_t n = TEMP_FAILURE_RETRY(pread(fd, buffer, READ_BYTES, 0));
	if (n < 0)
		error_set_errno(error, errno, "read file");
	if (n <= 0)
		return n < 0 ? -1 : 0;
	if (!libarchive_load(error))
		return -1;
	g_autoptr(GByteArray) head = g_byte_array_new();
	struct probe p = {head, false};
	g_autoptr(decompressor) d = decompressor_new(true, UINT64_MAX, on_probe_bytes, &p);
	if (decompressor_write(d, buffer, (size_t)n, NULL))
		decompressor_finish(d, NULL); /* flushes a short plain file; truncation is ignored */
	const struct apply_options options = {.mode = APPLY_ARCHIVE};
	__attribute__((cleanup(reader_clear))) struct reader r = {0};
	struct archive_entry *entry;
	return head->len > 0 && reader_init(&r, probe_next, &p, &options, NULL) && reader_next(&r, &entry, NULL) > 0;
}
