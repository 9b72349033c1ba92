/* SPDX-License-Identifier: Apache-2.0 */
#include "history/history.h"
#include "api/guard.h"
#include "base/scope.h"
#include "control.pb-c.h"
#include "db/db.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	char *dir;
	int fd;
	history *h;
	GHashTable *attrs, *metadata;
};

static void setup(struct fixture *f, gconstpointer data)
{
	f->dir = g_dir_make_tmp("history-XXXXXX", NULL);
	f->fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->h = history_open(f->fd, f->dir, &(struct history_limits){.max_age_ns = 1, .max_entries = 2}, NULL);
	g_assert_nonnull(f->h);
	f->attrs = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(f->attrs, (void *)"context", (void *)"https://user:secret@example.com/r.git");
	f->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_bytes_unref);
	g_hash_table_insert(f->metadata, (void *)"key", g_bytes_new("value", 5));
}

static void teardown(struct fixture *f, gconstpointer data)
{
	history_close(f->h);
	g_hash_table_unref(f->attrs);
	g_hash_table_unref(f->metadata);
	static const char *const names[] = {"history.db", "history.db-wal", "history.db-shm"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		unlinkat(f->fd, names[i], 0);
	fd_close(&f->fd);
	g_assert_cmpint(g_rmdir(f->dir), ==, 0);
	g_free(f->dir);
}

static struct history_build build_of(const struct fixture *f, const char *ref, int64_t started_ns)
{
	return (struct history_build){
		.ref = ref, .frontend = "dockerfile.v0", .frontend_attrs = f->attrs, .started_ns = started_ns};
}

static void on_event(void *data)
{
	++*(int *)data;
}

/* The next event; NULL: none now. */
static Control__BuildHistoryEvent *take(history_listener *l, bool *ret_end)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = history_listener_take(l, ret_end, &error);
	g_assert_no_error(error);
	gsize n = 0;
	const uint8_t *data = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	return bytes ? guard_unpack(&control__build_history_event__descriptor, data, n, NULL) : NULL;
}

static void complete(struct fixture *f, const char *ref, int64_t started_ns)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) log = g_bytes_new("log", 3);
	struct history_build build = build_of(f, ref, started_ns);
	struct history_end end = {.completed_ns = started_ns + 10, .log = log, .metadata = f->metadata};
	history_started(f->h, &build);
	g_assert_true(history_completed(f->h, &build, &end, &error));
}

/* Refs of the stored records that match, oldest first. */
static char *stored(struct fixture *f, const char *filter)
{
	const char *const filters[] = {filter, NULL};
	int calls = 0;
	bool end = false;
	history_listener *l = history_listen(
		f->h, &(struct history_query){.ref = "", .early_exit = true, .filters = filter ? filters : NULL},
		on_event, &calls, NULL);
	GString *refs = g_string_new(NULL);
	for (Control__BuildHistoryEvent *e; (e = take(l, &end));) {
		g_assert_cmpint(e->type, ==, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE);
		g_string_append_printf(refs, "%s ", e->record->ref);
		guard_free(e);
	}
	g_assert_true(end);
	history_listener_free(l);
	return g_string_free(refs, FALSE);
}

static void check_started(history_listener *l)
{
	bool end;
	Control__BuildHistoryEvent *e = take(l, &end);
	g_assert_cmpint(e->type, ==, CONTROL__BUILD_HISTORY_EVENT_TYPE__STARTED);
	g_assert_cmpstr(e->record->ref, ==, "r1");
	g_assert_null(e->record->completedat);
	g_assert_cmpint(e->record->createdat->seconds, ==, 1);
	g_assert_cmpint(e->record->createdat->nanos, ==, 5);
	g_assert_cmpuint(e->record->n_exporters, ==, 2);
	g_assert_cmpstr(e->record->exporters[1]->type, ==, "image");
	g_assert_cmpstr(e->record->frontendattrs[0]->key, ==, "context");
	g_assert_null(strstr(e->record->frontendattrs[0]->value, "secret"));
	guard_free(e);
}

