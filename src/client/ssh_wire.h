/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_wire: reads SSH data types (RFC 4251, section 5) from borrowed bytes and appends them to a byte array.
 *
 *	struct ssh_reader r = {{bytes, n}, false};
 *	struct slice name = ssh_read_string(&r);
 *	uint32_t count = ssh_read_uint32(&r);
 *	if (r.failed) ...             once, after any number of reads
 *
 * A read beyond the end sets failed and returns an empty value; so does every later read. Slices point into the bytes.
 * Thread: any.
 */
#pragma once
#include "base/scope.h"
#include <openssl/bn.h>

struct ssh_reader {
	struct slice rest;
	bool failed;
};

uint32_t ssh_read_uint32(struct ssh_reader *r);
struct slice ssh_read_string(struct ssh_reader *r);
/* Reads a non-negative number of at most max_bits bits; free with BN_clear_free, which wipes it. NULL on failure. */
BIGNUM *ssh_read_number(struct ssh_reader *r, size_t max_bits);
bool slice_is(struct slice s, const char *text);

void ssh_put_uint32(GByteArray *out, uint32_t value);
void ssh_put_string(GByteArray *out, const void *bytes, size_t n);
void ssh_put_text(GByteArray *out, const char *text);
/* Appends the bytes of another array as a string and frees that array. */
void ssh_put_taken(GByteArray *out, GByteArray *bytes);
/* Appends a non-negative number. */
void ssh_put_number(GByteArray *out, const BIGNUM *number);
