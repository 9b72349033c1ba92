/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_node: the known entries of a tree, in the order in which their digests are combined.
 *
 *	struct content_node *n = content_node_child(dir, name, len);     binary search, NULL when not known
 *	content_node_insert(dir, name, len, CONTENT_FILE);
 *
 * Children are sorted by their bytes, which is the order of upstream's keys (path with NUL for '/'). A directory is
 * known completely (LISTED) or only as far as a transfer announced it. Thread: guarded by the content_tree that owns
 * it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>
#include "cache/file_digest.h"

enum content_type { CONTENT_FILE, CONTENT_DIR, CONTENT_LINK };
enum content_flags {
	CONTENT_HAS_DIGEST = 1,  /* of a file or link; the header of a directory */
	CONTENT_HAS_CONTENT = 2, /* a directory's content digest */
	CONTENT_LISTED = 4,      /* a directory whose children are all known */
	CONTENT_ANNOUNCED = 8,   /* stamp is of the announced size and time, not of an inode */
	CONTENT_SPECIAL = 16,    /* a file that must not be opened for reading: device, FIFO, socket */
};

struct content_node {
	struct content_node *parent; /* NULL: the root */
	struct content_node **children;
	uint32_t n_children, room;
	uint8_t type, flags;
	uint16_t name_len;
	uint8_t digest[RAW_DIGEST_SIZE];
	uint8_t content[RAW_DIGEST_SIZE];
	uint64_t stamp; /* identifies the state that the digest was computed from: see content_stamp */
	char *link;     /* target of a link, NULL: not read yet */
	char name[];    /* NUL-terminated */
};

struct content_node *content_node_new(struct content_node *parent, const char *name, size_t len,
				      enum content_type type);
/* Frees n and everything beneath it. The caller removes it from the parent's list. */
void content_node_free(struct content_node *n);
struct content_node *content_node_child(const struct content_node *dir, const char *name, size_t len);
/* Returns the existing child if it has that type; otherwise replaces it by a new one. */
struct content_node *content_node_insert(struct content_node *dir, const char *name, size_t len,
					 enum content_type type);
void content_node_remove(struct content_node *n);
/* Clears the content digests of the directories above n, and of n itself if it is a directory. */
void content_node_touch(struct content_node *n);
/* Returns the next node in order: with deep, children first. NULL after the last entry beneath top. */
struct content_node *content_node_next(struct content_node *n, const struct content_node *top, bool deep);
/* Appends "/dir/file", or "" for the root. */
void content_node_path(const struct content_node *n, GString *ret);

/* Identifies an inode's state: changes whenever content or metadata do. */
uint64_t content_stamp(const struct stat *st);
/* The same for the metadata that a transfer announced. */
uint64_t content_stamp_announced(int64_t size, int64_t mtime_ns);
