/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cache_rig.h"

static char *new_record(struct rig *g, cache_ref *parent, const char *type, size_t bytes)
{
	g_autofree char *text = g_strnfill(bytes, 'x');
	cache_ref *m = rig_mutable(g, parent, CACHE_POLICY_DEFAULT, type);
	rig_write(g, m, "data", text);
	cache_ref *r = rig_commit(m);
	char *id = g_strdup(cache_ref_id(r));
	cache_ref_unref(r);
	return id;
}

static void set_times(struct rig *g, const char *id, int64_t last_used_ns, int64_t uses)
{
	g_mutex_lock(&g->c->mu); /* a record is written behind our back */
	cache_ref *r = g_hash_table_lookup(g->c->records, id);
	r->last_used_ns = last_used_ns;
	r->uses = uses;
	g_mutex_unlock(&g->c->mu);
}

static void prune(struct rig *g, struct cache_prune_options options, const char *const *expected)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	rig_prune(g, &options, ids);
	guint n = g_strv_length((char **)expected);
	g_assert_cmpuint(ids->len, ==, n);
	for (guint i = 0; i < n; i++)
		g_assert_true(g_ptr_array_find_with_equal_func(ids, expected[i], g_str_equal, NULL));
}
#define IDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_everything(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) held = rig_record(g, NULL, "x", "1");
	g_autofree char *a = new_record(g, NULL, NULL, 100);
	g_autofree char *frontend = new_record(g, NULL, "frontend", 100);
	g_autofree char *internal = new_record(g, NULL, "internal", 100);
	g_autoptr(cache_ref) parent = cache_get(g->c, a, NULL);
	g_autofree char *child = new_record(g, parent, NULL, 100);
	g_clear_pointer(&parent, cache_ref_unref);
	g_assert_cmpuint(rig_usage(g), ==, 5);
	prune(g, (struct cache_prune_options){0}, IDS(a, child)); /* parents follow children */
	prune(g, (struct cache_prune_options){.all = true}, IDS(frontend, internal));
	g_assert_cmpuint(rig_usage(g), ==, 1);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 1);
	g_assert_cmpuint(rig_count(g, "trash"), ==, 0);
	rig_expect(g, held, "x", "1");
}

static void test_filters(struct rig *g, gconstpointer unused)
{
	const char *mount[] = {"type==exec.cachemount", NULL}, *bad[] = {"a=b", NULL};
	g_autofree char *a = new_record(g, NULL, NULL, 10);
	g_autofree char *b = new_record(g, NULL, "exec.cachemount", 10);
	g_autofree char *one_id = g_strdup_printf("id==%s", a);
	const char *by_id[] = {one_id, NULL};
	prune(g, (struct cache_prune_options){.filters = mount}, IDS(b));
	prune(g, (struct cache_prune_options){.filters = by_id}, IDS(a));
	GError *error = NULL;
	g_assert_false(cache_prune(g->c, &(struct cache_prune_options){.filters = bad}, NULL, NULL, NULL, &error));
	g_assert_true(g_str_has_prefix(error->message, "failed to parse prune filters [a=b]: filters: parse error: "));
	g_clear_error(&error);
	g_assert_null(cache_disk_usage(g->c, bad, &error));
	g_assert_true(g_str_has_prefix(error->message, "failed to parse diskusage filters [a=b]: filters: "));
	g_clear_error(&error);
}

static void test_keep_duration(struct rig *g, gconstpointer unused)
{
	const int64_t hour = 3600 * G_GINT64_CONSTANT(1000000000), now = g_get_real_time() * 1000;
	g_autofree char *old = new_record(g, NULL, NULL, 10);
	g_autofree char *recent = new_record(g, NULL, NULL, 10);
	g_autofree char *future = new_record(g, NULL, NULL, 10);
	set_times(g, old, now - 3 * hour, 1);
	set_times(g, recent, now - hour, 1);
	set_times(g, future, now + 100 * hour, 1); /* the clock was set back: counts as now */
	prune(g, (struct cache_prune_options){.keep_duration_ns = 2 * hour}, IDS(old));
	g_assert_cmpuint(rig_usage(g), ==, 2);
}

static int64_t total(struct rig *g)
{
	int64_t sum = 0;
	g_autoptr(GPtrArray) rows = cache_disk_usage(g->c, NULL, NULL);
	for (guint i = 0; i < rows->len; i++)
		sum += ((struct cache_usage *)rows->pdata[i])->size;
	return sum;
}

