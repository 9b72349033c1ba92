/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "api/wire_fault.h"
#include "ops.pb-c.h"

static const struct {
	const char *bytes;
	size_t n;
	const char *text; /* NULL: none */
} definitions[] = {
	{"\x0a\x02hi", 4, NULL},
	{"\x7a\x01x", 3, NULL},
	{"\x7b\x08\x01\x7c", 4, NULL},
	{"this is", 7, "proto: Definition: wiretype end group for non-group"},
	{"\x00", 1, "proto: Definition: illegal tag 0 (wire type 0)"},
	{"\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10,
	 "proto: Definition: illegal tag -1 (wire type 18446744073709551608)"},
	{"\x08\x01", 2, "proto: wrong wireType = 0 for field Def"},
	{"\x12\x00\x18\x00", 4, "proto: wrong wireType = 0 for field Source"},
	{"\x0a\x05h", 3, "unexpected EOF"},
	{"\x0a", 1, "unexpected EOF"},
	{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, "proto: integer overflow"},
	{"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "proto: negative length found during unmarshaling"},
	{"\x7e", 1, "proto: illegal wireType 6"},
	{"\x7b\x08", 2, "unexpected EOF"},
	{"\x79xxxx", 5, "unexpected EOF"},
	/* in a message within a message within a map */
	{"\x12\x05\x12\x03\x0b\x01x", 7, "proto: wrong wireType = 3 for field IgnoreCache"},
	{"\x12\x05\x12\x03\x12\x01\x0b", 7, "unexpected EOF"},
};

static void test_definitions(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(definitions); i++) {
		g_autofree uint8_t *exact = g_memdup2(definitions[i].bytes, definitions[i].n);
		g_autofree char *text = wire_fault(&pb__definition__descriptor, exact, definitions[i].n);
		g_assert_cmpstr(text, ==, definitions[i].text);
	}
	g_assert_null(wire_fault(&pb__definition__descriptor, NULL, 0));
}

/* Message and field names as in Go. */
static void test_names(void)
{
	g_autofree char *field = wire_fault(&pb__op__descriptor, (const uint8_t *)"\x22\x02\x08\x01", 4);
	g_assert_null(field);
	g_autofree char *action = wire_fault(&pb__op__descriptor, (const uint8_t *)"\x22\x04\x12\x02\x22\x00", 6);
	g_assert_null(action);
	g_autofree char *in_copy =
		wire_fault(&pb__op__descriptor, (const uint8_t *)"\x22\x06\x12\x04\x22\x02\x22\x00", 8);
	g_assert_cmpstr(in_copy, ==, "proto: wrong wireType = 2 for field Mode");
	g_autofree char *group = wire_fault(&pb__op__descriptor, (const uint8_t *)"\x12\x01\x0c", 3);
	g_assert_cmpstr(group, ==, "proto: ExecOp: wiretype end group for non-group");
}

/* Messages that Go accepts get the guard's own texts. */
static void test_preferred(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} cases[] = {{"\x0c", 1, "proto: Input: wiretype end group for non-group"},
		     {"\x0a\x01\xff", 3, "invalid protobuf message: digest: not valid UTF-8"}};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(
			guard_unpack_go(&pb__input__descriptor, (const uint8_t *)cases[i].bytes, cases[i].n, &error));
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
		g_assert_cmpstr(error->message, ==, cases[i].text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/wire-fault/definitions", test_definitions);
	g_test_add_func("/wire-fault/names", test_names);
	g_test_add_func("/wire-fault/preferred", test_preferred);
	return g_test_run();
}
