/* SPDX-License-Identifier: Apache-2.0 */
#include "progress/log_file.h"
#include <string.h>

static GBytes *file_new(const char *const *messages)
{
	GByteArray *file = g_byte_array_new();
	for (; *messages; messages++) {
		g_autoptr(GBytes) message = g_bytes_new(*messages, strlen(*messages));
		log_file_append(file, message);
	}
	return g_byte_array_free_to_bytes(file);
}

static void test_round_trip(void)
{
	static const char *const messages[] = {"one", "", "three", NULL};
	g_autoptr(GBytes) file = file_new(messages);
	gsize n_file;
	const uint8_t *bytes = g_bytes_get_data(file, &n_file), *message = NULL;
	g_assert_cmpmem(bytes, 7, "\3\0\0\0one", 7);
	size_t at = 0, n = 0;
	g_autoptr(GError) error = NULL;
	for (const char *const *m = messages; *m; m++) {
		g_assert_true(log_file_next(file, &at, &message, &n, &error));
		g_assert_cmpmem(message, n, *m, strlen(*m));
	}
	g_assert_cmpuint(at, ==, n_file);
	g_assert_false(log_file_next(file, &at, &message, &n, &error));
	g_assert_no_error(error);
}

/* Cut at each byte of the second message: the first one is still read. */
static void test_truncated(void)
{
	static const char *const messages[] = {"one", "second", NULL};
	g_autoptr(GBytes) file = file_new(messages);
	for (size_t cut = 11; cut < g_bytes_get_size(file); cut++) {
		g_autoptr(GBytes) part = g_bytes_new_from_bytes(file, 0, cut);
		g_autoptr(GError) error = NULL;
		const uint8_t *message = NULL;
		size_t at = 0, n = 0;
		g_assert_true(log_file_next(part, &at, &message, &n, &error));
		g_assert_false(log_file_next(part, &at, &message, &n, &error));
		g_assert_true(error_is(error, ERROR_DATA_LOSS));
		g_assert_cmpuint(at, ==, 7);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/round-trip", test_round_trip);
	g_test_add_func("/truncated", test_truncated);
	return g_test_run();
}
