/* SPDX-License-Identifier: Apache-2.0 */
#include "progress/progress.h"
#include "lib/cache_rig.h"

struct pair {
	struct rig a, b; /* layers are made in a and imported in b */
	gint fetches;    /* atomic */
	bool fail;       /* the provider's next fetches fail */
};

static void set_up(struct pair *p, gconstpointer name)
{
	rig_set_up(&p->a, name);
	rig_set_up(&p->b, name);
}

static void tear_down(struct pair *p, gconstpointer unused)
{
	rig_tear_down(&p->a, NULL);
	rig_tear_down(&p->b, NULL);
}

static bool copy_blob(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
		      GError **error)
{
	struct pair *p = self;
	g_atomic_int_inc(&p->fetches);
	if (p->fail)
		return error_set(error, ERROR_UNAVAILABLE, "the registry is away");
	g_autoptr(GBytes) bytes = blob_store_read(p->a.blobs, digest, 1 << 24, error);
	struct digest got;
	return bytes && blob_store_put(into, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &got, error);
}

static blob_provider *provider_new(struct pair *p)
{
	static const struct blob_provider_class class = {.fetch = copy_blob};
	return blob_provider_new(&class, p);
}

static GPtrArray *layers_of(struct rig *g, cache_ref *r, struct cache_layer_options options)
{
	GError *error = NULL;
	options.level = -1;
	GPtrArray *layers = cache_ref_layers(g->c, r, &options, NULL, &error);
	g_assert_no_error(error);
	return layers;
}

static const oci_layer *layer_at(GPtrArray *layers, guint i)
{
	g_assert_cmpuint(i, <, layers->len);
	return ((struct cache_layer_result *)layers->pdata[i])->layer;
}

static cache_ref *three(struct rig *g)
{
	g_autoptr(cache_ref) one = rig_record(g, NULL, "one", "1");
	g_autoptr(cache_ref) two = rig_record(g, one, "two", "2");
	cache_ref *m = rig_mutable(g, two, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	g_assert_cmpint(unlinkat(fd, "one", 0), ==, 0);
	tree_dir_write(fd, "two", "changed");
	close(fd_steal(&fd));
	return rig_commit(m);
}

static cache_ref *import(struct pair *p, GPtrArray *layers, blob_provider *provider)
{
	g_autoptr(cache_ref) parent = NULL;
	for (guint i = 0; i < layers->len; i++) {
		GError *error = NULL;
		struct cache_record_options options = {.description = "pulled"};
		cache_ref *next = cache_add_layer(p->b.c, parent, layer_at(layers, i), provider, &options, &error);
		g_assert_no_error(error);
		cache_ref_unref(parent);
		parent = next;
	}
	return g_steal_pointer(&parent);
}

static void test_round_trip(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) r = three(&p->a);
	g_autoptr(GPtrArray) layers = layers_of(
		&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP, .oci_media_types = true});
	g_assert_cmpuint(layers->len, ==, 3);
	g_assert_cmpstr(layer_at(layers, 2)->descriptor->media_type, ==, OCI_LAYER_GZIP);
	g_assert_null(((struct cache_layer_result *)layers->pdata[0])->provider);
	/* Made once: the second call returns the same blobs. */
	g_autoptr(GPtrArray) again = layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_ZSTD});
	for (guint i = 0; i < 3; i++)
		g_assert_true(digest_equal(&layer_at(layers, i)->descriptor->digest,
					   &layer_at(again, i)->descriptor->digest));
	g_assert_cmpstr(layer_at(again, 2)->descriptor->media_type, ==, DOCKER_LAYER_GZIP);

	g_autoptr(blob_provider) provider = provider_new(p);
	g_autoptr(cache_ref) lazy = import(p, layers, provider);
	g_assert_cmpint(p->fetches, ==, 0);
	g_autoptr(cache_ref) same = import(p, layers, provider);
	g_assert_true(lazy == same);
	g_autoptr(GPtrArray) remote = layers_of(
		&p->b, lazy, (struct cache_layer_options){.compression = COMPRESSION_GZIP, .oci_media_types = true});
	g_assert_nonnull(((struct cache_layer_result *)remote->pdata[0])->provider);
	g_assert_cmpint(p->fetches, ==, 0);
	rig_expect(&p->b, lazy, "two", "changed");
	rig_expect(&p->b, lazy, "one", NULL);
	rig_expect(&p->b, cache_ref_parent(lazy), "one", "1");
	g_assert_cmpint(p->fetches, ==, 3);
	/* A child of an imported record reports the imported blobs unchanged. */
	g_autoptr(cache_ref) child = rig_record(&p->b, lazy, "three", "3");
	g_autoptr(GPtrArray) four = layers_of(
		&p->b, child, (struct cache_layer_options){.compression = COMPRESSION_GZIP, .oci_media_types = true});
	g_assert_cmpuint(four->len, ==, 4);
	g_assert_true(digest_equal(&layer_at(layers, 1)->descriptor->digest, &layer_at(four, 1)->descriptor->digest));
}

