/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cache_rig.h"
#include "lib/outcome.h"

/* Builds, pulls, digests, exports, disk usage and prune run concurrently. Most useful under TSan. */
#define THREADS 4
#define ROUNDS 25

struct shared {
	struct rig rig;
	cache_ref *base;
	GPtrArray *layers; /* of base's chain, made before */
	GBytes **blobs;
	gint fetches, stop; /* atomic */
};

static bool give(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
		 GError **error)
{
	struct shared *s = self;
	g_atomic_int_inc(&s->fetches);
	for (guint i = 0; i < s->layers->len; i++) {
		const struct cache_layer_result *one = s->layers->pdata[i];
		struct digest got;
		if (digest_equal(&one->layer->descriptor->digest, digest))
			return blob_store_put(into, g_bytes_get_data(s->blobs[i], NULL), g_bytes_get_size(s->blobs[i]),
					      &got, error);
	}
	return error_set(error, ERROR_NOT_FOUND, "no such blob");
}

static cache_ref *pull(struct shared *s, blob_provider *provider)
{
	cache_ref *parent = NULL;
	for (guint i = 0; i < s->layers->len; i++) {
		GError *error = NULL;
		const struct cache_layer_result *one = s->layers->pdata[i];
		cache_ref *next = cache_add_layer(s->rig.c, parent, one->layer, provider, NULL, &error);
		g_assert_no_error(error);
		cache_ref_unref(parent);
		parent = next;
	}
	return parent;
}

static gpointer builder(gpointer data)
{
	struct shared *s = data;
	static const struct blob_provider_class class = {.fetch = give};
	g_autoptr(blob_provider) provider = blob_provider_new(&class, s);
	for (int i = 0; i < ROUNDS; i++) {
		GError *error = NULL;
		struct digest d;
		const struct contenthash_selector all = {.path = "/"};
		struct cache_layer_options options = {.compression = COMPRESSION_GZIP, .level = 1};
		g_autoptr(cache_ref) image = pull(s, provider);
		g_autofree char *text = g_strdup_printf("%p %d", data, i);
		g_autoptr(cache_ref) step = rig_record(&s->rig, image, "out", text);
		rig_expect(&s->rig, step, "out", text);
		rig_expect(&s->rig, image, "one", "1");
		cache_ref_checksum(s->rig.c, image, &all, 1, NULL, &d, &error);
		g_assert_no_error(error);
		g_autoptr(GPtrArray) layers = cache_ref_layers(s->rig.c, i % 4 ? image : step, &options, NULL, &error);
		g_assert_no_error(error);
		cache_ref_set_name(step, "step", NULL);
		g_autoptr(cache_ref) same = cache_get(s->rig.c, cache_ref_id(step), &error);
		g_assert_true(same == step);
	}
	return NULL;
}

static gpointer pruner(gpointer data)
{
	struct shared *s = data;
	while (!g_atomic_int_get(&s->stop)) {
		rig_prune(&s->rig, &(struct cache_prune_options){.all = true}, NULL);
		rig_usage(&s->rig);
		assert_succeeds(cache_sync(s->rig.c, &failure));
		g_strfreev(cache_find_named(s->rig.c, "step"));
		/* A pause in which the other threads make what the next round removes: time itself. */
		g_usleep(2000);
	}
	return NULL;
}

static void test_all_at_once(void)
{
	struct shared s = {0};
	rig_set_up(&s.rig, "auto");
	g_autoptr(cache_ref) one = rig_record(&s.rig, NULL, "one", "1");
	s.base = rig_record(&s.rig, one, "two", "2");
	struct cache_layer_options options = {.compression = COMPRESSION_GZIP, .level = -1, .oci_media_types = true};
	s.layers = cache_ref_layers(s.rig.c, s.base, &options, NULL, NULL);
	s.blobs = g_new0(GBytes *, s.layers->len);
	for (guint i = 0; i < s.layers->len; i++) {
		const struct cache_layer_result *r = s.layers->pdata[i];
		s.blobs[i] = blob_store_read(s.rig.blobs, &r->layer->descriptor->digest, 1 << 20, NULL);
	}
	g_clear_pointer(&one, cache_ref_unref);
	cache_ref_unref(s.base);
	rig_prune(&s.rig, &(struct cache_prune_options){.all = true}, NULL);
	GThread *threads[THREADS];
	for (size_t i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("builder", builder, &s);
	GThread *cleaner = g_thread_new("pruner", pruner, &s);
	for (size_t i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	g_atomic_int_set(&s.stop, 1);
	g_thread_join(cleaner);
	rig_prune(&s.rig, &(struct cache_prune_options){.all = true}, NULL);
	g_assert_cmpuint(rig_usage(&s.rig), ==, 0);
	g_assert_cmpuint(rig_count(&s.rig, "snapshots"), ==, 0);
	g_assert_cmpuint(rig_count(&s.rig, "content/blobs/sha256"), ==, 0);
	for (guint i = 0; i < s.layers->len; i++)
		g_bytes_unref(s.blobs[i]);
	g_free(s.blobs);
	g_ptr_array_unref(s.layers);
	rig_tear_down(&s.rig, NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/concurrency/all-at-once", test_all_at_once);
	return g_test_run();
}