/* Rank of last use plus rank of use count, lowest first, one at a time until below the bound. */
static void test_order(struct rig *g, gconstpointer unused)
{
	char *ids[4];
	for (int i = 0; i < 4; i++)
		ids[i] = new_record(g, NULL, NULL, 1 << 20);
	set_times(g, ids[0], 1000, 9); /* 2/5 + 5/5 */
	set_times(g, ids[1], 2000, 1); /* 3/5 + 2/5 */
	set_times(g, ids[2], 3000, 2); /* 4/5 + 3/5 */
	set_times(g, ids[3], 4000, 3); /* 5/5 + 4/5 */
	int64_t all = total(g);
	g_assert_cmpint(all, >=, 4 << 20);
	prune(g, (struct cache_prune_options){.max_used_bytes = all + 1}, (const char *const[]){NULL});
	prune(g, (struct cache_prune_options){.max_used_bytes = all}, IDS(ids[1]));
	prune(g, (struct cache_prune_options){.max_used_bytes = all / 2 + 1}, IDS(ids[2])); /* 3/4 + 2/4 */
	/* reserved wins over the other bounds */
	prune(g, (struct cache_prune_options){.max_used_bytes = 1, .reserved_bytes = all}, (const char *const[]){NULL});
	/* a deficit of free space, down to what is reserved; never used goes first */
	set_times(g, ids[0], 0, 0);
	prune(g, (struct cache_prune_options){.min_free_bytes = INT64_MAX / 2, .reserved_bytes = all / 4 + 4096},
	      IDS(ids[0]));
	for (int i = 0; i < 4; i++)
		g_free(ids[i]);
}

/* Many records: every one goes once, parents after children, the bound is met and not overshot by a share. */
static void test_many(struct rig *g, gconstpointer unused)
{
	enum { N = 300 };
	g_autofree char *previous = NULL;
	for (int i = 0; i < N; i++) {
		g_autoptr(cache_ref) parent = previous && i % 3 ? cache_get(g->c, previous, NULL) : NULL;
		char *id = new_record(g, parent, NULL, 8192);
		set_times(g, id, 1000 + i, 1);
		g_free(previous);
		previous = id;
	}
	int64_t all = total(g), half = all / 2;
	rig_prune(g, &(struct cache_prune_options){.max_used_bytes = half}, NULL);
	int64_t left = total(g);
	g_assert_cmpint(left, <, half);
	g_assert_cmpint(left, >=, half - all / N);
	struct cache_prune_options rules[] = {{.filters = IDS("type==frontend")}, {.max_used_bytes = half / 2}};
	GError *error = NULL;
	g_assert_true(cache_collect(g->c, rules, G_N_ELEMENTS(rules), NULL, &error));
	g_assert_no_error(error);
	g_assert_cmpint(total(g), <, half / 2);
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	guint n = rig_usage(g);
	rig_prune(g, &(struct cache_prune_options){0}, ids);
	g_assert_cmpuint(ids->len, ==, n);
	g_assert_cmpuint(rig_usage(g), ==, 0);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 0);
}

static void removed(void *data, const char *id)
{
	g_ptr_array_add(data, g_strdup(id));
}

static void test_hook(struct rig *g, gconstpointer unused)
{
	g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
	cache_set_removed_hook(g->c, removed, gone);
	g_autofree char *a = new_record(g, NULL, NULL, 10);
	prune(g, (struct cache_prune_options){.all = true}, IDS(a));
	g_assert_cmpuint(gone->len, ==, 1);
	g_assert_cmpstr(gone->pdata[0], ==, a);
	cache_set_removed_hook(g->c, NULL, NULL);
}

static void test_usage(struct rig *g, gconstpointer unused)
{
	g_autofree char *a = new_record(g, NULL, NULL, 1 << 20);
	g_autoptr(cache_ref) parent = cache_get(g->c, a, NULL);
	g_autoptr(cache_ref) child = rig_record(g, parent, "x", "1");
	g_autoptr(cache_ref) mount = rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "exec.cachemount");
	g_autofree char *id = g_strdup(cache_ref_id(child));
	g_clear_pointer(&parent, cache_ref_unref);
	g_autoptr(GPtrArray) rows = cache_disk_usage(g->c, NULL, NULL);
	g_assert_cmpuint(rows->len, ==, 3);
	const struct cache_usage *u = rows->pdata[0], *v = rows->pdata[1], *w = rows->pdata[2];
	g_assert_cmpstr(u->id, ==, a);
	g_assert_true(u->in_use); /* by its child, which has a handle */
	g_assert_cmpint(u->size, >=, 1 << 20);
	g_assert_cmpint(u->usage_count, ==, 2);
	g_assert_cmpint(u->last_used_ns, >, u->created_ns);
	g_assert_cmpstr(v->parents[0], ==, a);
	g_assert_true(w->mutable_ && w->in_use);
	g_assert_cmpint(w->size, ==, 0);
	g_clear_pointer(&child, cache_ref_unref);
	g_autoptr(GPtrArray) later = cache_disk_usage(g->c, NULL, NULL);
	g_assert_false(((struct cache_usage *)later->pdata[0])->in_use);
	g_autofree char *parents = g_strdup_printf("parents==%s", a);
	g_autofree char *both = g_strdup_printf("id==%s,mutable", id);
	const char *filters[][3] = {{parents, NULL},   {both, NULL},      {"inuse", NULL},
				    {"mutable", NULL}, {"private", NULL}, {"shared", NULL}};
	guint counts[] = {1, 1, 1, 2, 3, 0};
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		g_autoptr(GPtrArray) some = cache_disk_usage(g->c, filters[i], NULL);
		g_assert_cmpuint(some->len, ==, counts[i]);
	}
	/* The same numbers after a restart. */
	g_clear_pointer(&mount, cache_ref_unref);
	int64_t before = total(g);
	rig_reopen(g);
	g_assert_cmpint(total(g), ==, before);
}