static void check_completed(history_listener *l, const struct digest *image, const struct digest *predicate)
{
	bool end;
	Control__BuildHistoryEvent *e = take(l, &end);
	const Control__BuildHistoryRecord *r = e->record;
	g_assert_cmpint(e->type, ==, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE);
	g_assert_cmpint(r->completedat->seconds, ==, 2);
	g_assert_cmpint(r->numcachedsteps, ==, 1);
	g_assert_cmpint(r->numtotalsteps, ==, 4);
	g_assert_cmpint(r->numcompletedsteps, ==, 3);
	g_assert_cmpint(r->numwarnings, ==, 2);
	g_assert_cmpint(r->error->code, ==, ERROR_CANCELED);
	g_assert_cmpstr(r->error->message, ==, "stopped");
	g_assert_cmpstr(r->exporterresponse[0]->value, ==, "value");
	g_assert_cmpint(r->logs->size, ==, 3);
	g_assert_cmpint(r->externalerror->size, ==, 6);
	g_assert_cmpstr(r->result->resultdeprecated->digest, ==, image->text);
	g_assert_cmpint(r->result->results[0]->key, ==, 1);
	g_assert_cmpstr(r->result->attestations[0]->digest, ==, predicate->text);
	g_assert_cmpstr(r->results[0]->key, ==, "linux/arm64");
	g_assert_cmpstr(r->results[0]->value->attestations[0]->annotations[0]->value, ==, "type");
	guard_free(e);
}

static void check_blob(history *h, GBytes *expected)
{
	struct digest digest;
	digest_of(g_bytes_get_data(expected, NULL), g_bytes_get_size(expected), &digest);
	g_autoptr(GBytes) blob = history_blob(h, digest.text);
	g_assert_nonnull(blob);
	g_assert_true(g_bytes_equal(blob, expected));
}

static void test_events(struct fixture *f, gconstpointer data)
{
	int calls = 0;
	bool end;
	history_listener *l =
		history_listen(f->h, &(struct history_query){.ref = "", .active_only = true}, on_event, &calls, NULL);
	g_assert_null(take(l, &end));
	g_assert_false(end);
	struct digest digest;
	digest_of_text("image", &digest);
	g_autoptr(GPtrArray) documents = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_ptr_array_add(documents, g_bytes_new("image", 5));
	gsize n_large = 17 * 1024 * 1024; /* an SBOM */
	g_ptr_array_add(documents, g_bytes_new_take(g_malloc0(n_large), n_large));
	oci_descriptor *root = oci_descriptor_new("application/vnd.oci.image.manifest.v1+json", &digest, 5);
	g_autoptr(GBytes) predicate = g_bytes_new("{}", 2);
	struct digest predicate_digest;
	digest_of_text("{}", &predicate_digest);
	oci_descriptor *statement = oci_descriptor_new("application/vnd.in-toto+json", &predicate_digest, 2);
	oci_descriptor_annotate(statement, "in-toto.io/predicate-type", "type");
	const struct history_attestation attestations[] = {{"", statement, predicate},
							   {"linux/arm64", statement, predicate}};
	const struct history_image images[] = {{1, root, documents}};
	const struct history_exporter exporters[] = {{"local", f->attrs}, {"image", f->attrs}};
	g_autoptr(GBytes) log = g_bytes_new("log", 3), status = g_bytes_new("status", 6);
	struct history_build build = build_of(f, "r1", 1000000005);
	build.exporters = exporters;
	build.n_exporters = G_N_ELEMENTS(exporters);
	g_autoptr(GError) failure = NULL, error = NULL;
	error_set(&failure, ERROR_CANCELED, "stopped");
	struct history_end fin = {.completed_ns = 2000000006,
				  .counts = {.cached = 1, .total = 4, .completed = 3, .warnings = 2},
				  .log = log,
				  .failure = failure,
				  .status = status,
				  .metadata = f->metadata,
				  .attestations = attestations,
				  .n_attestations = G_N_ELEMENTS(attestations),
				  .images = images,
				  .n_images = G_N_ELEMENTS(images)};
	history_started(f->h, &build);
	g_assert_true(history_completed(f->h, &build, &fin, &error));
	g_assert_cmpint(calls, ==, 2);

	check_started(l);
	check_completed(l, &digest, &predicate_digest);
	check_blob(f->h, documents->pdata[0]);
	check_blob(f->h, documents->pdata[1]);
	check_blob(f->h, predicate);
	g_autoptr(GBytes) stored_log = history_log(f->h, "r1"), none = history_log(f->h, "r2");
	g_assert_true(g_bytes_equal(stored_log, log));
	g_assert_null(none);
	history_stop(f->h);
	g_assert_null(take(l, &end));
	g_assert_true(end);
	history_listener_free(l);
	oci_descriptor_free(root);
	oci_descriptor_free(statement);
}

