/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar: reads and writes tar streams (POSIX.1-2001 ustar and pax; GNU long names and numbers are read).
 *
 *	g_autoptr(tar_writer) w = tar_writer_new(sink, data);
 *	tar_writer_entry(w, &(struct tar_entry){.name = "f", .type = '0', .mode = 0644, .size = 1}, error);
 *	tar_writer_data(w, "x", 1, error); tar_writer_finish(w, error);
 *
 *	g_autoptr(tar_scan) t = tar_scan_new(&handler, data);
 *	tar_scan_write(t, bytes, n, error); tar_scan_finish(t, error);
 *
 * Thread: each object is used by one thread at a time; the functions without an object by any.
 */
#pragma once
#include "format/compress.h"
#include <sys/types.h>

enum { TAR_BLOCK = 512 };

/* The header of a member, POSIX.1-1988. A text that fills its field has no NUL. */
struct tar_block {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], user[32], group[32], device_major[8], device_minor[8], prefix[155], rest[12];
};
G_STATIC_ASSERT(sizeof(struct tar_block) == TAR_BLOCK);

struct tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/*
 * One member. A reader never sets a text to NULL; everything is borrowed from the scanner until the callback returns.
 */
struct tar_entry {
	const char *name;         /* directories end in '/' */
	const char *link;         /* NULL or "": none */
	const char *user, *group; /* not written */
	char type;    /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6' FIFO */
	int64_t mode; /* permission bits; a writer may add those of the file type */
	int64_t uid, gid;
	int64_t size; /* bytes of data that follow */
	int64_t mtime_s;
	int64_t mtime_ns; /* nanoseconds after mtime_s, 0 to 999,999,999; not read */
	int64_t device_major, device_minor;
	bool is_sparse;                 /* read only: the contents are GNU sparse data (pax), not those of the file */
	const struct tar_xattr *xattrs; /* sorted by name */
	size_t n_xattrs;
	/* Not read: further pax records, sorted by key; their keys begin with a letter below S. */
	const struct tar_xattr *records;
	size_t n_records;
};

/* ---- fields and records */

/* Fills the field with octal digits and a NUL. False: the value does not fit, and the field is set to 0. */
bool tar_number_write(char *field, size_t size, int64_t value);
/* Reads octal text, or base-256 when the top bit is set (GNU). False: neither. */
bool tar_number_read(const char *field, size_t size, int64_t *ret);
/* Returns the sum of the block's bytes, with the checksum field taken as blanks. */
unsigned tar_checksum(const struct tar_block *b);
void tar_checksum_write(struct tar_block *b);
bool tar_block_is_zero(const struct tar_block *b);
/* The type of a file that has this st_mode; '0' for a socket. */
char tar_type_of(mode_t mode);
/* Compares two struct tar_xattr by name. */
int tar_xattr_order(const void *a, const void *b);
/* Bytes of padding after size bytes of data. */
size_t tar_padding(int64_t size);

/* Appends the pax record "<length> <prefix><key>=<value>\n". */
void tar_record_write(GByteArray *pax, const char *prefix, const char *key, const void *value, size_t len);
/* Calls visit for each record of n bytes, key being NUL-terminated. False: malformed, or visit returned false. */
bool tar_records_read(const void *bytes, size_t n,
		      bool (*visit)(void *data, const char *key, const char *value, size_t len), void *data);

/* ---- writer: the same output for the same input, equal to Go's archive/tar, so that layers equal upstream's */

typedef struct tar_writer tar_writer;
tar_writer *tar_writer_new(bytes_sink_fn sink, void *data);
void tar_writer_free(tar_writer *w);
/* Errors: INTERNAL if data of the previous entry is missing; errors of the sink. */
bool tar_writer_entry(tar_writer *w, const struct tar_entry *e, GError **error);
bool tar_writer_data(tar_writer *w, const void *bytes, size_t n, GError **error);
/* Writes the end of the archive and buffered data. */
bool tar_writer_finish(tar_writer *w, GError **error);

/* ---- scanner: passes all bytes of a stream to the handler in order */

struct tar_scan_handler {
	/*
	 * A header block; for extended headers ('x', 'g', 'L', 'K') with its body, which is n_body bytes and padding;
	 * NULL for others. The handler may change the block. May be NULL: frame() then receives the bytes.
	 */
	bool (*header)(void *data, struct tar_block *b, const void *body, size_t n_body, GError **error);
	/* Bytes that are neither contents nor passed to header(): padding, the zero blocks and the bytes after them. */
	bool (*frame)(void *data, const void *bytes, size_t n, bool is_end, GError **error);
	/* Follows the header of a member. May be NULL. */
	bool (*entry)(void *data, const struct tar_entry *e, GError **error);
	bool (*contents)(void *data, const void *bytes, size_t n, GError **error);
};

/* GNU sparse members (type 'S') are refused. Memory: one entry with its extended headers, at most 1 MiB each. */
typedef struct tar_scan tar_scan;
tar_scan *tar_scan_new(const struct tar_scan_handler *handler, void *data);
/* Errors: INVALID_ARGUMENT if the input is not a tar stream; errors of the handler. */
bool tar_scan_write(tar_scan *t, const void *bytes, size_t n, GError **error);
bool tar_scan_finish(tar_scan *t, GError **error);
void tar_scan_free(tar_scan *t);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(tar_writer, tar_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tar_scan, tar_scan_free)