static void expect_foreign(struct rig *g, cache_ref *r)
{
	g_autoptr(GPtrArray) kept =
		layers_of(g, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP, .prefer_nondist = true});
	const oci_descriptor *foreign = layer_at(kept, 0)->descriptor, *own = layer_at(kept, 1)->descriptor;
	g_assert_cmpstr(foreign->media_type, ==, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
	g_assert_cmpuint(foreign->urls ? g_strv_length(foreign->urls) : 0, ==, 2);
	g_assert_cmpstr(foreign->urls[0], ==, "https://example.com/layer");
	g_assert_cmpstr(foreign->urls[1], ==, "https://example.org/layer");
	g_assert_null(foreign->annotations);
	g_assert_cmpstr(own->media_type, ==, DOCKER_LAYER_GZIP);
	g_assert_null(own->urls);
	g_autoptr(GPtrArray) converted = layers_of(g, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_assert_cmpstr(layer_at(converted, 0)->descriptor->media_type, ==, DOCKER_LAYER_GZIP);
	g_assert_null(layer_at(converted, 0)->descriptor->urls);
}

/* The URLs of a non-distributable layer are kept, also in the database. */
static void test_foreign(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) r = three(&p->a);
	g_autoptr(GPtrArray) layers =
		layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	oci_descriptor *d = layer_at(layers, 0)->descriptor;
	g_free(d->media_type);
	d->media_type = g_strdup("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
	d->urls = g_strsplit("https://example.com/layer https://example.org/layer", " ", -1);
	g_autoptr(blob_provider) provider = provider_new(p);
	cache_ref *image = import(p, layers, provider);
	expect_foreign(&p->b, image);
	rig_expect(&p->b, image, "one", NULL); /* the blobs are local now */
	g_autofree char *id = g_strdup(cache_ref_id(image));
	cache_ref_unref(image);
	rig_reopen(&p->b);
	g_autoptr(cache_ref) again = cache_get(p->b.c, id, NULL);
	g_assert_nonnull(again);
	expect_foreign(&p->b, again);
}

static void test_force(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) r = three(&p->a);
	struct cache_layer_options gzip = {.compression = COMPRESSION_GZIP, .oci_media_types = true};
	struct cache_layer_options zstd = {.compression = COMPRESSION_ZSTD, .oci_media_types = true, .force = true};
	struct cache_layer_options none = {.compression = COMPRESSION_NONE, .oci_media_types = true, .force = true};
	g_autoptr(GPtrArray) a = layers_of(&p->a, r, gzip);
	g_autoptr(GPtrArray) b = layers_of(&p->a, r, zstd);
	g_autoptr(GPtrArray) c = layers_of(&p->a, r, none);
	g_autoptr(GPtrArray) d = layers_of(&p->a, r, gzip);
	for (guint i = 0; i < 3; i++) {
		g_assert_cmpstr(layer_at(b, i)->descriptor->media_type, ==, OCI_LAYER_ZSTD);
		g_assert_cmpstr(layer_at(c, i)->descriptor->media_type, ==, OCI_LAYER);
		g_assert_true(digest_equal(&layer_at(c, i)->descriptor->digest, &layer_at(c, i)->diff_id));
		g_assert_true(digest_equal(&layer_at(a, i)->diff_id, &layer_at(b, i)->diff_id));
		g_assert_true(digest_equal(&layer_at(a, i)->descriptor->digest, &layer_at(d, i)->descriptor->digest));
	}
	g_autofree char *id = g_strdup(cache_ref_id(r));
	struct digest zstd_digest = layer_at(b, 2)->descriptor->digest;
	g_clear_pointer(&r, cache_ref_unref);
	rig_reopen(&p->a);
	r = cache_get(p->a.c, id, NULL);
	g_autoptr(GPtrArray) e = layers_of(&p->a, r, zstd);
	g_assert_true(digest_equal(&layer_at(e, 2)->descriptor->digest, &zstd_digest));
}

