/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_wire: the data types of SSH (RFC 4251, section 5), read from borrowed bytes and appended to a byte array.
 *
 *	struct ssh_reader r = {{bytes, n}, false};
 *	struct slice name = ssh_read_string(&r);
 *	uint32_t count = ssh_read_uint32(&r);
 *	if (r.failed) ...             once, after any number of reads
 *
 * A read beyond the end sets failed and gives nothing, as does every read after it. Slices point into the bytes.
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
/* A number that is not negative and has at most max_bits bits, in a number that is wiped when freed (BN_clear_free).
 * NULL: failed. */
BIGNUM *ssh_read_number(struct ssh_reader *r, size_t max_bits);
bool slice_is(struct slice s, const char *text);

void ssh_put_uint32(GByteArray *out, uint32_t value);
void ssh_put_string(GByteArray *out, const void *bytes, size_t n);
void ssh_put_text(GByteArray *out, const char *text);
/* The bytes of another array as a string; frees it. */
void ssh_put_taken(GByteArray *out, GByteArray *bytes);
/* A number that is not negative. */
void ssh_put_number(GByteArray *out, const BIGNUM *number);