/* The two newest stay, and a pinned one. */
static void test_retention(struct fixture *f, gconstpointer data)
{
	complete(f, "a", 100);
	g_autoptr(GError) error = NULL;
	g_assert_true(history_update(f->h, "a", true, false, false, &error));
	complete(f, "b", 200);
	complete(f, "c", 300);
	complete(f, "d", 400);
	g_autofree char *all = stored(f, NULL), *filtered = stored(f, "ref==c"), *failed = stored(f, "status==error");
	g_assert_cmpstr(all, ==, "a c d ");
	g_assert_cmpstr(filtered, ==, "c ");
	g_assert_cmpstr(failed, ==, "");
	g_assert_true(history_update(f->h, "c", false, true, false, &error));
	g_assert_false(history_update(f->h, "c", false, true, false, &error));
	g_assert_cmpstr(error->message, ==, "failed to retrieve ref c: file does not exist");
	g_autofree char *rest = stored(f, NULL);
	g_assert_cmpstr(rest, ==, "a d ");
}

/* The record with this ref; NULL: there is none. */
static Control__BuildHistoryRecord *record_of(struct fixture *f, const char *ref)
{
	int calls = 0;
	bool end = false;
	history_listener *l =
		history_listen(f->h, &(struct history_query){.ref = ref, .early_exit = true}, on_event, &calls, NULL);
	Control__BuildHistoryEvent *e = take(l, &end);
	history_listener_free(l);
	Control__BuildHistoryRecord *record = e ? message_copy(e->record) : NULL;
	guard_free(e);
	return record;
}

static void complete_traced(struct fixture *f, const char *ref, tracer *t)
{
	g_autoptr(trace_span) root = trace_root(t, &(struct trace_headers){0}, ref, TRACE_SERVER);
	g_autoptr(GBytes) log = g_bytes_new("log", 3);
	struct history_build build = build_of(f, ref, 1);
	struct history_end end = {.completed_ns = 2, .log = log, .trace = tracer_record(t, root)};
	history_started(f->h, &build);
	g_assert_true(history_completed(f->h, &build, &end, NULL));
	trace_end(root); /* after the end of the build, as that of the call Solve */
}

