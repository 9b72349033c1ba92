/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: runs a fuzz target over its corpus, as an ordinary test.
 *
 *	fuzz_x test/fuzz/corpus/x
 *
 * Each input is passed in a heap block of its exact size, so that the address sanitizer detects reads beyond it.
 */
#include <stdint.h>
#include <stdio.h>
#include <glib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void run(const char *bytes, size_t n)
{
	uint8_t *exact = g_memdup2(bytes, n);
	LLVMFuzzerTestOneInput(exact ? exact : (const uint8_t *)"", n);
	g_free(exact);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(argv[1], 0, &error);
	if (!dir) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	size_t count = 0;
	for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
		g_autofree char *path = g_build_filename(argv[1], name, NULL);
		g_autofree char *bytes = NULL;
		gsize n = 0;
		if (!g_file_get_contents(path, &bytes, &n, &error)) {
			fprintf(stderr, "%s\n", error->message);
			return 1;
		}
		run(bytes, n);
		count++;
	}
	printf("%zu inputs\n", count);
	return count > 0 ? 0 : 1;
}
