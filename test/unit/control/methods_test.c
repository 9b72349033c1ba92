/* SPDX-License-Identifier: Apache-2.0 */
/* The methods beside Solve and Status: cache, workers, history, content, explanations, and calls that find no build. */
#include "api/message.h"
#include "content.pb-c.h"
#include "control.pb-c.h"
#include "debug.pb-c.h"
#include "empty.pb-c.h"
#include "explain.pb-c.h"
#include "gateway.pb-c.h"
#include "lib/control_rig.h"
#include "base/hash_walk.h"
#include "ops/fingerprint_internal.h"
#include "reflection.pb-c.h"
#include "rpc/server.h"
#include <string.h>

#define CONTROL "/moby.buildkit.v1.Control/"
#define CONTENT "/containerd.services.content.v1.Content/"
#define PARSE_ERROR "filters: parse error: [id==]: expected value or quoted: invalid argument"

static void setup(struct control_rig *r, gconstpointer data)
{
	control_rig_init(r);
}

static void teardown(struct control_rig *r, gconstpointer data)
{
	control_rig_clear(r);
}

/* ---- the cache */

static int64_t now_ns(void)
{
	return g_get_real_time() * 1000;
}

static Control__DiskUsageResponse *usage(struct control_rig *r, const char *text, int64_t age_limit, GError **error)
{
	Control__DiskUsageRequest request = CONTROL__DISK_USAGE_REQUEST__INIT;
	char *filters[] = {(char *)text};
	request.filter = filters;
	request.n_filter = text ? 1 : 0;
	request.agelimit = age_limit;
	return CONTROL_CALL(r, CONTROL "DiskUsage", &request, control__disk_usage_response, error);
}

/* Base and child, both unused. */
static void add_records(struct control_rig *r, char **ret_base, char **ret_child)
{
	g_autoptr(cache_ref) base = rig_record(&r->cache, NULL, "a", "base"),
			     child = rig_record(&r->cache, base, "b", "child");
	*ret_base = g_strdup(cache_ref_id(base));
	*ret_child = g_strdup(cache_ref_id(child));
}

