/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest: content digests, "<algorithm>:<lower-case hex>" (OCI image-spec, descriptor.md, "Digests").
 *
 *	struct digest d;
 *	digest_of(bytes, n, &d);                           sha256 of bytes in memory
 *	if (!digest_parse(text, &d, error)) return false;  text of a peer
 *
 * A struct digest is plain data and always contains a valid text once set; maps use d.text as key.
 * Thread: any; a hasher belongs to one thread at a time.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>

#define DIGEST_TEXT_SIZE 136 /* "sha512:" + 128 + NUL, rounded up */

struct digest {
	char text[DIGEST_TEXT_SIZE];
};

typedef struct hasher hasher;

/* Checks grammar and length (sha256, sha384, sha512). Errors: INVALID_ARGUMENT. */
bool digest_parse(const char *text, struct digest *ret, GError **error);
bool digest_is_valid(const char *text);
const char *digest_hex(const struct digest *digest); /* the part after the colon */
/* The path of the blob in an OCI image layout, "blobs/sha256/HEX". Owned. */
char *digest_blob_path(const struct digest *digest);
bool digest_is_set(const struct digest *digest);
bool digest_equal(const struct digest *a, const struct digest *b);

/* sha256 of bytes in memory. */
void digest_of(const void *bytes, size_t n, struct digest *ret);
void digest_of_text(const char *text, struct digest *ret);

/* algorithm: "sha256", "sha384" or "sha512". */
hasher *hasher_new(const char *algorithm);
hasher *hasher_new_sha256(void);
hasher *hasher_copy(const hasher *h); /* continues from the same state */
void hasher_update(hasher *h, const void *bytes, size_t n);
/* Finishes the hash; the hasher may be reset and used again. */
void hasher_finish(hasher *h, struct digest *ret);
void hasher_reset(hasher *h);
void hasher_free(hasher *h);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(hasher, hasher_free)