#define TABLE_DIGEST "containerd.io/snapshot/stargz/toc.digest"

static bool has_table(GPtrArray *layers, guint i)
{
	const oci_descriptor *d = layer_at(layers, i)->descriptor;
	g_assert_cmpstr(d->media_type, ==, OCI_LAYER_GZIP);
	g_assert_null(oci_descriptor_annotation(d, "containerd.io/uncompressed"));
	return oci_descriptor_annotation(d, TABLE_DIGEST) != NULL;
}

static void expect_same_layers(GPtrArray *a, GPtrArray *b)
{
	for (guint i = 0; i < 3; i++) {
		g_assert_true(digest_equal(&layer_at(a, i)->descriptor->digest, &layer_at(b, i)->descriptor->digest));
		g_assert_true(digest_equal(&layer_at(a, i)->diff_id, &layer_at(b, i)->diff_id));
	}
}

/* Reported layers can be unpacked elsewhere: their diff ids match their blobs. */
static void expect_tree_elsewhere(struct pair *p, GPtrArray *layers)
{
	g_autoptr(blob_provider) provider = provider_new(p);
	g_autoptr(cache_ref) there = import(p, layers, provider);
	rig_expect(&p->b, there, "two", "changed");
	rig_expect(&p->b, there, "one", NULL);
	rig_expect(&p->b, there, "stargz.index.json", NULL);
}

/* Made as first, then forced to second, and again after a restart: two sets of layers that unpack to the same tree. */
static void estargz_both(struct pair *p, enum compression first, enum compression second)
{
	g_autoptr(cache_ref) r = three(&p->a);
	struct cache_layer_options own = {.compression = first, .oci_media_types = true};
	struct cache_layer_options forced = {.compression = second, .oci_media_types = true, .force = true};
	g_autoptr(GPtrArray) a = layers_of(&p->a, r, own);
	g_autoptr(GPtrArray) b = layers_of(&p->a, r, forced);
	for (guint i = 0; i < 3; i++) {
		g_assert_true(has_table(a, i) == (first == COMPRESSION_ESTARGZ));
		g_assert_true(has_table(b, i) == (second == COMPRESSION_ESTARGZ));
		g_assert_false(digest_equal(&layer_at(a, i)->diff_id, &layer_at(b, i)->diff_id));
	}
	expect_tree_elsewhere(p, a);
	expect_tree_elsewhere(p, b);
	g_autofree char *id = g_strdup(cache_ref_id(r));
	g_clear_pointer(&r, cache_ref_unref);
	rig_reopen(&p->a);
	r = cache_get(p->a.c, id, NULL);
	g_autoptr(GPtrArray) a_again = layers_of(&p->a, r, own);
	g_autoptr(GPtrArray) b_again = layers_of(&p->a, r, forced);
	expect_same_layers(a, a_again);
	expect_same_layers(b, b_again);
	g_assert_true(has_table(b_again, 2) == (second == COMPRESSION_ESTARGZ));
}

static void test_to_estargz(struct pair *p, gconstpointer unused)
{
	estargz_both(p, COMPRESSION_GZIP, COMPRESSION_ESTARGZ);
}

static void test_from_estargz(struct pair *p, gconstpointer unused)
{
	estargz_both(p, COMPRESSION_ESTARGZ, COMPRESSION_GZIP);
}

static void test_empty_layer(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) one = rig_record(&p->a, NULL, "one", "1");
	g_autoptr(cache_ref) same = rig_commit(rig_mutable(&p->a, one, CACHE_POLICY_DEFAULT, NULL));
	struct digest empty;
	char tar[1024] = {0};
	digest_of(tar, sizeof tar, &empty);
	g_autoptr(GPtrArray) layers =
		layers_of(&p->a, same, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_assert_cmpuint(layers->len, ==, 2);
	g_assert_cmpstr(layer_at(layers, 1)->diff_id.text, ==, empty.text);
	g_autoptr(GPtrArray) none =
		layers_of(&p->a, NULL, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_assert_cmpuint(none->len, ==, 0);
}

static void test_shared_chain(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) r = three(&p->a);
	g_autoptr(GPtrArray) gzip = layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_autoptr(GPtrArray) zstd =
		layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_ZSTD, .force = true});
	g_autoptr(blob_provider) provider = provider_new(p);
	g_autoptr(cache_ref) a = import(p, gzip, provider);
	rig_expect(&p->b, a, "two", "changed");
	g_autoptr(cache_ref) b = import(p, zstd, provider);
	g_assert_true(a != b);
	int before = p->fetches;
	rig_expect(&p->b, b, "two", "changed"); /* the same content: nothing is fetched or unpacked */
	g_assert_cmpint(p->fetches, ==, before);
	g_assert_true(a->tree == b->tree);
}

