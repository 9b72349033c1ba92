/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cache_rig.h"
#include "lib/outcome.h"

/* Crashes are simulated by closing the cache, changing its files and opening it again. */
static void run_sql(struct rig *g, const char *sql)
{
	static const char *const known[] = {"", NULL};
	(void)known;
	g_autofree char *path = g_build_filename(g->path, "cache.db", NULL);
	char *argv[] = {(char *)"sqlite3", path, (char *)sql, NULL};
	GError *error = NULL;
	int status = 0;
	g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error);
	g_assert_no_error(error);
	g_assert_cmpint(status, ==, 0);
}

static char *id_of(cache_ref *r)
{
	char *id = g_strdup(cache_ref_id(r));
	cache_ref_unref(r);
	return id;
}

static void expect_gone(struct rig *g, const char *id)
{
	g_assert_null(cache_get(g->c, id, NULL));
}

static void expect_kept(struct rig *g, const char *id, const char *name, const char *text)
{
	g_autoptr(cache_ref) r = cache_get(g->c, id, NULL);
	g_assert_nonnull(r);
	rig_expect(g, r, name, text);
}

static void test_leftovers(struct rig *g, gconstpointer unused)
{
	g_autofree char *id = id_of(rig_record(g, NULL, "x", "1"));
	rig_close(g);
	static const char *const dirs[] = {
		"work/abc",   "work/abc/fs", "snapshots/unnamed", "snapshots/unnamed/fs", "trash/7",
		"trash/7/fs", "probe-x"};
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++)
		g_assert_cmpint(mkdirat(g->root, dirs[i], 0700), ==, 0);
	rig_open(g);
	rig_prune(g, &(struct cache_prune_options){.filters = (const char *const[]){"id==none", NULL}}, NULL);
	g_assert_cmpuint(rig_count(g, "work"), ==, 0);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 1);
	g_assert_cmpuint(rig_count(g, "trash"), ==, 0);
	g_assert_cmpint(faccessat(g->root, "probe-x", F_OK, 0), <, 0);
	expect_kept(g, id, "x", "1");
}

static void test_lost_tree(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) base = rig_record(g, NULL, "x", "1");
	g_autofree char *child = id_of(rig_record(g, base, "y", "2"));
	g_autofree char *other = id_of(rig_record(g, NULL, "z", "3"));
	g_autofree char *id = id_of(g_steal_pointer(&base));
	rig_close(g);
	g_autofree char *dir = g_strdup_printf("snapshots/%s", id);
	assert_succeeds(tree_remove_at(g->root, dir, &failure));
	rig_open(g);
	expect_gone(g, id);
	expect_gone(g, child);
	expect_kept(g, other, "z", "3");
	rig_prune(g, &(struct cache_prune_options){.filters = (const char *const[]){"id==none", NULL}}, NULL);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 1);
	rig_reopen(g);
	expect_gone(g, child);
}

static void test_lost_row(struct rig *g, gconstpointer unused)
{
	g_autofree char *id = id_of(rig_record(g, NULL, "x", "1"));
	rig_close(g);
	run_sql(g, "DELETE FROM record");
	rig_open(g);
	expect_gone(g, id);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 0);
}

static void test_lost_tree_of_known_layer(struct rig *g, gconstpointer unused)
{
	cache_ref *r = rig_record(g, NULL, "x", "1");
	struct cache_layer_options options = {.compression = COMPRESSION_GZIP, .level = -1};
	g_autoptr(GPtrArray) layers = cache_ref_layers(g->c, r, &options, NULL, NULL);
	g_assert_nonnull(layers);
	g_autofree char *id = id_of(r);
	rig_close(g);
	g_autofree char *dir = g_strdup_printf("snapshots/%s", id);
	assert_succeeds(tree_remove_at(g->root, dir, &failure));
	rig_open(g);
	expect_kept(g, id, "x", "1"); /* unpacked again from its own blob */
}

