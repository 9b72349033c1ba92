/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ssh_wire.h"
#include <string.h>

static struct slice read_bytes(struct ssh_reader *r, size_t n)
{
	if (r->failed || n > r->rest.len) {
		r->failed = true;
		return (struct slice){(const uint8_t *)"", 0};
	}
	struct slice bytes = {r->rest.ptr, n};
	r->rest.ptr += n;
	r->rest.len -= n;
	return bytes;
}

uint32_t ssh_read_uint32(struct ssh_reader *r)
{
	const uint8_t *b = read_bytes(r, 4).ptr;
	return r->failed ? 0 : (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

struct slice ssh_read_string(struct ssh_reader *r)
{
	return read_bytes(r, ssh_read_uint32(r));
}

BIGNUM *ssh_read_number(struct ssh_reader *r, size_t max_bits)
{
	struct slice bytes = ssh_read_string(r);
	bool negative = bytes.len > 0 && bytes.ptr[0] & 0x80;
	r->failed = r->failed || negative || bytes.len > max_bits / 8 + 1;
	BIGNUM *number = r->failed ? NULL : BN_secure_new();
	if (number && BN_bin2bn(bytes.ptr, (int)bytes.len, number) && (size_t)BN_num_bits(number) <= max_bits)
		return number;
	r->failed = true;
	BN_clear_free(number);
	return NULL;
}

bool slice_is(struct slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

void ssh_put_uint32(GByteArray *out, uint32_t value)
{
	uint32_t wire = GUINT32_TO_BE(value);
	g_byte_array_append(out, (const uint8_t *)&wire, sizeof(wire));
}

void ssh_put_string(GByteArray *out, const void *bytes, size_t n)
{
	ssh_put_uint32(out, (uint32_t)n);
	g_byte_array_append(out, bytes, (guint)n);
}

void ssh_put_text(GByteArray *out, const char *text)
{
	ssh_put_string(out, text, strlen(text));
}

void ssh_put_taken(GByteArray *out, GByteArray *bytes)
{
	ssh_put_string(out, bytes->data, bytes->len);
	g_byte_array_unref(bytes);
}

void ssh_put_number(GByteArray *out, const BIGNUM *number)
{
	size_t n = (size_t)BN_num_bytes(number);
	/* The highest bit is the sign bit. */
	size_t sign = n > 0 && BN_num_bits(number) % 8 == 0 ? 1 : 0;
	g_autofree uint8_t *bytes = g_malloc0(n + sign);
	BN_bn2bin(number, bytes + sign);
	ssh_put_string(out, bytes, n + sign);
}
