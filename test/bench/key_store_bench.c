/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_store [KEYS]: fills a store with so many keys (2,000,000), then asks for links and results of known and unknown
 * ones, cold and warm. One line a figure; nothing is judged here.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "solver/key_store.h"

#define LOOKUPS 20000
#define BATCH 20000

static char *key_name(guint i)
{
	return g_strdup_printf("key%u", i);
}

static struct key_link link_of(guint i, char digest[DIGEST_TEXT_SIZE])
{
	struct digest d;
	digest_of(&i, sizeof i, &d);
	g_strlcpy(digest, d.text, DIGEST_TEXT_SIZE);
	return (struct key_link){.digest = digest, .selector = ""};
}

static void fill(key_store *k, guint n)
{
	for (guint i = 0; i < n; i++) {
		char digest[DIGEST_TEXT_SIZE];
		struct key_link link = link_of(i, digest);
		g_autofree char *from = key_name(i), *to = key_name(i + 1), *result = g_strdup_printf("result%u", i);
		key_store_add_link(k, from, &link, to);
		key_store_add_result(k, to, result, i);
		if (i % BATCH == BATCH - 1 && !key_store_flush(k, false, NULL))
			g_error("a batch was not written");
	}
	key_store_flush(k, false, NULL);
}

static int compare(const void *a, const void *b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
	return (x > y) - (x < y);
}

static void look_up(key_store *k, const char *what, guint n, guint offset)
{
	static gint64 times[LOOKUPS];
	guint found = 0;
	for (guint i = 0; i < LOOKUPS; i++) {
		guint which = (guint)((guint64)i * 7919 % n) + offset;
		char digest[DIGEST_TEXT_SIZE];
		struct key_link link = link_of(which, digest);
		g_autofree char *from = key_name(which);
		g_autoptr(GHashTable) targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		g_autoptr(GArray) results = g_array_new(FALSE, FALSE, sizeof(struct key_result));
		gint64 begin = g_get_monotonic_time();
		key_store_find(k, from, &link, targets);
		key_store_results(k, from, results);
		times[i] = g_get_monotonic_time() - begin;
		found += g_hash_table_size(targets);
		for (guint r = 0; r < results->len; r++)
			g_free(g_array_index(results, struct key_result, r).id);
	}
	qsort(times, LOOKUPS, sizeof *times, compare);
	g_print("%s: %u of %u found, median %" G_GINT64_FORMAT " us, 99%% %" G_GINT64_FORMAT
		" us, worst %" G_GINT64_FORMAT " us\n",
		what, found, LOOKUPS, times[LOOKUPS / 2], times[LOOKUPS / 100 * 99], times[LOOKUPS - 1]);
}

int main(int argc, char **argv)
{
	guint n = argc > 1 ? (guint)g_ascii_strtoull(argv[1], NULL, 10) : 2000000;
	g_autofree char *root = g_dir_make_tmp("key-store-XXXXXX", NULL);
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(GError) error = NULL;
	key_store *k = key_store_open(fd, &error);
	g_assert_no_error(error);
	gint64 begin = g_get_monotonic_time();
	fill(k, n);
	g_print("filled with %u keys in %.1f s\n", n, (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC);
	key_store_close(k);
	begin = g_get_monotonic_time();
	k = key_store_open(fd, &error);
	g_assert_no_error(error);
	g_print("opened in %" G_GINT64_FORMAT " us\n", g_get_monotonic_time() - begin);
	look_up(k, "known, cold", n, 0);
	look_up(k, "known, again", n, 0);
	look_up(k, "unknown", n, n + 1);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	g_print("peak memory %ld kB\n", usage.ru_maxrss);
	key_store_close(k);
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
		unlinkat(fd, name, 0);
	close(fd);
	g_rmdir(root);
	return 0;
}
