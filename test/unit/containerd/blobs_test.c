/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_blobs.h"
#include "lib/fake_containerd.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <unistd.h>

struct rig {
	struct fake fake;
	ctd_client *client;
	int root;
	blob_store *blobs;
};

static void set_up(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	fake_init(&r->fake);
	const struct ctd_client_options options = {
		.loop = r->fake.loop, .address = r->fake.address, .namespace = "ns", .worker_id = "w"};
	r->client = ctd_client_new(&options, &error);
	g_assert_no_error(error);
	r->root = open(r->fake.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	void *self = ctd_blobs_open(r->client, NULL, r->root, &error);
	g_assert_no_error(error);
	r->blobs = blob_store_new(&ctd_blobs_backend, self);
}

static void tear_down(struct rig *r, gconstpointer data)
{
	blob_store_close(r->blobs);
	ctd_client_free(r->client);
	close(r->root);
	assert_succeeds(tree_remove_at(AT_FDCWD, r->fake.dir, &failure));
	fake_done(&r->fake);
}

static bool never(const struct digest *digest, void *data)
{
	return false;
}

static struct digest put(struct rig *r, const char *text)
{
	struct digest digest;
	g_autoptr(GError) error = NULL;
	blob_store_put(r->blobs, text, strlen(text), &digest, &error);
	g_assert_no_error(error);
	return digest;
}

static void assert_reads(struct rig *r, const struct digest *digest, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = blob_store_read(r->blobs, digest, 1000, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, strlen(text));
}

static bool lease_holds(struct rig *r, const char *resource)
{
	GHashTable *set = g_hash_table_lookup(r->fake.leases, "buildkit-w");
	return set && g_hash_table_contains(set, resource);
}

static void test_put(struct rig *r, gconstpointer data)
{
	struct digest digest = put(r, "hello");
	g_autofree char *resource = g_strconcat("content ", digest.text, NULL);
	g_assert_true(lease_holds(r, resource));
	g_assert_cmpint(blob_store_size(r->blobs, &digest), ==, 5);
	assert_reads(r, &digest, "hello");
	put(r, "hello"); /* containerd reports that it exists, which is a success */
	digest = put(r, "");
	g_assert_cmpint(blob_store_size(r->blobs, &digest), ==, 0);
	g_assert_cmpint(g_hash_table_size(r->fake.ingests), ==, 0);
}

static void test_adopt(struct rig *r, gconstpointer data)
{
	struct digest digest;
	digest_of("other", 5, &digest);
	g_assert_false(blob_store_adopt(r->blobs, &digest));
	g_hash_table_replace(r->fake.content, g_strdup(digest.text), g_bytes_new("other", 5));
	g_assert_false(blob_store_has(r->blobs, &digest)); /* it belongs to another client */
	g_assert_true(blob_store_adopt(r->blobs, &digest));
	g_assert_cmpint(blob_store_size(r->blobs, &digest), ==, 5);
	g_autofree char *resource = g_strconcat("content ", digest.text, NULL);
	g_assert_true(lease_holds(r, resource));
}

static void test_sweep(struct rig *r, gconstpointer data)
{
	struct digest kept = put(r, "kept"), gone = put(r, "gone");
	blob_store_hold(r->blobs, &kept);
	g_assert_cmpint(blob_store_sweep(r->blobs, never, NULL), ==, 4);
	g_assert_true(blob_store_has(r->blobs, &kept));
	g_assert_false(blob_store_has(r->blobs, &gone));
	g_autofree char *resource = g_strconcat("content ", gone.text, NULL);
	g_assert_false(lease_holds(r, resource));
	g_assert_cmpint(r->fake.collections, ==, 1); /* with a separate lease */
	g_assert_cmpint(g_hash_table_size(r->fake.leases), ==, 1);
	blob_store_release(r->blobs, &kept);
	blob_store_sweep(r->blobs, never, NULL);
	g_assert_cmpint(g_hash_table_size(r->fake.leases), ==, 0);
	g_assert_cmpint(r->fake.collections, ==, 2);
	blob_store_sweep(r->blobs, never, NULL); /* nothing was released */
	g_assert_cmpint(r->fake.collections, ==, 2);
	put(r, "again"); /* the lease is created again */
	g_assert_cmpint(g_hash_table_size(r->fake.leases), ==, 1);
}

static void test_dropped_writer(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *much = g_malloc0(3 * 1024 * 1024);
	blob_writer *w = blob_store_write(r->blobs, NULL, 100 * 1024 * 1024, &error);
	g_assert_true(blob_writer_append(w, much, 3 * 1024 * 1024, &error));
	g_assert_cmpint(g_hash_table_size(r->fake.ingests), ==, 1);
	blob_writer_free(w);
	g_assert_cmpint(g_hash_table_size(r->fake.ingests), ==, 0);
	GHashTable *set = g_hash_table_lookup(r->fake.leases, "buildkit-w");
	g_assert_cmpint(g_hash_table_size(set), ==, 0);
}

static void test_refused_write(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct digest digest;
	r->fake.refuse_writes = true;
	g_assert_false(blob_store_put(r->blobs, "x", 1, &digest, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_nonnull(strstr(error->message, "no space left on device"));
	digest_of("x", 1, &digest);
	g_assert_false(blob_store_has(r->blobs, &digest));
	r->fake.refuse_writes = false;
	put(r, "x");
}

/* Its blobs are available again; an interrupted write is aborted by the next connection. */
static void test_gone_and_back(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *much = g_malloc0(2 * 1024 * 1024);
	struct digest before = put(r, "before"), none;
	put(r, "lost");
	blob_writer *w = blob_store_write(r->blobs, NULL, 100 * 1024 * 1024, &error);
	g_assert_true(blob_writer_append(w, much, 2 * 1024 * 1024, &error));
	fake_stop(&r->fake);
	g_assert_false(blob_store_put(r->blobs, "away", 4, &none, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	g_assert_nonnull(strstr(error->message, "containerd at unix://"));
	blob_writer_free(w);
	g_assert_cmpint(g_hash_table_size(r->fake.ingests), ==, 1);
	/* A commit whose reply was lost, and a blob that was lost with the old containerd. */
	struct digest lost, unanswered;
	digest_of("unanswered", 10, &unanswered);
	GHashTable *held = g_hash_table_lookup(r->fake.leases, "buildkit-w");
	g_hash_table_replace(r->fake.content, g_strdup(unanswered.text), g_bytes_new("unanswered", 10));
	g_hash_table_add(held, g_strconcat("content ", unanswered.text, NULL));
	digest_of("lost", 4, &lost);
	g_autofree char *gone = g_strconcat("content ", lost.text, NULL);
	g_hash_table_remove(held, gone);
	g_hash_table_remove(r->fake.content, lost.text);
	fake_start(&r->fake);
	put(r, "back");
	assert_reads(r, &before, "before");
	assert_reads(r, &unanswered, "unanswered");
	g_assert_false(blob_store_has(r->blobs, &lost));
	g_assert_cmpint(g_hash_table_size(r->fake.ingests), ==, 0);
}

/* Of a previous daemon: its blobs are taken over, its temporary leases are not. */
static void test_reopen(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct digest digest = put(r, "kept");
	g_autofree char *work = ctd_lease_other(r->client, "unpack", &error);
	g_assert_nonnull(work);
	const struct ctd_client_options options = {
		.loop = r->fake.loop, .address = r->fake.address, .namespace = "ns", .worker_id = "w"};
	ctd_client *client = ctd_client_new(&options, &error);
	g_assert_no_error(error);
	g_assert_false(g_hash_table_contains(r->fake.leases, work));
	blob_store *again = blob_store_new(&ctd_blobs_backend, ctd_blobs_open(client, NULL, r->root, &error));
	g_assert_true(blob_store_has(again, &digest));
	blob_store_close(again);
	ctd_client_free(client);
}

/* Damage on disk is detected, and the blob is stored again. */
static void test_damage(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct digest digest = put(r, "sound");
	int fd = blob_store_find_verified(r->blobs, &digest, &error);
	g_assert_cmpint(fd, >=, 0); /* containerd has verified it */
	close(fd);
	g_hash_table_replace(r->fake.content, g_strdup(digest.text), g_bytes_new("s0und", 5));
	blob_store *again = blob_store_new(&ctd_blobs_backend, ctd_blobs_open(r->client, NULL, r->root, &error));
	g_assert_cmpint(blob_store_find_verified(again, &digest, &error), ==, -1);
	g_assert_true(error_is(error, ERROR_DATA_LOSS));
	g_assert_false(g_hash_table_contains(r->fake.content, digest.text));
	assert_succeeds(blob_store_put(again, "sound", 5, NULL, &failure));
	fd = blob_store_find_verified(again, &digest, NULL);
	g_assert_cmpint(fd, >=, 0);
	close(fd);
	blob_store_close(again);
}

static void test_no_containerd(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	const struct ctd_client_options options = {
		.loop = r->fake.loop, .address = "/nowhere/sock", .namespace = "ns", .worker_id = "w"};
	g_assert_null(ctd_client_new(&options, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	g_assert_true(g_str_has_prefix(error->message, "containerd at unix:///nowhere/sock: "));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct rig *r, gconstpointer data);
	} tests[] = {
		{"/blobs/put", test_put},
		{"/blobs/adopt", test_adopt},
		{"/blobs/sweep", test_sweep},
		{"/blobs/dropped-writer", test_dropped_writer},
		{"/blobs/refused-write", test_refused_write},
		{"/blobs/gone-and-back", test_gone_and_back},
		{"/blobs/reopen", test_reopen},
		{"/blobs/damage", test_damage},
		{"/blobs/no-containerd", test_no_containerd},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].name, struct rig, NULL, set_up, tests[i].run, tear_down);
	return g_test_run();
}
