/* SPDX-License-Identifier: Apache-2.0 */
#include "format/openpgp.h"
#include <string.h>

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define SIGNATURES_MAX 16

/* ---- armor (RFC 4880, section 6) */

struct line {
	const char *at;
	size_t n; /* without white space around it */
};

static bool line_next(struct openpgp_armor *r, struct line *ret)
{
	if (r->at == r->end)
		return false;
	const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at)), *end = newline ? newline : r->end;
	*ret = (struct line){r->at, (size_t)(end - r->at)};
	r->at = newline ? newline + 1 : r->end;
	while (ret->n > 0 && g_ascii_isspace(ret->at[ret->n - 1]))
		ret->n--;
	for (; ret->n > 0 && g_ascii_isspace(*ret->at); ret->n--)
		ret->at++;
	return true;
}

static bool line_is(const struct line *l, const char *prefix)
{
	size_t n = strlen(prefix);
	return l->n >= n && memcmp(l->at, prefix, n) == 0;
}

/* Returns the type of "-----BEGIN TYPE-----", or NULL. Owned. */
static char *begin_of(const struct line *l)
{
	size_t before = strlen(BEGIN), after = strlen(DASHES);
	if (!line_is(l, BEGIN) || l->n <= before + after || memcmp(l->at + l->n - after, DASHES, after) != 0)
		return NULL;
	return g_strndup(l->at + before, l->n - before - after);
}

/* False: the text ends before the body begins. */
static bool headers_skip(struct openpgp_armor *r)
{
	struct line l;
	while (line_next(r, &l))
		if (l.n == 0)
			return true;
	return false;
}

static bool is_base64(const struct line *l)
{
	size_t n = l->n;
	while (n > 0 && l->at[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!g_ascii_isalnum(l->at[i]) && l->at[i] != '+' && l->at[i] != '/')
			return false;
	return true;
}

static GBytes *body_read(struct openpgp_armor *r, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct line l;
	bool padded = false;
	while (line_next(r, &l)) {
		if (line_is(&l, END)) {
			gsize n = 0;
			guchar *bytes = text->len > 0 ? g_base64_decode(text->str, &n) : NULL;
			return g_bytes_new_take(bytes, n);
		}
		if (l.n == 0 || *l.at == '=') /* a checksum */
			continue;
		if (padded || !is_base64(&l))
			break;
		padded = l.at[l.n - 1] == '=';
		g_string_append_len(text, l.at, (gssize)l.n);
	}
	return error_null(error, ERROR_INVALID_ARGUMENT, "openpgp: invalid data: armor invalid");
}

bool openpgp_armor_next(struct openpgp_armor *r, char **ret_type, GBytes **ret, GError **error)
{
	struct line l;
	while (line_next(r, &l)) {
		g_autofree char *type = begin_of(&l);
		if (!type)
			continue;
		GBytes *bytes = headers_skip(r) ? body_read(r, error) : NULL;
		if (!bytes)
			return error && *error ? false
					       : error_set(error, ERROR_INVALID_ARGUMENT,
							   "openpgp: invalid data: armor invalid");
		*ret_type = g_steal_pointer(&type);
		*ret = bytes;
		return true;
	}
	return false;
}

/* ---- packets (RFC 4880, section 4) */

enum { TAG_SIGNATURE = 2, TAG_SECRET_KEY = 5, TAG_PUBLIC_KEY = 6, TAG_PUBLIC_SUBKEY = 14 };
enum { VERSION = 4, KEY_REVOCATION = 0x20, SUBKEY_REVOCATION = 0x28 };
enum { RSA = 1, RSA_ENCRYPT = 2, RSA_SIGN = 3 };

struct reader {
	const uint8_t *at;
	size_t left;
};
struct packet {
	unsigned tag;
	const uint8_t *body;
	size_t n;
};

static bool number_read(struct reader *r, unsigned bytes, size_t *ret)
{
	if (r->left < bytes)
		return false;
	*ret = 0;
	for (; bytes > 0; bytes--, r->at++, r->left--)
		*ret = *ret << 8 | *r->at;
	return true;
}

/* Lengths of the new format; parts of unknown number are not used for keys and signatures. */
static bool new_length_read(struct reader *r, size_t *ret)
{
	size_t first, second;
	if (!number_read(r, 1, &first))
		return false;
	if (first < 192) {
		*ret = first;
		return true;
	}
	if (first == 255)
		return number_read(r, 4, ret);
	if (first >= 224 || !number_read(r, 1, &second))
		return false;
	*ret = ((first - 192) << 8) + second + 192;
	return true;
}

static bool old_length_read(struct reader *r, unsigned kind, size_t *ret)
{
	return kind < 3 && number_read(r, 1U << kind, ret);
}

/* False at the end and for damaged packets: then left is not 0. */
static bool packet_next(struct reader *r, struct packet *ret)
{
	struct reader at = *r;
	size_t head, n;
	if (!number_read(&at, 1, &head) || !(head & 0x80))
		return false;
	bool is_new = (head & 0x40) != 0;
	if (is_new ? !new_length_read(&at, &n) : !old_length_read(&at, head & 3, &n))
		return false;
	if (n > at.left)
		return false;
	*ret = (struct packet){(unsigned)(is_new ? head & 0x3F : head >> 2 & 0x0F), at.at, n};
	*r = (struct reader){at.at + n, at.left - n};
	return true;
}

static bool invalid(const char *what, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "openpgp: invalid data: %s", what);
}