/* SIGKILL: committed records exist although the cache was not closed. */
static void test_kill(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) r = rig_record(g, NULL, "x", "1");
	cache_ref *torn = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
	rig_write(g, torn, "x", "half");
	g_autofree char *copy = g_dir_make_tmp("cache-test-XXXXXX", NULL);
	char *argv[] = {(char *)"cp", (char *)"-a", g_strconcat(g->path, "/.", NULL), copy, NULL};
	assert_succeeds(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, &failure));
	g_free(argv[2]);
	struct rig dead = {.path = copy, .snapshotter = g->snapshotter};
	dead.root = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rig_open(&dead);
	expect_kept(&dead, cache_ref_id(r), "x", "1");
	expect_gone(&dead, cache_ref_id(torn));
	rig_prune(&dead, &(struct cache_prune_options){.filters = (const char *const[]){"id==none", NULL}}, NULL);
	g_assert_cmpuint(rig_count(&dead, "work"), ==, 0);
	rig_close(&dead);
	cache_ref_unref(torn);
	close(dead.root);
	assert_succeeds(tree_remove_at(AT_FDCWD, copy, &failure));
}

/* Power failure: after a reboot the records that a sync covered are kept. */
static void test_power_cut(struct rig *g, gconstpointer unused)
{
	GError *error = NULL;
	g_autoptr(cache_ref) base = rig_record(g, NULL, "x", "1");
	g_assert_true(cache_sync(g->c, &error));
	g_autofree char *late = id_of(rig_record(g, base, "y", "2"));
	g_autofree char *mount = id_of(rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "exec.cachemount"));
	g_autofree char *local = id_of(rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "source.local"));
	cache_ref *blobbed = rig_record(g, NULL, "z", "3");
	struct cache_layer_options options = {.compression = COMPRESSION_GZIP, .level = -1};
	g_autoptr(GPtrArray) layers = cache_ref_layers(g->c, blobbed, &options, NULL, NULL);
	struct digest blob = ((struct cache_layer_result *)layers->pdata[0])->layer->descriptor->digest;
	g_autofree char *torn = id_of(blobbed);
	g_autofree char *id = id_of(g_steal_pointer(&base));
	rig_close(g);
	run_sql(g, "UPDATE record SET boot = 'an earlier one'");
	rig_open(g);
	expect_kept(g, id, "x", "1");
	expect_gone(g, late);
	expect_gone(g, torn);
	expect_gone(g, local);
	g_assert_false(blob_store_has(g->blobs, &blob));
	g_autoptr(cache_ref) m = cache_get_mutable(g->c, mount, &error);
	g_assert_no_error(error);
	/* A record that is used again stays synced. */
	rig_close(g);
	run_sql(g, "UPDATE record SET boot = 'yet another one'");
	rig_open(g);
	m = NULL;
	expect_kept(g, id, "x", "1");
}

static void test_damaged_database(struct rig *g, gconstpointer unused)
{
	g_autofree char *id = id_of(rig_record(g, NULL, "x", "1"));
	rig_close(g);
	tree_dir_write(g->root, "cache.db", "no database at all, and long enough to be looked at");
	rig_open(g);
	expect_gone(g, id);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 0);
	g_autofree char *again = id_of(rig_record(g, NULL, "x", "1"));
	expect_kept(g, again, "x", "1");
}

