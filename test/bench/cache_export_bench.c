/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_export [RECORDS]: what sharing so many records (5,000, then four times as many) costs beyond the bytes of their
 * layers: keys walked out of a store on disk, the config written, read, and indexed for a build. Half of the records
 * are one long chain, half lie beside each other on one base. One line a figure, wall time; nothing is judged here.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "remotecache/cache_config.h"
#include "solver/import.h"
#include "solver/key_walk.h"

#define LAYERS_A_CHAIN 100

static void add(key_store *k, const char *from, guint digest_of_step, const char *to)
{
	g_autofree char *digest = g_strdup_printf("sha256:step%u", digest_of_step);
	struct key_link link = {.digest = digest, .selector = ""};
	key_store_add_link(k, from, &link, to);
	key_store_add_result(k, to, to, digest_of_step + 1);
}

static char *fill(key_store *k, guint n)
{
	g_autofree char *base = key_root("sha256:base", 0);
	g_autofree char *before = g_strdup(base);
	for (guint i = 0; i < n / 2; i++) {
		char *to = g_strdup_printf("chain%u", i);
		add(k, before, i, to);
		g_free(before);
		before = to;
	}
	for (guint i = 0; i < n / 2; i++) {
		g_autofree char *to = g_strdup_printf("wide%u", i);
		add(k, base, n + i, to);
		g_autofree char *join = g_strdup_printf("sha256:join%u", i);
		struct key_link link = {.digest = "sha256:join", .input = 1 + i % 100, .selector = join};
		key_store_add_link(k, to, &link, "end");
	}
	struct key_link link = {.digest = "sha256:join", .selector = ""};
	key_store_add_link(k, before, &link, "end");
	key_store_flush(k, false, NULL);
	return g_strdup("end");
}

static double since(gint64 *from)
{
	gint64 now = g_get_monotonic_time(), took = now - *from;
	*from = now;
	return (double)took / 1000;
}

/* A layer a record, in chains of at most LAYERS_A_CHAIN. */
static cache_config *configure(const key_graph *g)
{
	cache_config *c = cache_config_new();
	for (guint r = 0; r < g->records->len; r++) {
		const struct key_record *from = key_graph_get(g, r);
		struct digest blob;
		digest_of(&r, sizeof r, &blob);
		guint layer = cache_config_add_layer(c, &blob, r % LAYERS_A_CHAIN == 0 ? -1 : (int64_t)r - 1);
		key_graph_add(c->keys, from->digest, from->n_inputs);
		for (guint i = 0; i < from->n_inputs; i++)
			for (guint k = 0; k < from->inputs[i]->len; k++) {
				const struct key_input *link = &g_array_index(from->inputs[i], struct key_input, k);
				key_graph_link(c->keys, r, i, link->selector, link->from);
			}
		if (from->n_inputs > 0)
			cache_config_add_result(c, r, false, &layer, 1, r);
	}
	return c;
}

static bool load(void *self, guint record, guint result, struct work *work, void **ret_result, GError **error)
{
	return false;
}

static void *part(void *self, guint of_record, guint of_result, void *loaded, guint record, guint result)
{
	return NULL;
}

static void nothing(void *self)
{
}

static void measure(guint n)
{
	static const struct solver_import_class class = {.load = load, .part = part, .free = nothing};
	char dir[] = "/tmp/cache_export_XXXXXX";
	int fd = g_mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	key_store *k = key_store_open(fd, NULL);
	g_autofree char *end = fill(k, n);
	gint64 clock = g_get_monotonic_time();
	g_autoptr(key_walk) w = key_walk_new();
	key_walk_from(w, end);
	while (key_walk_step(w, k, 256))
		;
	g_autoptr(key_graph) g = key_walk_graph(w);
	g_print("records %u\n  walk %.1f ms\n", g->records->len, since(&clock));
	g_autoptr(cache_config) c = configure(g);
	size_t n_text;
	g_autofree char *text = cache_config_write(c, &n_text, NULL);
	g_print("  write %.1f ms, %zu bytes\n", since(&clock), n_text);
	g_autoptr(GError) error = NULL;
	g_autoptr(cache_config) back = cache_config_parse(text, n_text, &error);
	if (!back)
		g_error("%s", error->message);
	g_print("  parse %.1f ms\n", since(&clock));
	g_autoptr(solver_import) i = solver_import_new(g_steal_pointer(&back->keys), &class, NULL);
	g_print("  index %.1f ms\n", since(&clock));
	key_store_close(k);
	close(fd);
	g_autofree char *command = g_strdup_printf("rm -r %s", dir);
	if (system(command) != 0)
		g_printerr("%s is left\n", dir);
}

int main(int argc, char **argv)
{
	guint n = argc > 1 ? (guint)strtoul(argv[1], NULL, 10) : 5000;
	measure(n);
	measure(4 * n);
	return 0;
}