static void test_failures(struct pair *p, gconstpointer unused)
{
	GError *error = NULL;
	g_autoptr(cache_ref) r = three(&p->a);
	g_autoptr(GPtrArray) layers =
		layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_autoptr(blob_provider) provider = provider_new(p);
	g_autoptr(cache_ref) lazy = import(p, layers, provider);
	p->fail = true;
	g_assert_cmpint(cache_ref_open_tree(p->b.c, lazy, CACHE_TREE_READ, NULL, &error), ==, -1);
	g_assert_cmpstr(error->message, ==, "the registry is away");
	g_clear_error(&error);
	p->fail = false;
	rig_expect(&p->b, lazy, "two", "changed");
	/* A layer that does not match its config's diff id is never found. */
	g_autoptr(oci_layer) liar = oci_layer_copy(layer_at(layers, 1));
	digest_of_text("something else", &liar->diff_id);
	g_autoptr(cache_ref) bad = cache_add_layer(p->b.c, NULL, liar, provider, NULL, &error);
	g_assert_no_error(error);
	/* Repeated, because the writer removes the remains of failed attempts asynchronously. */
	for (int i = 0; i < 60; i++) {
		g_assert_cmpint(cache_ref_open_tree(p->b.c, bad, CACHE_TREE_READ, NULL, &error), ==, -1);
		g_assert_error(error, error_domain(), ERROR_DATA_LOSS);
		g_assert_nonnull(strstr(error->message, "layer 0: diff id mismatch"));
		g_clear_error(&error);
	}
	g_autoptr(oci_layer) honest = oci_layer_copy(layer_at(layers, 0));
	g_autoptr(cache_ref) good = cache_add_layer(p->b.c, NULL, honest, provider, NULL, &error);
	rig_expect(&p->b, good, "one", "1");
	/* A canceled fetch can be retried as well. */
	g_autoptr(cancel) stop = cancel_new(NULL);
	cancel_set(stop, ERROR_CANCELED, NULL);
	struct work work = {.cancel = stop};
	g_autoptr(oci_layer) other = oci_layer_copy(layer_at(layers, 2));
	g_autoptr(cache_ref) late = cache_add_layer(p->b.c, good, other, provider, NULL, &error);
	g_assert_cmpint(cache_ref_open_tree(p->b.c, late, CACHE_TREE_READ, &work, &error), ==, -1);
	g_assert_error(error, error_domain(), ERROR_CANCELED);
	g_clear_error(&error);
	rig_expect(&p->b, late, "two", "changed");
}

static void test_status(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) r = rig_record(&p->a, NULL, "one", "1");
	g_autoptr(GPtrArray) layers =
		layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_autoptr(blob_provider) provider = provider_new(p);
	g_autoptr(cache_ref) lazy = import(p, layers, provider);
	g_autoptr(progress_sink) sink = progress_sink_new(&(struct progress_vertex){.digest = "sha256:x", .name = "x"});
	g_autoptr(progress_log) log = progress_log_new();
	progress_sink_add(sink, log);
	struct work work = {.progress = sink};
	scoped_fd fd = cache_ref_open_tree(p->b.c, lazy, CACHE_TREE_READ, &work, NULL);
	progress_log_close(log);
	g_autoptr(progress_reader) reader = progress_reader_new(log, NULL);
	g_autofree char *want = g_strdup_printf("extracting %s", layer_at(layers, 0)->descriptor->digest.text);
	bool ended = false;
	for (GPtrArray *events; (events = progress_reader_next(reader, 0)); g_ptr_array_unref(events))
		for (guint i = 0; i < events->len; i++) {
			const struct progress_event *e = events->pdata[i];
			ended |= e->type == PROGRESS_STATUS && strcmp(e->status.id, want) == 0 &&
				 e->status.completed_ns != 0;
		}
	g_assert_true(ended);
}

