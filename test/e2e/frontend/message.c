/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, options of the request, protobuf and SHA-256. */
#include "frontend.h"

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(7);
}

/* Returns an option of the request, or NULL. */
const char *option(const char *name)
{
	size_t n = strlen(name);
	for (char **e = environ; *e; e++) {
		const char *value = strncmp(*e, "BUILDKIT_FRONTEND_OPT_", 22) == 0 ? strchr(*e, '=') : NULL;
		if (value && strncmp(value + 1, name, n) == 0 && value[1 + n] == '=')
			return value + n + 2;
	}
	return NULL;
}

void put(struct bytes *b, const void *data, size_t n)
{
	if (b->n + n > b->size) {
		b->size = 2 * (b->n + n) + 64;
		b->data = realloc(b->data, b->size);
		if (!b->data)
			die("no memory");
	}
	if (n > 0)
		memcpy(b->data + b->n, data, n);
	b->n += n;
}

void put_varint(struct bytes *b, uint64_t v)
{
	do {
		uint8_t byte = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
		put(b, &byte, 1);
		v >>= 7;
	} while (v > 0);
}

void put_number(struct bytes *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

void put_field(struct bytes *b, unsigned field, const void *data, size_t n)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	put(b, data, n);
}

void put_text(struct bytes *b, unsigned field, const char *text)
{
	put_field(b, field, text, strlen(text));
}

void put_message(struct bytes *b, unsigned field, struct bytes m)
{
	put_field(b, field, m.data, m.n);
	free(m.data);
}

/* An entry of a map of texts. */
void put_entry(struct bytes *b, unsigned field, const char *key, const char *value)
{
	struct bytes entry = {0};
	put_text(&entry, 1, key);
	put_text(&entry, 2, value);
	put_message(b, field, entry);
}

bool take_varint(struct bytes *b, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; b->n > 0 && shift < 64; shift += 7) {
		uint8_t byte = *b->data++;
		b->n--;
		*ret |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return false;
}

/* Returns the nth value of a field of bytes; an empty one if there is none. */
struct bytes get_nth(struct bytes m, unsigned field, unsigned nth)
{
	uint64_t tag, v;
	while (m.n > 0 && take_varint(&m, &tag)) {
		if ((tag & 7) > 2 || (tag & 7) == 1 || !take_varint(&m, &v))
			break;
		if ((tag & 7) == 0)
			continue;
		if (v > m.n)
			break;
		if (tag >> 3 == field && nth-- == 0)
			return (struct bytes){.data = m.data, .n = v};
		m.data += v;
		m.n -= v;
	}
	return (struct bytes){0};
}

struct bytes get(struct bytes m, unsigned field)
{
	return get_nth(m, field, 0);
}

char *text_of(struct bytes b)
{
	return strndup(b.data ? (const char *)b.data : "", b.n);
}

/* ---- SHA-256, for the digests of ops (FIPS 180-4) */

static uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void sha_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], v[8];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
		       p[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t a = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
			     ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
		uint32_t b = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
			     ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += a;
		v[0] = a + b;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

/* Returns "sha256:..."; owned by the caller. */
char *digest_text(struct bytes m)
{
	uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	struct bytes padded = {0};
	uint64_t bits = (uint64_t)m.n * 8;
	put(&padded, m.data, m.n);
	put(&padded, "\x80", 1);
	while (padded.n % 64 != 56)
		put(&padded, "", 1);
	for (int i = 7; i >= 0; i--)
		put(&padded, &(uint8_t){(uint8_t)(bits >> (8 * i))}, 1);
	for (size_t i = 0; i < padded.n; i += 64)
		sha_block(h, padded.data + i);
	free(padded.data);
	char *text = malloc(80);
	char *p = stpcpy(text, "sha256:");
	for (int i = 0; i < 8; i++)
		p += sprintf(p, "%08x", h[i]);
	return text;
}