static void test_usage(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *base = NULL, *child = NULL;
	int64_t before = now_ns();
	add_records(r, &base, &child);
	Control__DiskUsageResponse *all = usage(r, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(all->n_record, ==, 2);
	const Control__UsageRecord *u = all->record[strcmp(all->record[0]->id, child) == 0 ? 0 : 1];
	g_assert_cmpstr(u->id, ==, child);
	g_assert_cmpuint(u->n_parents, ==, 1);
	g_assert_cmpstr(u->parents[0], ==, base);
	g_assert_cmpstr(u->description, ==, "a test");
	g_assert_cmpstr(u->recordtype, ==, "regular");
	g_assert_true(u->mutable_); /* until it has a child */
	g_assert_false(u->inuse);
	g_assert_false(u->shared);
	g_assert_cmpint(u->size, >=, 5);
	g_assert_cmpint(message_time_ns(u->createdat), >=, before);
	g_assert_cmpint(message_time_ns(u->createdat), <=, now_ns());
	guard_free(all);

	g_autofree char *by_id = g_strdup_printf("id==%s", base);
	Control__DiskUsageResponse *one = usage(r, by_id, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(one->n_record, ==, 1);
	g_assert_cmpstr(one->record[0]->id, ==, base);
	g_assert_false(one->record[0]->mutable_);
	guard_free(one);
	/* Only records that nothing has used for the time of the limit; one that was never used counts from its creation. */
	cache_ref *fresh = rig_mutable(&r->cache, NULL, CACHE_POLICY_DEFAULT, NULL);
	Control__DiskUsageResponse *old = usage(r, NULL, 3600 * (int64_t)1000000000, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(old->n_record, ==, 0);
	guard_free(old);
	cache_ref_unref(fresh);
	old = usage(r, NULL, 1, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(old->n_record, ==, 2);
	guard_free(old);
	control_rig_failed(usage(r, "id==", 0, &error), &error, ERROR_INVALID_ARGUMENT,
			   "failed to parse diskusage filters [id==]: " PARSE_ERROR);
}

static void test_prune(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *base = NULL, *child = NULL, *text = NULL;
	add_records(r, &base, &child);
	text = g_strdup_printf("id==%s", child);
	char *filters[] = {text};
	Control__PruneRequest request = CONTROL__PRUNE_REQUEST__INIT;
	request.filter = filters;
	request.n_filter = 1;
	g_autoptr(rpc_call) one = control_rig_stream(r, CONTROL "Prune", &request);
	Control__UsageRecord *removed = rpc_call_recv_message(one, &control__usage_record__descriptor, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(removed->id, ==, child);
	guard_free(removed);
	g_assert_null(rpc_call_recv(one, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(rig_usage(&r->cache), ==, 1);

	request.n_filter = 0;
	request.keepduration = 3600 * (int64_t)1000000000; /* the base was used just now */
	g_autoptr(rpc_call) none = control_rig_stream(r, CONTROL "Prune", &request);
	g_assert_null(rpc_call_recv(none, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(rig_usage(&r->cache), ==, 1);
	filters[0] = (char *)"id==";
	request.n_filter = 1;
	g_autoptr(rpc_call) bad = control_rig_stream(r, CONTROL "Prune", &request);
	control_rig_failed(rpc_call_recv(bad, &error), &error, ERROR_INVALID_ARGUMENT,
			   "failed to parse prune filters [id==]: " PARSE_ERROR);
}

/* ---- workers */

static void test_workers(struct control_rig *r, gconstpointer data)
{
	static const struct {
		const char *filter;
		size_t n;
	} cases[] = {{"id==w1", 1}, {"id==w2", 0}, {"labels.\"a.b\"==c", 1}, {"labels.a==c", 0}, {"nothing", 0}};
	Control__ListWorkersRequest request = CONTROL__LIST_WORKERS_REQUEST__INIT;
	g_autoptr(GError) error = NULL;
	char *filters[1];
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		filters[0] = (char *)cases[i].filter;
		request.filter = filters;
		request.n_filter = 1;
		Control__ListWorkersResponse *reply =
			CONTROL_CALL(r, CONTROL "ListWorkers", &request, control__list_workers_response, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(reply->n_record, ==, cases[i].n);
		if (cases[i].n)
			g_assert_cmpstr(reply->record[0]->id, ==, "w1");
		guard_free(reply);
	}
	filters[0] = (char *)"id==";
	control_rig_failed(CONTROL_CALL(r, CONTROL "ListWorkers", &request, control__list_workers_response, &error),
			   &error, ERROR_INVALID_ARGUMENT, PARSE_ERROR);

	Control__InfoRequest info = CONTROL__INFO_REQUEST__INIT;
	Control__InfoResponse *reply = CONTROL_CALL(r, CONTROL "Info", &info, control__info_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(reply->buildkitversion->package, ==, "github.com/moby/buildkit");
	guard_free(reply);
}

/* ---- history */

static rpc_call *listen_history(struct control_rig *r, const char *ref, bool early_exit, const char *text)
{
	Control__BuildHistoryRequest request = CONTROL__BUILD_HISTORY_REQUEST__INIT;
	char *filters[] = {(char *)text};
	request.ref = (char *)ref;
	request.earlyexit = early_exit;
	request.filter = filters;
	request.n_filter = text ? 1 : 0;
	return control_rig_stream(r, CONTROL "ListenBuildHistory", &request);
}

static void expect_event(rpc_call *call, Control__BuildHistoryEventType type, const char *ref)
{
	g_autoptr(GError) error = NULL;
	Control__BuildHistoryEvent *e = rpc_call_recv_message(call, &control__build_history_event__descriptor, &error);
	g_assert_no_error(error);
	g_assert_nonnull(e);
	g_assert_cmpint(e->type, ==, type);
	g_assert_cmpstr(e->record->ref, ==, ref);
	guard_free(e);
}

static void test_history(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) log = g_bytes_new(NULL, 0);
	control_rig_store(r, "r1", log);
	control_rig_store(r, "r2", log);
	g_autoptr(rpc_call) one = listen_history(r, "r2", true, NULL);
	g_assert_nonnull(rpc_metadata_get(rpc_call_metadata(one), "buildkit-current-timestamp"));
	expect_event(one, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, "r2");
	g_assert_null(rpc_call_recv(one, &error));
	g_assert_no_error(error);
	g_autoptr(rpc_call) filtered = listen_history(r, "", true, "ref==r1");
	expect_event(filtered, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, "r1");
	g_assert_null(rpc_call_recv(filtered, &error));
	g_assert_no_error(error);

	g_autoptr(rpc_call) all = listen_history(r, "", false, NULL);
	expect_event(all, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, "r1");
	expect_event(all, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, "r2");
	control_rig_store(r, "r3", log); /* while the call waits */
	expect_event(all, CONTROL__BUILD_HISTORY_EVENT_TYPE__STARTED, "r3");
	expect_event(all, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, "r3");
	Control__UpdateBuildHistoryRequest update = CONTROL__UPDATE_BUILD_HISTORY_REQUEST__INIT;
	update.ref = (char *)"r1";
	update.delete_ = true;
	guard_free(
		CONTROL_CALL(r, CONTROL "UpdateBuildHistory", &update, control__update_build_history_response, &error));
	g_assert_no_error(error);
	expect_event(all, CONTROL__BUILD_HISTORY_EVENT_TYPE__DELETED, "r1");
	g_assert_null(
		CONTROL_CALL(r, CONTROL "UpdateBuildHistory", &update, control__update_build_history_response, &error));
	g_assert_cmpstr(error->message, ==, "failed to retrieve ref r1: file does not exist");
	g_clear_error(&error);
	history_stop(r->history);
	g_assert_null(rpc_call_recv(all, &error));
	g_assert_no_error(error);
	g_autoptr(rpc_call) bad = listen_history(r, "", true, "id==");
	control_rig_failed(rpc_call_recv(bad, &error), &error, ERROR_INVALID_ARGUMENT, PARSE_ERROR);
}

/* ---- content */

static void test_content_info(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct digest digest;
	int64_t before = now_ns();
	g_assert_true(blob_store_put(r->cache.blobs, "hello", 5, &digest, &error));
	Content__InfoRequest request = CONTENT__INFO_REQUEST__INIT;
	request.digest = digest.text;
	Content__InfoResponse *reply = CONTROL_CALL(r, CONTENT "Info", &request, content__info_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(reply->info->digest, ==, digest.text);
	g_assert_cmpint(reply->info->size, ==, 5);
	/* The clock of a file system is a tick behind. */
	g_assert_cmpint(message_time_ns(reply->info->created_at), >=, before - 100000000);
	guard_free(reply);
	digest_of_text("another", &digest);
	g_autofree char *text = g_strdup_printf("content %s: not found", digest.text);
	control_rig_failed(CONTROL_CALL(r, CONTENT "Info", &request, content__info_response, &error), &error,
			   ERROR_NOT_FOUND, text);
	request.digest = (char *)"sha256:1";
	g_assert_null(CONTROL_CALL(r, CONTENT "Info", &request, content__info_response, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

/* Reads from offset; returns the bytes or sets the error. */
static GByteArray *read_content(struct control_rig *r, char *digest, int64_t offset, int64_t size, GError **error)
{
	Content__ReadContentRequest request = CONTENT__READ_CONTENT_REQUEST__INIT;
	request.digest = digest;
	request.offset = offset;
	request.size = size;
	g_autoptr(rpc_call) call = control_rig_stream(r, CONTENT "Read", &request);
	GByteArray *bytes = g_byte_array_new();
	for (Content__ReadContentResponse *m;
	     (m = rpc_call_recv_message(call, &content__read_content_response__descriptor, error));) {
		g_assert_cmpint(m->offset, ==, bytes->len);
		g_byte_array_append(bytes, m->data.data, (guint)m->data.len);
		guard_free(m);
	}
	return bytes;
}

static void test_content_read(struct control_rig *r, gconstpointer data)
{
	enum { SIZE = 100000 };
	static const struct {
		int64_t offset, size, from, n; /* n < 0: refused */
	} cases[] = {{0, 0, 0, SIZE},
		     {0, 7, 0, 7},
		     {SIZE - 5, 100, SIZE - 5, 5},
		     {32768, 32768, 32768, 32768},
		     {SIZE, 0, 0, 0},
		     {SIZE + 1, 0, 0, -1},
		     {-1, 0, 0, -1},
		     {0, -1, 0, -1}};
	g_autofree guint8 *bytes = g_malloc(SIZE);
	g_autoptr(GError) error = NULL;
	struct digest digest;
	for (int i = 0; i < SIZE; i++)
		bytes[i] = (guint8)(i * 7 + i / 251);
	g_assert_true(blob_store_put(r->cache.blobs, bytes, SIZE, &digest, &error));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) got = read_content(r, digest.text, cases[i].offset, cases[i].size, &error);
		if (cases[i].n < 0) {
			control_rig_failed(NULL, &error, ERROR_OUT_OF_RANGE, "read past object length 100000 bytes");
			continue;
		}
		g_assert_no_error(error);
		g_assert_cmpmem(got->data, got->len, bytes + cases[i].from, cases[i].n);
	}
	g_autoptr(GBytes) log = g_bytes_new("a log", 5);
	control_rig_store(r, "r1", log); /* blobs of the history are content, too */
	digest_of_text("a log", &digest);
	g_autoptr(GByteArray) stored = read_content(r, digest.text, 2, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(stored->data, stored->len, "log", 3);
}

static void test_content_list(struct control_rig *r, gconstpointer data)
{
	enum { N = 250 };
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) log = g_bytes_new("a log", 5);
	g_autoptr(GHashTable) digests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct digest digest;
	for (int i = 0; i < N; i++) {
		g_autofree char *text = g_strdup_printf("blob %d", i);
		g_assert_true(blob_store_put(r->cache.blobs, text, strlen(text), &digest, &error));
	}
	control_rig_store(r, "r1", log);
	control_rig_store(r, "r2", log); /* listed once */
	Content__ListContentRequest request = CONTENT__LIST_CONTENT_REQUEST__INIT;
	g_autoptr(rpc_call) call = control_rig_stream(r, CONTENT "List", &request);
	size_t counts[3] = {0}, n = 0;
	for (Content__ListContentResponse *m;
	     (m = rpc_call_recv_message(call, &content__list_content_response__descriptor, &error)); n++) {
		g_assert_cmpuint(n, <, 3);
		counts[n] = m->n_info;
		for (size_t i = 0; i < m->n_info; i++)
			g_assert_true(g_hash_table_add(digests, g_strdup(m->info[i]->digest)));
		guard_free(m);
	}
	g_assert_no_error(error);
	g_assert_cmpuint(n, ==, 3);
	g_assert_cmpuint(counts[0], ==, 100);
	g_assert_cmpuint(counts[1], ==, 100);
	g_assert_cmpuint(counts[2], ==, 51);
	digest_of_text("a log", &digest);
	g_assert_true(g_hash_table_contains(digests, digest.text));

	g_autofree char *text = g_strdup_printf("digest==%s", digest.text);
	char *filters[] = {text};
	request.filters = filters;
	request.n_filters = 1;
	g_autoptr(rpc_call) one = control_rig_stream(r, CONTENT "List", &request);
	Content__ListContentResponse *m =
		rpc_call_recv_message(one, &content__list_content_response__descriptor, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(m->n_info, ==, 1);
	g_assert_cmpint(m->info[0]->size, ==, 5);
	guard_free(m);
}

static void test_content_writes(struct control_rig *r, gconstpointer data)
{
	static const char *const refused[] = {CONTENT "Update", CONTENT "Delete", CONTENT "Abort", CONTENT "Write"};
	g_autoptr(GError) error = NULL;
	Google__Empty nothing = GOOGLE__EMPTY__INIT;
	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autofree char *text = g_strdup_printf("the content store is read-only (%s)", refused[i]);
		control_rig_failed(CONTROL_CALL(r, refused[i], &nothing, google__empty, &error), &error,
				   ERROR_FAILED_PRECONDITION, text);
	}
	Content__StatusRequest status = CONTENT__STATUS_REQUEST__INIT;
	status.ref = (char *)"x";
	control_rig_failed(CONTROL_CALL(r, CONTENT "Status", &status, content__status_response, &error), &error,
			   ERROR_NOT_FOUND, "could not get status for ref \"x\": not found");
	Content__ListStatusesResponse *none =
		CONTROL_CALL(r, CONTENT "ListStatuses", &nothing, content__list_statuses_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(none->n_statuses, ==, 0);
	guard_free(none);
}

/* ---- explanations */

static void fact_free(void *data)
{
	struct fact *f = data;
	g_free(f->name);
	g_free(f->value);
	g_free(f);
}

/* Stores a run of a step with one fact. */
static void add_run(fingerprint_store *store, const char *ref, int64_t created_ns, const char *value,
		    const char *reason)
{
	fingerprint *s = g_new0(fingerprint, 1);
	struct fact *f = g_new(struct fact, 1);
	*f = (struct fact){g_strdup("working directory"), g_strdup(value), true};
	s->identity = g_strdup("id");
	s->name = g_strdup("RUN make");
	s->facts = g_ptr_array_new_with_free_func(fact_free);
	s->inputs = g_ptr_array_new();
	g_ptr_array_add(s->facts, f);
	g_autoptr(GBytes) bytes = fingerprint_pack(s);
	fingerprint_free(s);
	fingerprint_store_add(store, &(struct fingerprint_row){.identity = (char *)"id",
							       .ref = (char *)ref,
							       .name = (char *)"RUN make",
							       .reason = (char *)reason,
							       .created_ns = created_ns,
							       .bytes = bytes});
}

static Explain__ExplainResponse *explain(struct control_rig *r, const char *ref, const char *against, GError **error)
{
	Explain__ExplainRequest request = EXPLAIN__EXPLAIN_REQUEST__INIT;
	request.ref = (char *)ref;
	request.against = (char *)against;
	return CONTROL_CALL(r, "/buildkitc.explain.v1.Explain/Explain", &request, explain__explain_response, error);
}

static void expect_step(Explain__ExplainResponse *reply, const char *ref, const char *earlier, const char *before,
			const char *after)
{
	g_assert_nonnull(reply);
	g_assert_cmpstr(reply->ref, ==, ref);
	g_assert_cmpuint(reply->n_steps, ==, 1);
	const Explain__Step *step = reply->steps[0];
	g_assert_cmpstr(step->name, ==, "RUN make");
	g_assert_cmpstr(step->earlier, ==, earlier);
	g_assert_cmpuint(step->n_facts, ==, before ? 1 : 0);
	if (before) {
		g_assert_cmpstr(step->facts[0]->name, ==, "working directory");
		g_assert_cmpstr(step->facts[0]->before, ==, before);
		g_assert_cmpstr(step->facts[0]->after, ==, after);
		g_assert_cmpstr(step->facts[0]->change, ==, "changed");
	}
	guard_free(reply);
}

static void test_explain(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	control_rig_failed(explain(r, "", "", &error), &error, ERROR_FAILED_PRECONDITION,
			   "explaining cache misses is disabled (explainMisses = false)");
	g_autoptr(fingerprint_store) store = r->worker.fingerprints = fingerprint_store_open(r->cache.root, &error);
	g_assert_no_error(error);
	control_rig_failed(explain(r, "", "", &error), &error, ERROR_NOT_FOUND, "no build has run a step yet");
	add_run(store, "b1", 1, "one", "");
	add_run(store, "b2", 2, "two", "");
	add_run(store, "b3", 3, "three", "");
	expect_step(explain(r, "b1", "", &error), "b1", "", NULL, NULL); /* nothing is earlier */
	expect_step(explain(r, "b2", "", &error), "b2", "b1", "one", "two");
	expect_step(explain(r, "", "", &error), "b3", "b2", "two", "three"); /* the newest */
	expect_step(explain(r, "b3", "b1", &error), "b3", "b1", "one", "three");
	add_run(store, "b4", 4, "four", "");
	add_run(store, "b4", 5, "five", ""); /* not compared with the first run in the same build */
	Explain__ExplainResponse *twice = explain(r, "b4", "", &error);
	g_assert_cmpuint(twice->n_steps, ==, 2);
	g_assert_cmpstr(twice->steps[0]->earlier, ==, "b3");
	g_assert_cmpstr(twice->steps[1]->earlier, ==, "b3");
	guard_free(twice);
	control_rig_failed(explain(r, "b3", "b9", &error), &error, ERROR_NOT_FOUND,
			   "no fingerprints of build b9: it ran no step, or they were removed");
	control_rig_failed(explain(r, "b9", "", &error), &error, ERROR_NOT_FOUND,
			   "no fingerprints of build b9: it ran no step, or they were removed");
}

/* ---- calls of builds that are not there, and traces */

static void test_no_build(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	Gateway__PingRequest request = GATEWAY__PING_REQUEST__INIT;
	control_rig_failed(
		CONTROL_CALL(r, "/moby.buildkit.v1.frontend.LLBBridge/Ping", &request, gateway__pong_response, &error),
		&error, ERROR_UNKNOWN, "forwarding Ping: no buildid found in context");
	rpc_metadata_add(md, "buildkit-controlapi-buildid", "r1");
	control_rig_failed(rpc_unary(r->pair.conn, "/moby.buildkit.v1.frontend.LLBBridge/Ping", md, &request,
				     &gateway__pong_response__descriptor, NULL, 0, &error),
			   &error, ERROR_NOT_FOUND, "forwarding Ping: no such job r1");
	Google__Empty trace = GOOGLE__EMPTY__INIT; /* as an ExportTraceServiceRequest without spans */
	control_rig_failed(CONTROL_CALL(r, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", &trace,
					google__empty, &error),
			   &error, ERROR_UNAVAILABLE, "trace collector not configured");
}

/* ---- what builds wait for */

static void test_stuck(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);
	struct history_build build = {.ref = "r1", .frontend = "", .frontend_attrs = none, .started_ns = now_ns()};
	Debug__StuckRequest request = DEBUG__STUCK_REQUEST__INIT;
	history_started(r->history, &build);
	control_rig_begin(r, "r1");
	g_autoptr(progress_sink) sink =
		progress_sink_new(&(struct progress_vertex){.digest = "d", .name = "exporting"});
	progress_sink_add(sink, r->log);
	progress_sink_start(sink);
	int64_t started_ns;
	progress_status_start(sink, "pushing layers", NULL, &started_ns);
	Debug__StuckResponse *reply =
		CONTROL_CALL(r, "/buildkitc.debug.v1.Debug/Stuck", &request, debug__stuck_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(reply->problem, ==, "");
	g_assert_cmpuint(reply->n_builds, ==, 1);
	g_assert_cmpstr(reply->builds[0]->ref, ==, "r1");
	g_assert_cmpuint(reply->builds[0]->n_waits, ==, 1);
	const Debug__Wait *w = reply->builds[0]->waits[0];
	g_assert_cmpstr(w->step, ==, "exporting");
	g_assert_cmpstr(w->what, ==, "pushing layers");
	g_assert_cmpint(w->duration, >=, 0);
	g_assert_cmpint(w->silent, >=, 0);
	guard_free(reply);
}

/* ---- reflection */

/* Each method that is served has a description. */
static void test_described(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(
		r->pair.conn, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", NULL, NULL, 0, &error);
	g_assert_no_error(error);
	unsigned n = 0;
	for (struct hash_walk it = hash_walk(r->pair.server->methods); hash_walk_next(&it); n++) {
		Reflection__ServerReflectionRequest request = REFLECTION__SERVER_REFLECTION_REQUEST__INIT;
		g_autofree char *symbol = g_strdelimit(g_strdup((const char *)it.key + 1), "/", '.');
		request.message_request_case =
			REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
		request.file_containing_symbol = symbol;
		g_assert_true(rpc_call_send_message(call, &request, &error));
		Reflection__ServerReflectionResponse *reply =
			rpc_call_recv_message(call, &reflection__server_reflection_response__descriptor, &error);
		g_assert_no_error(error);
		if (reply->message_response_case !=
		    REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE)
			g_error("%s has no description in src/api/services", symbol);
		guard_free(reply);
	}
	g_assert_cmpuint(n, >, 40);
	g_assert_true(rpc_call_close_send(call, &error));
	g_assert_true(rpc_call_finish(call, &error));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/control/usage", struct control_rig, NULL, setup, test_usage, teardown);
	g_test_add("/control/prune", struct control_rig, NULL, setup, test_prune, teardown);
	g_test_add("/control/workers", struct control_rig, NULL, setup, test_workers, teardown);
	g_test_add("/control/history", struct control_rig, NULL, setup, test_history, teardown);
	g_test_add("/control/content/info", struct control_rig, NULL, setup, test_content_info, teardown);
	g_test_add("/control/content/read", struct control_rig, NULL, setup, test_content_read, teardown);
	g_test_add("/control/content/list", struct control_rig, NULL, setup, test_content_list, teardown);
	g_test_add("/control/content/writes", struct control_rig, NULL, setup, test_content_writes, teardown);
	g_test_add("/control/explain", struct control_rig, NULL, setup, test_explain, teardown);
	g_test_add("/control/stuck", struct control_rig, NULL, setup, test_stuck, teardown);
	g_test_add("/control/described", struct control_rig, NULL, setup, test_described, teardown);
	g_test_add("/control/no-build", struct control_rig, NULL, setup, test_no_build, teardown);
	return g_test_run();
}