bool openpgp_signature_read(const void *bytes, size_t n, struct openpgp_signature *ret, GError **error)
{
	struct reader r = {bytes, n};
	struct packet p;
	struct openpgp_signature first = {0};
	unsigned count = 0;
	for (; packet_next(&r, &p); count++) {
		if (p.tag != TAG_SIGNATURE)
			return invalid("non signature packet found", error);
		if (p.n < 4 || p.body[0] != VERSION)
			return invalid("unsupported version of a signature", error);
		if (count == SIGNATURES_MAX)
			return invalid("too many signatures", error);
		if (count == 0)
			first = (struct openpgp_signature){p.body[1], p.body[2], p.body[3]};
	}
	if (r.left > 0)
		return invalid("damaged packet", error);
	if (count == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "no signature packet found");
	*ret = first;
	return true;
}

/* ---- keys */

static bool has_fingerprint(const struct packet *p, const char *fingerprint)
{
	if (p->n < 6 || p->n > 0xFFFF || p->body[0] != VERSION)
		return false;
	const guchar head[] = {0x99, (guchar)(p->n >> 8), (guchar)p->n};
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
	g_checksum_update(sum, head, sizeof head);
	g_checksum_update(sum, p->body, (gssize)p->n);
	return g_ascii_strcasecmp(g_checksum_get_string(sum), fingerprint) == 0;
}

/* version, time (4 bytes), algorithm, then the modulus with its length in bits (2 bytes) */
static unsigned rsa_bits(const struct packet *p)
{
	unsigned algorithm = p->body[5];
	if ((algorithm != RSA && algorithm != RSA_ENCRYPT && algorithm != RSA_SIGN) || p->n < 8)
		return 0;
	return (unsigned)p->body[6] << 8 | p->body[7];
}

static bool is_revocation(const struct packet *p)
{
	return p->tag == TAG_SIGNATURE && p->n >= 2 && p->body[0] == VERSION &&
	       (p->body[1] == KEY_REVOCATION || p->body[1] == SUBKEY_REVOCATION);
}

bool openpgp_keys_check(const void *bytes, size_t n, GError **error)
{
	struct reader r = {bytes, n};
	struct packet p;
	while (packet_next(&r, &p))
		continue;
	return r.left == 0 || invalid("damaged packet", error);
}

bool openpgp_key_find(const void *bytes, size_t n, const char *fingerprint, struct openpgp_key *ret)
{
	struct reader r = {bytes, n};
	struct packet p;
	struct openpgp_key key = {0};
	bool found = false;
	while (packet_next(&r, &p)) {
		bool begins = p.tag == TAG_PUBLIC_KEY || p.tag == TAG_SECRET_KEY;
		if (begins && found)
			break;
		if (begins)
			key.has_revocations = false;
		key.has_revocations |= is_revocation(&p);
		if (!found && (p.tag == TAG_PUBLIC_KEY || p.tag == TAG_PUBLIC_SUBKEY) &&
		    has_fingerprint(&p, fingerprint)) {
			found = true;
			key.rsa_bits = rsa_bits(&p);
		}
	}
	if (found)
		*ret = key;
	return found;
}
