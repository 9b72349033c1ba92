/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ssh_wire.h"
#include <string.h>

static struct ssh_reader reader_of(const void *bytes, size_t n)
{
	return (struct ssh_reader){{bytes, n}, false};
}

static void test_read(void)
{
	struct ssh_reader r = reader_of("\0\0\0\7\0\0\0\3abc\0\0\0\0", 15);
	g_assert_cmpuint(ssh_read_uint32(&r), ==, 7);
	g_assert_true(slice_is(ssh_read_string(&r), "abc"));
	g_assert_true(slice_is(ssh_read_string(&r), ""));
	g_assert_false(r.failed);
	g_assert_cmpuint(r.rest.len, ==, 0);
	ssh_read_uint32(&r);
	g_assert_true(r.failed);
}

/* A length beyond the end, and reads after it. */
static void test_read_short(void)
{
	struct ssh_reader r = reader_of("\0\0\0\4abc\0\0\0\1x", 12), endless = reader_of("\377\377\377\377a", 5);
	struct ssh_reader cut = reader_of("\0\0\0", 3);
	g_assert_cmpuint(ssh_read_string(&r).len, ==, 4);
	g_assert_false(r.failed);
	g_assert_cmpuint(ssh_read_string(&r).len, ==, 0);
	g_assert_true(r.failed);
	g_assert_cmpuint(ssh_read_uint32(&r), ==, 0);
	g_assert_cmpuint(ssh_read_string(&endless).len, ==, 0);
	g_assert_true(endless.failed);
	g_assert_cmpuint(ssh_read_uint32(&cut), ==, 0);
	g_assert_true(cut.failed);
}

/* RFC 4251, section 5: the non-negative examples of mpint, and 0x7f, which needs no leading zero. */
static void test_numbers(void)
{
	static const struct {
		const char *hex, *wire;
		size_t n;
	} rows[] = {
		{"0", "\0\0\0\0", 4},
		{"9a378f9b2e332a7", "\0\0\0\10\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 12},
		{"80", "\0\0\0\2\0\x80", 6},
		{"7f", "\0\0\0\1\x7f", 5},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		BIGNUM *number = NULL;
		g_autoptr(GByteArray) out = g_byte_array_new();
		BN_hex2bn(&number, rows[i].hex);
		ssh_put_number(out, number);
		g_assert_cmpmem(out->data, out->len, rows[i].wire, rows[i].n);
		struct ssh_reader r = reader_of(out->data, out->len);
		BIGNUM *again = ssh_read_number(&r, 64);
		g_assert_nonnull(again);
		g_assert_cmpint(BN_cmp(number, again), ==, 0);
		BN_free(number);
		BN_clear_free(again);
	}
}

static void test_bad_numbers(void)
{
	struct ssh_reader negative = reader_of("\0\0\0\1\x80", 5), wide = reader_of("\0\0\0\2\1\1", 6);
	struct ssh_reader long_one = reader_of("\0\0\0\3\0\0\1", 7), fits = reader_of("\0\0\0\2\0\x81", 6);
	g_assert_null(ssh_read_number(&negative, 64));
	g_assert_true(negative.failed);
	g_assert_null(ssh_read_number(&wide, 8));
	g_assert_true(wide.failed);
	g_assert_null(ssh_read_number(&long_one, 8));
	BIGNUM *number = ssh_read_number(&fits, 8);
	g_assert_true(BN_is_word(number, 0x81));
	BN_clear_free(number);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/ssh-wire/read", test_read);
	g_test_add_func("/ssh-wire/read-short", test_read_short);
	g_test_add_func("/ssh-wire/numbers", test_numbers);
	g_test_add_func("/ssh-wire/bad-numbers", test_bad_numbers);
	return g_test_run();
}