/* Rows that no daemon writes: each is dropped, and unrelated records are kept. */
static void test_strange_rows(struct rig *g, gconstpointer unused)
{
	/* %1$s a record, %2$s one on top of it. */
	static const char *const statements[] = {
		"UPDATE record SET parent = '%2$s' WHERE id = '%1$s'",
		"UPDATE record SET parent = id WHERE id = '%1$s'",
		"UPDATE record SET parent = 'nothing' WHERE id = '%1$s'",
		"UPDATE tree SET parent = '%2$s' WHERE id = '%1$s'",
		"UPDATE tree SET parent = id WHERE id = '%1$s'",
		"UPDATE tree SET over = id WHERE id = '%1$s'",
		"UPDATE tree SET over = '%2$s' WHERE id = '%1$s'",
		"UPDATE record SET kind = 1 WHERE id = '%1$s'",
		"UPDATE record SET kind = 2, inputs = '%2$s' WHERE id = '%1$s'",
		"UPDATE record SET kind = 1, parent = NULL, inputs = '%2$s;%1$s' WHERE id = '%1$s'",
		"UPDATE record SET kind = 77 WHERE id = '%1$s'",
		"UPDATE record SET id = '../../x' WHERE id = '%1$s'",
		"UPDATE record SET id = '' WHERE id = '%1$s'",
		"UPDATE record SET tree = '../x' WHERE id = '%1$s'",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(statements); i++) {
		g_autoptr(cache_ref) base = rig_record(g, NULL, "x", "1");
		g_autofree char *child = id_of(rig_record(g, base, "y", "2"));
		g_autofree char *other = id_of(rig_record(g, NULL, "z", "3"));
		g_autofree char *id = id_of(g_steal_pointer(&base));
		rig_close(g);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		g_autofree char *sql = g_strdup_printf(statements[i], id, child);
#pragma GCC diagnostic pop
		run_sql(g, sql);
		rig_open(g);
		expect_gone(g, id);
		expect_gone(g, child);
		expect_kept(g, other, "z", "3");
		rig_prune(g, &(struct cache_prune_options){.filters = (const char *const[]){"id==none", NULL}}, NULL);
		g_assert_cmpuint(rig_count(g, "snapshots"), ==, i + 1);
		rig_reopen(g);
		expect_gone(g, child);
	}
}

/* A twin that does not point back is ignored. */
static void test_strange_twin(struct rig *g, gconstpointer unused)
{
	g_autofree char *a = id_of(rig_record(g, NULL, "x", "1"));
	g_autofree char *b = id_of(rig_mutable(g, NULL, CACHE_POLICY_RETAIN, NULL));
	rig_close(g);
	g_autofree char *sql = g_strdup_printf("UPDATE record SET twin = '%s' WHERE id = '%s'", b, a);
	run_sql(g, sql);
	rig_open(g);
	expect_kept(g, a, "x", "1");
	rig_reopen(g);
	expect_kept(g, a, "x", "1");
}

static void test_digests(struct rig *g, gconstpointer unused)
{
	struct digest before, after;
	const struct contenthash_selector all = {.path = "/"};
	cache_ref *r = rig_record(g, NULL, "x", "1");
	assert_succeeds(cache_ref_checksum(g->c, r, &all, 1, NULL, &before, &failure));
	g_autofree char *id = id_of(r);
	rig_reopen(g);
	/* The size comes from the row, because the file may be missing. */
	g_autofree char *file = g_strdup_printf("snapshots/%s/fs/x", id);
	g_assert_cmpint(unlinkat(g->root, file, 0), ==, 0);
	g_autoptr(cache_ref) again = cache_get(g->c, id, NULL);
	assert_succeeds(cache_ref_checksum(g->c, again, &all, 1, NULL, &after, &failure));
	g_assert_cmpstr(before.text, ==, after.text);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/recovery/" name, struct rig, "auto", rig_set_up, fn, rig_tear_down)
	ADD("leftovers", test_leftovers);
	ADD("lost-tree", test_lost_tree);
	ADD("lost-row", test_lost_row);
	ADD("lost-tree-of-known-layer", test_lost_tree_of_known_layer);
	ADD("kill", test_kill);
	ADD("power-cut", test_power_cut);
	ADD("damaged-database", test_damaged_database);
	ADD("strange-rows", test_strange_rows);
	ADD("strange-twin", test_strange_twin);
	ADD("digests", test_digests);
	return g_test_run();
}
