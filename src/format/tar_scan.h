/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_scan: a tar stream told apart, nothing changed: what describes, what is contents, and where an entry begins.
 *
 *	g_autoptr(tar_scan) t = tar_scan_new(&handler, data);
 *	tar_scan_write(t, bytes, n, error); ... tar_scan_finish(t, error);
 *
 * All bytes reach the handler in order: those of a header by frame(), then entry(), then contents(), then padding by
 * frame() again. Reads ustar, PAX records and GNU long names and numbers; sparse files are refused. Memory: one entry
 * with its extended headers. Thread: one at a time.
 */
#pragma once
#include "format/compress.h"

struct tar_entry {
	char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6' FIFO, others as they
		      are */
	const char *name, *link, *user, *group; /* never NULL; valid during the call */
	int64_t mode, uid, gid, size, device_major, device_minor;
	int64_t mtime_s;    /* rounded to the nearest */
	GHashTable *xattrs; /* char * to GBytes *; NULL: none */
};
struct tar_scan_handler {
	bool (*frame)(void *data, const void *bytes, size_t n, GError **error);
	bool (*entry)(void *data, const struct tar_entry *e, GError **error);
	bool (*contents)(void *data, const void *bytes, size_t n, GError **error);
};

typedef struct tar_scan tar_scan;
tar_scan *tar_scan_new(const struct tar_scan_handler *handler, void *data);
/* Errors: INVALID_ARGUMENT when it is no tar stream; those of the handler. */
bool tar_scan_write(tar_scan *t, const void *bytes, size_t n, GError **error);
bool tar_scan_finish(tar_scan *t, GError **error);
void tar_scan_free(tar_scan *t);

/* A number field of a header: octal text, or base-256 when the top bit is set (GNU). */
bool tar_number_read(const uint8_t *field, size_t n, int64_t *ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(tar_scan, tar_scan_free)
