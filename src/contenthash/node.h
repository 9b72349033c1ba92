/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contenthash_node: the known entries of a tree, in the order in which their digests are combined.
 *
 *	struct contenthash_node *n = contenthash_node_child(dir, name, len);     binary search, NULL when not known
 *	contenthash_node_insert(dir, name, len, CONTENT_FILE);
 *
 * Children are sorted by their bytes, which is the order of upstream's keys (path with NUL for '/'). A directory is
 * known completely (LISTED) or only as far as a transfer announced it. Thread: guarded by the contenthash that owns
 * it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "contenthash/file_digest.h"

enum contenthash_type { CONTENT_FILE, CONTENT_DIR, CONTENT_LINK };
enum contenthash_flags {
	CONTENT_HAS_DIGEST = 1,  /* of a file or link; the header of a directory */
	CONTENT_HAS_CONTENT = 2, /* a directory's content digest */
	CONTENT_LISTED = 4,      /* a directory whose children are all known */
	CONTENT_ANNOUNCED = 8,   /* stamp is of the announced size and time, not of an inode */
	CONTENT_SPECIAL = 16,    /* a file that must not be opened for reading: device, FIFO, socket */
};

struct contenthash_node {
	struct contenthash_node *parent; /* NULL: the root */
	struct contenthash_node **children;
	uint32_t n_children, room;
	uint8_t type, flags;
	uint16_t name_len;
	uint8_t digest[RAW_DIGEST_SIZE];
	uint8_t content[RAW_DIGEST_SIZE];
	uint64_t stamp; /* identifies the state that the digest was computed from: see contenthash_stamp */
	char *link;     /* target of a link, NULL: not read yet */
	char name[];    /* NUL-terminated */
};

struct contenthash_node *contenthash_node_new(struct contenthash_node *parent, const char *name, size_t len,
					      enum contenthash_type type);
/* Frees n and everything beneath it. The caller removes it from the parent's list. */
void contenthash_node_free(struct contenthash_node *n);
struct contenthash_node *contenthash_node_child(const struct contenthash_node *dir, const char *name, size_t len);
/* Returns the existing child if it has that type; otherwise replaces it by a new one. */
struct contenthash_node *contenthash_node_insert(struct contenthash_node *dir, const char *name, size_t len,
						 enum contenthash_type type);
void contenthash_node_remove(struct contenthash_node *n);
/* Clears the content digests of the directories above n, and of n itself if it is a directory. */
void contenthash_node_touch(struct contenthash_node *n);
/* Returns the next node in order: with deep, children first. NULL after the last entry beneath top. */
struct contenthash_node *contenthash_node_next(struct contenthash_node *n, const struct contenthash_node *top,
					       bool deep);
/* Appends "/dir/file", or "" for the root. */
void contenthash_node_path(const struct contenthash_node *n, GString *ret);

/* Identifies an inode's state: changes whenever content or metadata do. */
uint64_t contenthash_stamp(const struct stat *st);
/* The same for the metadata that a transfer announced. */
uint64_t contenthash_stamp_announced(int64_t size, int64_t mtime_ns);