/* Work on a lazy layer is reported on the vertex that provides it, as a separate interval. */
static void test_vertex_of_lazy_layer(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) r = rig_record(&p->a, NULL, "one", "1");
	g_autoptr(GPtrArray) layers =
		layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_autoptr(blob_provider) provider = provider_new(p);
	g_autoptr(progress_sink) from =
		progress_sink_new(&(struct progress_vertex){.digest = "sha256:f", .name = "FROM"});
	g_autoptr(progress_sink) run =
		progress_sink_new(&(struct progress_vertex){.digest = "sha256:r", .name = "RUN"});
	g_autoptr(progress_log) log = progress_log_new();
	progress_sink_add(from, log);
	progress_sink_start(from);
	progress_sink_complete(from, NULL, false);
	struct cache_record_options options = {.progress = from};
	g_autoptr(cache_ref) lazy = cache_add_layer(p->b.c, NULL, layer_at(layers, 0), provider, &options, NULL);
	struct work work = {.progress = run};
	p->fail = true;
	g_assert_cmpint(cache_ref_open_tree(p->b.c, lazy, CACHE_TREE_READ, &work, NULL), ==, -1);
	p->fail = false;
	scoped_fd fd = cache_ref_open_tree(p->b.c, lazy, CACHE_TREE_READ, &work, NULL);
	scoped_fd again = cache_ref_open_tree(p->b.c, lazy, CACHE_TREE_READ, &work, NULL);
	progress_log_close(log);
	g_autoptr(progress_reader) reader = progress_reader_new(log, NULL);
	guint completed = 0, failed = 0, statuses = 0;
	for (GPtrArray *events; (events = progress_reader_next(reader, 0)); g_ptr_array_unref(events))
		for (guint i = 0; i < events->len; i++) {
			const struct progress_event *e = events->pdata[i];
			g_assert_cmpstr(e->vertex, ==, "sha256:f");
			completed += e->type == PROGRESS_VERTEX && e->v.completed_ns != 0;
			failed += e->type == PROGRESS_VERTEX && e->v.error != NULL;
			statuses += e->type == PROGRESS_STATUS;
		}
	g_assert_cmpuint(completed, ==, 3);
	g_assert_cmpuint(failed, ==, 1);
	g_assert_cmpuint(statuses, >=, 1);
}

/* After a restart a record without provider is complete only if its data is local. */
static void test_restart(struct pair *p, gconstpointer unused)
{
	g_autoptr(cache_ref) r = three(&p->a);
	g_autoptr(GPtrArray) layers =
		layers_of(&p->a, r, (struct cache_layer_options){.compression = COMPRESSION_GZIP});
	g_autoptr(blob_provider) provider = provider_new(p);
	cache_ref *lazy = import(p, layers, provider);
	g_autofree char *id = g_strdup(cache_ref_id(lazy));
	cache_ref_unref(lazy);
	rig_reopen(&p->b);
	g_assert_null(cache_get(p->b.c, id, NULL));
	lazy = import(p, layers, provider);
	g_assert_cmpstr(cache_ref_id(lazy), ==, id);
	rig_expect(&p->b, lazy, "two", "changed");
	cache_ref_unref(lazy);
	rig_reopen(&p->b);
	lazy = cache_get(p->b.c, id, NULL);
	rig_expect(&p->b, lazy, "two", "changed");
	cache_ref_unref(lazy);
}

int main(int argc, char **argv)
{
	static const char *const snapshotters[] = {"auto", "native"};
	static const struct {
		const char *name;
		void (*fn)(struct pair *p, gconstpointer unused);
	} tests[] = {
		{"foreign", test_foreign},           {"round-trip", test_round_trip},       {"force", test_force},
		{"to-estargz", test_to_estargz},     {"from-estargz", test_from_estargz},   {"empty", test_empty_layer},
		{"shared-chain", test_shared_chain}, {"failures", test_failures},           {"status", test_status},
		{"restart", test_restart},           {"vertex", test_vertex_of_lazy_layer},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t s = 0; s < G_N_ELEMENTS(snapshotters); s++)
		for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path = g_strdup_printf("/layers/%s/%s", snapshotters[s], tests[i].name);
			g_test_add(path, struct pair, snapshotters[s], set_up, tests[i].fn, tear_down);
		}
	return g_test_run();
}