static void expect_mutable(struct rig *g, const char *id, bool want)
{
	bool found = false;
	g_autoptr(GPtrArray) rows = cache_disk_usage(g->c, NULL, NULL);
	for (guint i = 0; i < rows->len; i++) {
		const struct cache_usage *u = rows->pdata[i];
		if (strcmp(u->id, id) != 0)
			continue;
		found = true;
		g_assert_cmpint(u->mutable_, ==, want);
	}
	g_assert_true(found);
}

/* A committed, unused record is listed as mutable until something builds on it, also after a restart. */
static void test_open_records(struct rig *g, gconstpointer unused)
{
	cache_ref *r = rig_record(g, NULL, "f", "x");
	g_autofree char *id = g_strdup(cache_ref_id(r));
	expect_mutable(g, id, false);
	cache_ref_unref(r);
	expect_mutable(g, id, true);
	rig_reopen(g);
	expect_mutable(g, id, true);
	g_autoptr(cache_ref) again = cache_get(g->c, id, NULL);
	cache_ref_unref(rig_record(g, again, "g", "y"));
	g_clear_pointer(&again, cache_ref_unref);
	expect_mutable(g, id, false);
	static const char *const only_mutable[] = {"mutable", NULL};
	rig_prune(g, &(struct cache_prune_options){.filters = only_mutable}, NULL);
	expect_mutable(g, id, false);
	g_assert_cmpuint(rig_usage(g), ==, 1);
	rig_reopen(g);
	expect_mutable(g, id, false);
}

static void test_blobs(struct rig *g, gconstpointer unused)
{
	struct digest loose, held;
	blob_store_put(g->blobs, "loose", 5, &loose, NULL);
	blob_store_put(g->blobs, "held", 4, &held, NULL);
	blob_store_hold(g->blobs, &held);
	cache_ref *r = rig_record(g, NULL, "x", "1");
	struct cache_layer_options options = {.compression = COMPRESSION_GZIP, .level = -1};
	g_autoptr(GPtrArray) layers = cache_ref_layers(g->c, r, &options, NULL, NULL);
	struct digest layer = ((struct cache_layer_result *)layers->pdata[0])->layer->descriptor->digest;
	rig_prune(g, &(struct cache_prune_options){.all = true}, NULL);
	g_assert_false(blob_store_has(g->blobs, &loose));
	g_assert_true(blob_store_has(g->blobs, &held));
	g_assert_true(blob_store_has(g->blobs, &layer));
	cache_ref_unref(r);
	rig_prune(g, &(struct cache_prune_options){.all = true}, NULL);
	g_assert_false(blob_store_has(g->blobs, &layer));
	blob_store_release(g->blobs, &held);
}

static void test_twins(struct rig *g, gconstpointer unused)
{
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "source.local");
	g_autofree char *id = g_strdup(cache_ref_id(m));
	rig_write(g, m, "x", "1");
	cache_ref *i = cache_commit_twin(m, NULL, NULL);
	rig_prune(g, &(struct cache_prune_options){.all = true}, NULL);
	rig_expect(g, i, "x", "1");
	cache_ref_unref(i);
	prune(g, (struct cache_prune_options){.all = true}, IDS(id)); /* one row for both */
	g_assert_cmpuint(g_hash_table_size(g->c->records), ==, 0);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/prune/" name, struct rig, "auto", rig_set_up, fn, rig_tear_down)
	ADD("everything", test_everything);
	ADD("filters", test_filters);
	ADD("keep-duration", test_keep_duration);
	ADD("order", test_order);
	ADD("many", test_many);
	ADD("hook", test_hook);
	ADD("usage", test_usage);
	ADD("open-records", test_open_records);
	ADD("blobs", test_blobs);
	ADD("twins", test_twins);
	return g_test_run();
}