static void test_finalize(struct fixture *f, gconstpointer data)
{
	g_autoptr(tracer) t = tracer_new("test", NULL);
	tracer_keep(t);
	complete_traced(f, "a", t);
	Control__BuildHistoryRecord *record = record_of(f, "a");
	g_assert_null(record->trace);
	guard_free(record);
	g_assert_true(history_update(f->h, "a", false, false, true, NULL));
	record = record_of(f, "a");
	g_assert_cmpstr(record->trace->media_type, ==, "application/vnd.buildkit.otlp.json.v0");
	g_assert_cmpint(record->generation, ==, 1);
	g_autoptr(GBytes) json = history_blob(f->h, record->trace->digest);
	g_assert_cmpint((int64_t)g_bytes_get_size(json), ==, record->trace->size);
	g_assert_nonnull(g_strstr_len(g_bytes_get_data(json, NULL), (gssize)g_bytes_get_size(json), "\"Name\": \"a\""));
	g_autoptr(GBytes) log = history_log(f->h, "a"); /* the other blobs are kept */
	g_assert_nonnull(log);
	guard_free(record);
	g_assert_true(history_update(f->h, "a", false, false, true, NULL)); /* again: nothing to do */
}

static void test_delete_while_traced(struct fixture *f, gconstpointer data)
{
	g_autoptr(tracer) t = tracer_new("test", NULL);
	tracer_keep(t);
	complete_traced(f, "a", t);
	g_assert_true(history_update(f->h, "a", false, true, false, NULL));
	g_assert_null(record_of(f, "a"));
}

/* The daemon ends before the trace is complete. */
static void test_close_while_traced(struct fixture *f, gconstpointer data)
{
	g_autoptr(tracer) t = tracer_new("test", NULL);
	tracer_keep(t);
	complete_traced(f, "a", t);
	history_close(f->h);
	f->h = history_open(f->fd, f->dir, &(struct history_limits){.max_age_ns = 1, .max_entries = 2}, NULL);
	Control__BuildHistoryRecord *record = record_of(f, "a");
	g_assert_nonnull(record->trace);
	guard_free(record);
}

/* A database whose blobs are stored whole. */
static void test_older_database(struct fixture *f, gconstpointer data)
{
	static const char *const older[] = {
		"CREATE TABLE records(ref TEXT PRIMARY KEY, created INTEGER NOT NULL, completed INTEGER NOT NULL,"
		" pinned INTEGER NOT NULL, record BLOB NOT NULL);"
		"CREATE INDEX records_created ON records(created);"
		"CREATE TABLE blobs(ref TEXT NOT NULL REFERENCES records(ref) ON DELETE CASCADE, digest TEXT NOT NULL,"
		" bytes BLOB NOT NULL, PRIMARY KEY(ref, digest));"
		"CREATE INDEX blobs_digest ON blobs(digest);"
		"INSERT INTO records VALUES('r', 1, 2, 0, x'');"
		"INSERT INTO blobs VALUES('r', 'small', x'414243');"
		"INSERT INTO blobs VALUES('r', 'large', zeroblob(3000000));"
		"INSERT INTO blobs VALUES('r', 'empty', x'');",
		NULL};
	g_autoptr(GError) error = NULL;
	history_close(f->h);
	unlinkat(f->fd, "history.db", 0);
	db_close(db_open(f->fd, "history.db", older, NULL));
	f->h = history_open(f->fd, f->dir, &(struct history_limits){.max_age_ns = 1, .max_entries = 2}, &error);
	g_assert_no_error(error);
	g_autoptr(GBytes) small = history_blob(f->h, "small"), large = history_blob(f->h, "large");
	g_assert_cmpmem(g_bytes_get_data(small, NULL), g_bytes_get_size(small), "ABC", 3);
	g_assert_cmpuint(g_bytes_get_size(large), ==, 3000000);
	g_assert_cmpint(history_blob_size(f->h, "empty"), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/events", struct fixture, NULL, setup, test_events, teardown);
	g_test_add("/retention", struct fixture, NULL, setup, test_retention, teardown);
	g_test_add("/finalize", struct fixture, NULL, setup, test_finalize, teardown);
	g_test_add("/delete_while_traced", struct fixture, NULL, setup, test_delete_while_traced, teardown);
	g_test_add("/close_while_traced", struct fixture, NULL, setup, test_close_while_traced, teardown);
	g_test_add("/older_database", struct fixture, NULL, setup, test_older_database, teardown);
	return g_test_run();
}
