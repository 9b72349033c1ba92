/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of LLBBridge over a connection, with a bridge that records what it is asked. */
#include "api/message.h"
#include "base/limits.h"
#include "frontend/gateway/caps.h"
#include "frontend/gateway/gateway_internal.h"
#include "lib/event.h"
#include "lib/rpc_pair.h"
#include "llb/definition.h"
#include <string.h>

#define SERVICE "/moby.buildkit.v1.frontend.LLBBridge/"

/* ---- a bridge */

struct fake {
	bridge bridge;
	bridge_ref ref;  /* the only one */
	gint count;      /* references to it beside the fake's */
	GString *seen;   /* a line per request */
	const char *bad; /* the error of all requests; NULL: they succeed */
	enum error_code code;
	bool as_map;          /* solve returns a map of refs */
	struct event waiting; /* read_file of "wait" has begun */
	struct event ended;   /* the same has ended; it waits for its cancellation, then for the gateway to be closed */
	gateway *g;
	Pb__Definition definition;
};

static bool fake_answer(struct fake *f, GError **error)
{
	return !f->bad || error_set(error, f->code, "%s", f->bad);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Notes " key=value" of all entries of a table of strings, sorted. */
static void note_table(struct fake *f, GHashTable *table)
{
	guint n;
	g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(table, &n);
	qsort(keys, n, sizeof *keys, compare_text);
	for (guint i = 0; i < n; i++)
		g_string_append_printf(f->seen, " %s=%s", keys[i], (char *)g_hash_table_lookup(table, keys[i]));
}

static bool fake_solve(bridge *b, const struct bridge_solve_request *r, struct work *work, build_result **ret,
		       GError **error)
{
	struct fake *f = (struct fake *)b;
	g_string_append_printf(f->seen, "solve def=%zu frontend=%s", r->definition ? r->definition->n_def : 0,
			       r->frontend ? r->frontend : "none");
	note_table(f, r->options);
	g_string_append_printf(f->seen, " inputs=%u", g_hash_table_size(r->inputs));
	for (size_t i = 0; i < r->n_cache_imports; i++) {
		g_string_append_printf(f->seen, " import %s", r->cache_imports[i].type);
		note_table(f, r->cache_imports[i].attrs);
	}
	g_string_append_printf(f->seen, " evaluate=%d policies=%zu\n", r->evaluate, r->n_source_policies);
	if (!fake_answer(f, error))
		return false;
	*ret = build_result_new();
	build_result_set_metadata(*ret, "k", "solved", 6);
	if (f->as_map) {
		build_result_make_map(*ret);
		g_hash_table_replace((*ret)->refs, g_strdup("linux/amd64"), f->bridge.class->ref_ref(&f->ref));
	} else {
		(*ret)->ref = f->bridge.class->ref_ref(&f->ref);
	}
	return true;
}

static bool fake_image(bridge *b, const struct bridge_image_request *r, struct work *work, struct bridge_image *ret,
		       GError **error)
{
	struct fake *f = (struct fake *)b;
	g_string_append_printf(f->seen, "image %s %s mode=%s name=%s layout=%d session=%s store=%s policies=%zu\n",
			       r->ref, r->platform ? r->platform->architecture : "default", r->resolve_mode,
			       r->log_name ? r->log_name : "none", r->oci_layout, r->session_id, r->store_id,
			       r->n_source_policies);
	if (f->bad)
		ret->other = g_strdup("https://example.com/"); /* the caller frees it */
	if (!fake_answer(f, error))
		return false;
	ret->ref = g_strdup("docker.io/library/found:1");
	digest_of_text("found", &ret->digest);
	ret->config = g_bytes_new("{}", 2);
	return true;
}

static bool fake_source(bridge *b, const struct bridge_source_request *r, struct work *work, struct bridge_source *ret,
			GError **error)
{
	struct fake *f = (struct fake *)b;
	g_string_append_printf(f->seen, "source %s\n", r->source->identifier);
	if (!fake_answer(f, error))
		return false;
	*ret = (struct bridge_source){.source = message_copy(r->source)};
	return true;
}

static GBytes *fake_read_file(bridge *b, bridge_ref *ref, const char *path, int64_t offset, int64_t length,
			      struct work *work, GError **error)
{
	struct fake *f = (struct fake *)b;
	g_assert_true(ref == &f->ref);
	if (strcmp(path, "wait") == 0) {
		event_raise(&f->waiting);
		cancel_poll(work->cancel, NULL, 0, -1, error);
		g_mutex_lock(&f->g->mu);
		while (!f->g->closed)
			g_cond_wait(&f->g->changed, &f->g->mu);
		g_mutex_unlock(&f->g->mu);
		g_thread_yield();
		event_raise(&f->ended);
		return NULL;
	}
	g_string_append_printf(f->seen, "read %s %d+%d\n", path, (int)offset, (int)length);
	return fake_answer(f, error) ? g_bytes_new("contents", 8) : NULL;
}

static GPtrArray *fake_read_dir(bridge *b, bridge_ref *ref, const char *path, const char *include, struct work *work,
				GError **error)
{
	struct fake *f = (struct fake *)b;
	static struct fssync_stat names[] = {{.path = (char *)"a", .linkname = (char *)""},
					     {.path = (char *)"b", .linkname = (char *)"a"}};
	g_string_append_printf(f->seen, "list %s %s\n", path, include);
	if (!fake_answer(f, error))
		return NULL;
	GPtrArray *entries = g_ptr_array_new();
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_ptr_array_add(entries, &names[i]);
	return entries;
}

static bool fake_stat_file(bridge *b, bridge_ref *ref, const char *path, struct work *work, struct fssync_stat *ret,
			   GError **error)
{
	struct fake *f = (struct fake *)b;
	g_string_append_printf(f->seen, "stat %s\n", path);
	if (!fake_answer(f, error))
		return false;
	*ret = (struct fssync_stat){.path = g_strdup("name"), .linkname = g_strdup(""), .size = 7};
	return true;
}

static bool fake_evaluate(bridge *b, bridge_ref *ref, struct work *work, GError **error)
{
	struct fake *f = (struct fake *)b;
	g_string_append(f->seen, "evaluate\n");
	return fake_answer(f, error);
}

static bool fake_warn(bridge *b, const char *vertex, const struct progress_warning *w, GError **error)
{
	struct fake *f = (struct fake *)b;
	g_autofree char *detail = g_strjoinv("|", (char **)w->detail);
	g_string_append_printf(f->seen, "warn %s %d %s [%s] %s %s/%s %.*s", vertex, (int)w->level, w->text, detail,
			       w->url, w->source_name, w->source_language, (int)w->source_len,
			       (const char *)w->source_bytes);
	for (size_t i = 0; i < w->n_ranges; i++)
		g_string_append_printf(f->seen, " %d:%d-%d:%d", w->ranges[i].start_line, w->ranges[i].start_character,
				       w->ranges[i].end_line, w->ranges[i].end_character);
	g_string_append_c(f->seen, '\n');
	return fake_answer(f, error);
}

static const Pb__Definition *fake_definition(bridge *b, bridge_ref *ref)
{
	return &((struct fake *)b)->definition;
}

static struct fake *fake_of(bridge_ref *ref)
{
	return (struct fake *)((char *)ref - offsetof(struct fake, ref));
}

static bridge_ref *fake_ref(bridge_ref *ref)
{
	g_atomic_int_inc(&fake_of(ref)->count);
	return ref;
}

static void fake_unref(bridge_ref *ref)
{
	g_atomic_int_add(&fake_of(ref)->count, -1);
}

static const struct bridge_class fake_class = {
	.solve = fake_solve,
	.resolve_image = fake_image,
	.resolve_source = fake_source,
	.read_file = fake_read_file,
	.read_dir = fake_read_dir,
	.stat_file = fake_stat_file,
	.evaluate = fake_evaluate,
	.warn = fake_warn,
	.definition = fake_definition,
	.ref_ref = fake_ref,
	.ref_unref = fake_unref,
};

/* ---- a gateway on it, and its client */

struct fixture {
	struct fake fake;
	GHashTable *labels, *inputs;
	worker worker, *workers[1];
	gateway *g; /* NULL: the build is unknown */
	struct llbbridge_host host;
	struct rpc_pair pair;
};

static gateway *find(void *data, rpc_call *call, GError **error)
{
	struct fixture *f = data;
	if (!f->g)
		error_set(error, ERROR_NOT_FOUND, "no such job x");
	return f->g ? gateway_ref(f->g) : NULL;
}

static void setup(struct fixture *f, gconstpointer data)
{
	static uint8_t op[] = {1};
	static ProtobufCBinaryData ops[] = {{1, op}};
	f->fake.bridge.class = f->fake.ref.class = &fake_class;
	f->fake.seen = g_string_new(NULL);
	pb__definition__init(&f->fake.definition);
	f->fake.definition.def = ops;
	f->fake.definition.n_def = 1;
	f->labels = g_hash_table_new(g_str_hash, g_str_equal);
	f->inputs = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(f->inputs, (void *)"context", &f->fake.definition);
	f->worker = (struct worker){.id = (char *)"w1", .labels = f->labels};
	f->workers[0] = &f->worker;
	f->g = gateway_new(&f->fake.bridge, f->inputs, f->workers, 1, &(struct work){0});
	f->fake.g = f->g;
	f->host = (struct llbbridge_host){find, f};
	rpc_pair_init(&f->pair);
	llbbridge_register(f->pair.server, &f->host);
	rpc_pair_connect(&f->pair);
}

static void teardown(struct fixture *f, gconstpointer data)
{
	rpc_pair_clear(&f->pair);
	if (f->g) {
		gateway_close(f->g);
		gateway_unref(f->g);
	}
	g_assert_cmpint(f->fake.count, ==, 0);
	g_hash_table_unref(f->labels);
	g_hash_table_unref(f->inputs);
	g_string_free(f->fake.seen, TRUE);
}

#define CALL(f, method, request, reply, error)                                                                         \
	rpc_unary((f)->pair.conn, SERVICE method, NULL, request, &reply##__descriptor, NULL, 0, error)

/* Fails unless the last request failed with exactly this error; clears it. */
static void assert_failed(void *reply, GError **error, enum error_code code, const char *text)
{
	g_assert_null(reply);
	g_assert_nonnull(*error);
	g_assert_cmpstr((*error)->message, ==, text);
	g_assert_cmpint(error_get_code(*error), ==, code);
	g_clear_error(error);
}

static void assert_seen(struct fixture *f, const char *text)
{
	g_assert_cmpstr(f->fake.seen->str, ==, text);
	g_string_truncate(f->fake.seen, 0);
}

/* Solves and returns the id of the ref. */
static char *solve(struct fixture *f)
{
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	g_autoptr(GError) error = NULL;
	Gateway__SolveResponse *reply = CALL(f, "Solve", &request, gateway__solve_response, &error);
	g_assert_no_error(error);
	char *id = g_strdup(reply->ref);
	guard_free(reply);
	g_string_truncate(f->fake.seen, 0);
	return id;
}

static void assert_metadata(build_result *r, const char *key, const char *value)
{
	GBytes *bytes = g_hash_table_lookup(r->metadata, key);
	g_assert_nonnull(bytes);
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), value, strlen(value));
}

/* ---- tests */

static void test_ping(struct fixture *f, gconstpointer data)
{
	Gateway__PingRequest request = GATEWAY__PING_REQUEST__INIT;
	g_autoptr(GError) error = NULL;
	Gateway__PongResponse *reply = CALL(f, "Ping", &request, gateway__pong_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(reply->n_frontendapicaps, ==, g_strv_length((char **)gateway_caps));
	for (size_t i = 0; i < reply->n_frontendapicaps; i++) {
		g_assert_cmpstr(reply->frontendapicaps[i]->id, ==, gateway_caps[i]);
		g_assert_true(reply->frontendapicaps[i]->enabled);
	}
	g_assert_cmpuint(reply->n_llbcaps, ==, g_strv_length((char **)llb_caps()));
	g_assert_cmpstr(reply->llbcaps[0]->id, ==, llb_caps()[0]);
	g_assert_cmpuint(reply->n_workers, ==, 1);
	g_assert_cmpstr(reply->workers[0]->id, ==, "w1");
	guard_free(reply);
}

static void test_solve_request(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest *request = message_new(Gateway__SolveRequest, gateway__solve_request);
	Gateway__CacheOptionsEntry *import = message_new(Gateway__CacheOptionsEntry, gateway__cache_options_entry);
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal),
			      attrs = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(options, (void *)"b", (void *)"2");
	g_hash_table_insert(options, (void *)"a", (void *)"1");
	g_hash_table_insert(attrs, (void *)"ref", (void *)"h/c");
	message_replace_text(&request->frontend, "dockerfile.v0");
	message_set_map(request, frontendopt, options);
	message_set_map(request, frontendinputs, f->inputs);
	message_replace_text(&import->type, "registry");
	message_set_map(import, attrs, attrs);
	message_append(request, cacheimports, import);
	message_append(request, sourcepolicies, message_new(Policy__Policy, policy__policy));
	request->evaluate = true;
	Gateway__SolveResponse *reply = CALL(f, "Solve", request, gateway__solve_response, &error);
	g_assert_no_error(error);
	assert_seen(f, "solve def=0 frontend=dockerfile.v0 a=1 b=2 inputs=1 import registry ref=h/c evaluate=1 "
		       "policies=1\n");
	g_assert_cmpuint(strlen(reply->ref), ==, 25);
	g_assert_null(reply->result);
	g_assert_cmpint(f->fake.count, ==, 1);
	guard_free(reply);
	guard_free(request);

	Gateway__SolveRequest definition = GATEWAY__SOLVE_REQUEST__INIT;
	definition.definition = &f->fake.definition;
	reply = CALL(f, "Solve", &definition, gateway__solve_response, &error);
	g_assert_no_error(error);
	assert_seen(f, "solve def=1 frontend=none inputs=0 evaluate=0 policies=0\n");
	guard_free(reply);
}

/* The four forms of a result. */
/* What a client or a frontend makes the gateway keep is bounded. */
static void test_solve_limits(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	g_assert_true(gateway_admit_solve(f->g, (size_t)LIMIT_SOLVE_BYTES - 1, NULL));
	request.frontend = (char *)"dockerfile.v0";
	assert_failed(CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_RESOURCE_EXHAUSTED,
		      "more than 536870912 bytes in solve requests");
	g_assert_true(gateway_admit_solve(f->g, 1, NULL));
	for (int64_t i = 2; i < LIMIT_SOLVES; i++)
		g_assert_true(gateway_admit_solve(f->g, 0, NULL));
	Gateway__SolveRequest empty = GATEWAY__SOLVE_REQUEST__INIT;
	assert_failed(CALL(f, "Solve", &empty, gateway__solve_response, &error), &error, ERROR_RESOURCE_EXHAUSTED,
		      "more than 100000 solve requests");
	assert_seen(f, "");
}

static void test_solve_result(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	for (int form = 0; form < 4; form++) {
		request.allowresultreturn = true;
		request.allowresultarrayref = form & 1;
		f->fake.as_map = form & 2;
		Gateway__SolveResponse *reply = CALL(f, "Solve", &request, gateway__solve_response, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(reply->ref, ==, "");
		const Gateway__Result *r = reply->result;
		g_assert_cmpuint(r->n_metadata, ==, 1);
		g_assert_cmpstr(r->metadata[0]->key, ==, "k");
		g_assert_cmpmem(r->metadata[0]->value.data, r->metadata[0]->value.len, "solved", 6);
		switch (form) {
		case 0:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REF_DEPRECATED);
			g_assert_cmpuint(strlen(r->refdeprecated), ==, 25);
			break;
		case 1:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REF);
			g_assert_cmpuint(strlen(r->ref->id), ==, 25);
			g_assert_cmpuint(r->ref->def->n_def, ==, 1);
			break;
		case 2:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REFS_DEPRECATED);
			g_assert_cmpuint(r->refsdeprecated->n_refs, ==, 1);
			g_assert_cmpstr(r->refsdeprecated->refs[0]->key, ==, "linux/amd64");
			g_assert_cmpuint(strlen(r->refsdeprecated->refs[0]->value), ==, 25);
			break;
		default:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REFS);
			g_assert_cmpuint(r->refs->n_refs, ==, 1);
			g_assert_cmpstr(r->refs->refs[0]->key, ==, "linux/amd64");
			g_assert_cmpuint(r->refs->refs[0]->value->def->n_def, ==, 1);
		}
		guard_free(reply);
	}
	request.allowresultreturn = false;
	assert_failed(CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_UNKNOWN,
		      "solve did not return default result");
}

/* The code of a failed build is hidden, except where it describes the call. */
static void test_solve_failure(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	f->fake.bad = "no such file";
	f->fake.code = ERROR_NOT_FOUND;
	assert_failed(CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_UNKNOWN,
		      "no such file");
	f->fake.code = ERROR_UNIMPLEMENTED;
	assert_failed(CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_UNIMPLEMENTED,
		      "no such file");
	g_assert_cmpint(f->fake.count, ==, 0);
}

/* Old clients return their result with a last solve. */
static void test_final(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	request.final = true;
	static const struct {
		const char *attr, *error;
	} bad[] = {
		{"", "invalid ExporterAttr: not a JSON object"},
		{"[]", "invalid ExporterAttr: not a JSON object"},
		{"{\"a\":1}", "invalid ExporterAttr: a is not a string"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		request.exporterattr = (ProtobufCBinaryData){strlen(bad[i].attr), (uint8_t *)bad[i].attr};
		assert_failed(CALL(f, "Solve", &request, gateway__solve_response, &error), &error,
			      ERROR_INVALID_ARGUMENT, bad[i].error);
	}
	static const char good[] = "{\"k\":\"b2xk\",\"config\":\"e30=\",\"none\":null}";
	request.exporterattr = (ProtobufCBinaryData){sizeof good - 1, (uint8_t *)good};
	guard_free(CALL(f, "Solve", &request, gateway__solve_response, &error));
	g_assert_no_error(error);
	g_autoptr(build_result) final = gateway_wait(f->g, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(final->ref == &f->fake.ref);
	g_assert_cmpuint(g_hash_table_size(final->metadata), ==, 3);
	assert_metadata(final, "k", "solved"); /* of the solve, which takes precedence */
	assert_metadata(final, "config", "{}");
	assert_metadata(final, "none", "");
	assert_failed(CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_UNKNOWN,
		      "gateway result is already set");
}

static void test_image(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__Platform platform = PB__PLATFORM__INIT;
	Gateway__ResolveImageConfigRequest request = GATEWAY__RESOLVE_IMAGE_CONFIG_REQUEST__INIT;
	request.ref = (char *)"docker.io/library/a:1";
	Gateway__ResolveImageConfigResponse *reply =
		CALL(f, "ResolveImageConfig", &request, gateway__resolve_image_config_response, &error);
	g_assert_no_error(error);
	assert_seen(f, "image docker.io/library/a:1 default mode= name=none layout=0 session= store= policies=0\n");
	struct digest digest;
	digest_of_text("found", &digest);
	g_assert_cmpstr(reply->digest, ==, digest.text);
	g_assert_cmpstr(reply->ref, ==, "docker.io/library/found:1");
	g_assert_cmpmem(reply->config.data, reply->config.len, "{}", 2);
	guard_free(reply);

	platform.os = (char *)"linux";
	platform.architecture = (char *)"aarch64";
	request.platform = &platform;
	request.resolvemode = (char *)"pull";
	request.logname = (char *)"n";
	request.resolvertype = 1;
	request.sessionid = (char *)"s";
	request.storeid = (char *)"t";
	f->fake.bad = "image not found";
	f->fake.code = ERROR_NOT_FOUND;
	assert_failed(CALL(f, "ResolveImageConfig", &request, gateway__resolve_image_config_response, &error), &error,
		      ERROR_NOT_FOUND, "image not found");
	assert_seen(f, "image docker.io/library/a:1 arm64 mode=pull name=n layout=1 session=s store=t policies=0\n");
}

static void test_source(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	Gateway__ResolveSourceMetaRequest request = GATEWAY__RESOLVE_SOURCE_META_REQUEST__INIT;
	assert_failed(CALL(f, "ResolveSourceMeta", &request, gateway__resolve_source_meta_response, &error), &error,
		      ERROR_INVALID_ARGUMENT, "source is required");
	op.identifier = (char *)"local://context";
	request.source = &op;
	Gateway__ResolveSourceMetaResponse *reply =
		CALL(f, "ResolveSourceMeta", &request, gateway__resolve_source_meta_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(reply->source->identifier, ==, "local://context");
	assert_seen(f, "source local://context\n");
	guard_free(reply);
	f->fake.bad = "denied";
	f->fake.code = ERROR_PERMISSION_DENIED;
	assert_failed(CALL(f, "ResolveSourceMeta", &request, gateway__resolve_source_meta_response, &error), &error,
		      ERROR_PERMISSION_DENIED, "denied");
}

static void test_files(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *id = solve(f);
	Gateway__FileRange range = GATEWAY__FILE_RANGE__INIT;
	Gateway__ReadFileRequest file = GATEWAY__READ_FILE_REQUEST__INIT;
	Gateway__ReadDirRequest dir = GATEWAY__READ_DIR_REQUEST__INIT;
	Gateway__StatFileRequest stat = GATEWAY__STAT_FILE_REQUEST__INIT;
	file.ref = dir.ref = stat.ref = id;
	file.filepath = (char *)"f";
	dir.dirpath = (char *)"d";
	dir.includepattern = (char *)"*.c";
	stat.path = (char *)"s";
	Gateway__ReadFileResponse *bytes = CALL(f, "ReadFile", &file, gateway__read_file_response, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(bytes->data.data, bytes->data.len, "contents", 8);
	guard_free(bytes);
	range.offset = 3;
	range.length = 4;
	file.range = &range;
	guard_free(CALL(f, "ReadFile", &file, gateway__read_file_response, &error));
	Gateway__ReadDirResponse *entries = CALL(f, "ReadDir", &dir, gateway__read_dir_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(entries->n_entries, ==, 2);
	g_assert_cmpstr(entries->entries[1]->path, ==, "b");
	g_assert_cmpstr(entries->entries[1]->linkname, ==, "a");
	guard_free(entries);
	Gateway__StatFileResponse *one = CALL(f, "StatFile", &stat, gateway__stat_file_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(one->stat->path, ==, "name");
	g_assert_cmpint(one->stat->size, ==, 7);
	guard_free(one);
	assert_seen(f, "read f 0+0\nread f 3+4\nlist d *.c\nstat s\n");

	f->fake.bad = "open f: no such file or directory";
	f->fake.code = ERROR_NOT_FOUND;
	assert_failed(CALL(f, "ReadFile", &file, gateway__read_file_response, &error), &error, f->fake.code,
		      f->fake.bad);
	assert_failed(CALL(f, "ReadDir", &dir, gateway__read_dir_response, &error), &error, f->fake.code, f->fake.bad);
	assert_failed(CALL(f, "StatFile", &stat, gateway__stat_file_response, &error), &error, f->fake.code,
		      f->fake.bad);
}

static void test_refs(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__ReadFileRequest file = GATEWAY__READ_FILE_REQUEST__INIT;
	Gateway__ReadDirRequest dir = GATEWAY__READ_DIR_REQUEST__INIT;
	Gateway__StatFileRequest stat = GATEWAY__STAT_FILE_REQUEST__INIT;
	Gateway__EvaluateRequest evaluate = GATEWAY__EVALUATE_REQUEST__INIT;
	/* "" is scratch: evaluated at once, and without files. */
	assert_failed(CALL(f, "ReadFile", &file, gateway__read_file_response, &error), &error, ERROR_UNKNOWN,
		      "empty ref: ");
	assert_failed(CALL(f, "ReadDir", &dir, gateway__read_dir_response, &error), &error, ERROR_UNKNOWN,
		      "empty ref: ");
	assert_failed(CALL(f, "StatFile", &stat, gateway__stat_file_response, &error), &error, ERROR_UNKNOWN,
		      "empty ref: ");
	guard_free(CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error));
	g_assert_no_error(error);
	assert_seen(f, "");
	evaluate.ref = file.ref = (char *)"x";
	assert_failed(CALL(f, "ReadFile", &file, gateway__read_file_response, &error), &error, ERROR_UNKNOWN,
		      "no such ref: x, all []");
	g_autofree char *id = solve(f);
	g_autofree char *text = g_strdup_printf("no such ref: x, all [%s]", id);
	assert_failed(CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error), &error, ERROR_UNKNOWN, text);
	evaluate.ref = id;
	guard_free(CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error));
	g_assert_no_error(error);
	assert_seen(f, "evaluate\n");
	f->fake.bad = "process failed";
	f->fake.code = ERROR_NOT_FOUND;
	assert_failed(CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error), &error, ERROR_UNKNOWN,
		      "process failed");
}

static void test_warn(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__Position start = PB__POSITION__INIT, end = PB__POSITION__INIT;
	Pb__Range range = PB__RANGE__INIT, *ranges[] = {&range};
	Pb__SourceInfo info = PB__SOURCE_INFO__INIT;
	ProtobufCBinaryData detail[] = {{1, (uint8_t *)"d"}, {2, (uint8_t *)"e\xff"}};
	Gateway__WarnRequest request = GATEWAY__WARN_REQUEST__INIT;
	request.digest = (char *)"sha256:1";
	request.short_ = (ProtobufCBinaryData){4, (uint8_t *)"text"};
	guard_free(CALL(f, "Warn", &request, gateway__warn_response, &error));
	g_assert_no_error(error);
	assert_seen(f, "warn sha256:1 1 text []  / \n"); /* level 0 is 1 */

	start.line = 1;
	start.character = 2;
	end.line = 3;
	end.character = 4;
	range.start = &start;
	range.end = &end;
	info.filename = (char *)"Dockerfile";
	info.language = (char *)"dockerfile";
	info.data = (ProtobufCBinaryData){4, (uint8_t *)"FROM"};
	request.level = 3;
	request.detail = detail;
	request.n_detail = 2;
	request.url = (char *)"https://u";
	request.info = &info;
	request.ranges = ranges;
	request.n_ranges = 1;
	guard_free(CALL(f, "Warn", &request, gateway__warn_response, &error));
	g_assert_no_error(error);
	assert_seen(f, "warn sha256:1 3 text [d|e\xff] https://u Dockerfile/dockerfile FROM 1:2-3:4\n");

	range.end = NULL;
	assert_failed(CALL(f, "Warn", &request, gateway__warn_response, &error), &error, ERROR_INVALID_ARGUMENT,
		      "invalid source range");
	assert_seen(f, "");
	request.n_ranges = 0;
	f->fake.bad = "no such vertex";
	f->fake.code = ERROR_NOT_FOUND;
	assert_failed(CALL(f, "Warn", &request, gateway__warn_response, &error), &error, ERROR_NOT_FOUND,
		      "no such vertex");
}

static void test_inputs(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__InputsRequest request = GATEWAY__INPUTS_REQUEST__INIT;
	Gateway__InputsResponse *reply = CALL(f, "Inputs", &request, gateway__inputs_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(reply->n_definitions, ==, 1);
	g_assert_cmpstr(reply->definitions[0]->key, ==, "context");
	g_assert_cmpuint(reply->definitions[0]->value->n_def, ==, 1);
	guard_free(reply);
}

static void test_return_result(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *id = solve(f);
	Gateway__Ref ref = GATEWAY__REF__INIT;
	Gateway__Result__MetadataEntry entry = GATEWAY__RESULT__METADATA_ENTRY__INIT, *entries[] = {&entry};
	Gateway__Result result = GATEWAY__RESULT__INIT;
	Gateway__ReturnRequest request = GATEWAY__RETURN_REQUEST__INIT;
	assert_failed(CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
		      "gateway return must be either result or err");
	entry.key = (char *)"m";
	entry.value = (ProtobufCBinaryData){1, (uint8_t *)"v"};
	result.metadata = entries;
	result.n_metadata = 1;
	result.result_case = GATEWAY__RESULT__RESULT_REF;
	result.ref = &ref;
	request.result = &result;
	ref.id = (char *)"x";
	assert_failed(CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
		      "return reference x not found");
	ref.id = id;
	guard_free(CALL(f, "Return", &request, gateway__return_response, &error));
	g_assert_no_error(error);
	g_autoptr(build_result) got = gateway_wait(f->g, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(got->ref == &f->fake.ref);
	assert_metadata(got, "m", "v");
	assert_failed(CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
		      "gateway result is already set");
}

/* A map of refs, in both forms; "" and a missing ref are scratch. */
static void test_return_map(struct fixture *f, gconstpointer data)
{
	bool old = data != NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *id = solve(f);
	Gateway__Ref ref = GATEWAY__REF__INIT;
	Gateway__RefMap__RefsEntry one = GATEWAY__REF_MAP__REFS_ENTRY__INIT, two = one, *refs[] = {&one, &two};
	Gateway__RefMap map = GATEWAY__REF_MAP__INIT;
	Gateway__RefMapDeprecated__RefsEntry old_one = GATEWAY__REF_MAP_DEPRECATED__REFS_ENTRY__INIT, old_two = old_one,
					     *old_refs[] = {&old_one, &old_two};
	Gateway__RefMapDeprecated old_map = GATEWAY__REF_MAP_DEPRECATED__INIT;
	Gateway__Result result = GATEWAY__RESULT__INIT;
	Gateway__ReturnRequest request = GATEWAY__RETURN_REQUEST__INIT;
	one.key = old_one.key = (char *)"a";
	two.key = old_two.key = (char *)"b";
	one.value = &ref;
	ref.id = old_one.value = id;
	map.refs = refs;
	old_map.refs = old_refs;
	map.n_refs = old_map.n_refs = 2;
	result.result_case = old ? GATEWAY__RESULT__RESULT_REFS_DEPRECATED : GATEWAY__RESULT__RESULT_REFS;
	if (old)
		result.refsdeprecated = &old_map;
	else
		result.refs = &map;
	request.result = &result;
	guard_free(CALL(f, "Return", &request, gateway__return_response, &error));
	g_assert_no_error(error);
	g_autoptr(build_result) got = gateway_wait(f->g, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_hash_table_size(got->refs), ==, 2);
	g_assert_true(g_hash_table_lookup(got->refs, "a") == &f->fake.ref);
	g_assert_true(g_hash_table_contains(got->refs, "b"));
	g_assert_null(g_hash_table_lookup(got->refs, "b"));
}

/* The error of a frontend keeps its code and details. */
static void test_return_error(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Google__Status status = GOOGLE__STATUS__INIT;
	Google__Any any = GOOGLE__ANY__INIT, *details[] = {&any};
	Gateway__ReturnRequest request = GATEWAY__RETURN_REQUEST__INIT;
	Gateway__Result result = GATEWAY__RESULT__INIT;
	request.result = &result; /* the error takes precedence */
	request.error = &status;
	assert_failed(CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
		      "gateway return must be either result or err"); /* code 0 is no error */
	any.type_url = (char *)"github.com/moby/buildkit/errdefs.Vertex+json";
	any.value = (ProtobufCBinaryData){2, (uint8_t *)"{}"};
	status.code = ERROR_ALREADY_EXISTS;
	status.message = (char *)"frontend failed";
	status.details = details;
	status.n_details = 1;
	guard_free(CALL(f, "Return", &request, gateway__return_response, &error));
	g_assert_no_error(error);
	g_assert_null(gateway_wait(f->g, NULL, &error));
	g_assert_true(error_has_detail(error, "errdefs.Vertex"));
	error_hide_code(&error);
	assert_failed(NULL, &error, ERROR_ALREADY_EXISTS, "frontend failed");
}

static void test_closed(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	static const struct {
		const char *method;
		const ProtobufCMessageDescriptor *reply;
	} methods[] = {
		{SERVICE "Ping", &gateway__pong_response__descriptor},
		{SERVICE "Solve", &gateway__solve_response__descriptor},
		{SERVICE "ResolveImageConfig", &gateway__resolve_image_config_response__descriptor},
		{SERVICE "ResolveSourceMeta", &gateway__resolve_source_meta_response__descriptor},
		{SERVICE "ReadFile", &gateway__read_file_response__descriptor},
		{SERVICE "ReadDir", &gateway__read_dir_response__descriptor},
		{SERVICE "StatFile", &gateway__stat_file_response__descriptor},
		{SERVICE "Evaluate", &gateway__evaluate_response__descriptor},
		{SERVICE "Warn", &gateway__warn_response__descriptor},
		{SERVICE "Inputs", &gateway__inputs_response__descriptor},
		{SERVICE "Return", &gateway__return_response__descriptor},
	};
	Gateway__PingRequest request = GATEWAY__PING_REQUEST__INIT; /* without fields, as good as any */
	gateway_close(f->g);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
			assert_failed(rpc_unary(f->pair.conn, methods[i].method, NULL, &request, methods[i].reply, NULL,
						0, &error),
				      &error, round ? ERROR_NOT_FOUND : ERROR_UNAVAILABLE,
				      round ? "no such job x" : "frontend grpc server closed unexpectedly");
		g_clear_pointer(&f->g, gateway_unref);
	}
}

struct reading {
	struct fixture *f;
	const char *id;
	cancel *c;
	GError *error;
};

static gpointer read_thread(gpointer data)
{
	struct reading *r = data;
	Gateway__ReadFileRequest request = GATEWAY__READ_FILE_REQUEST__INIT;
	request.ref = (char *)r->id;
	request.filepath = (char *)"wait";
	g_assert_null(rpc_unary(r->f->pair.conn, SERVICE "ReadFile", NULL, &request,
				&gateway__read_file_response__descriptor, r->c, 0, &r->error));
	return NULL;
}

/* A client that ends a call ends its work: close waits for running calls. */
static void test_cancel(struct fixture *f, gconstpointer data)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autofree char *id = solve(f);
	struct reading r = {.f = f, .id = id, .c = c};
	GThread *thread = g_thread_new("read", read_thread, &r);
	event_wait(&f->fake.waiting, 1);
	cancel_set(c, ERROR_CANCELED, NULL);
	g_thread_join(thread);
	assert_failed(NULL, &r.error, ERROR_CANCELED, "context canceled");
	gateway_close(f->g);
	g_assert_cmpuint(event_count(&f->fake.ended), ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, data, fn) g_test_add("/llbbridge/" name, struct fixture, data, setup, fn, teardown)
	ADD("ping", NULL, test_ping);
	ADD("solve/request", NULL, test_solve_request);
	ADD("solve/limits", NULL, test_solve_limits);
	ADD("solve/result", NULL, test_solve_result);
	ADD("solve/failure", NULL, test_solve_failure);
	ADD("final", NULL, test_final);
	ADD("image", NULL, test_image);
	ADD("source", NULL, test_source);
	ADD("files", NULL, test_files);
	ADD("refs", NULL, test_refs);
	ADD("warn", NULL, test_warn);
	ADD("inputs", NULL, test_inputs);
	ADD("return/result", NULL, test_return_result);
	ADD("return/map", NULL, test_return_map);
	ADD("return/old-map", "old", test_return_map);
	ADD("return/error", NULL, test_return_error);
	ADD("closed", NULL, test_closed);
	ADD("cancel", NULL, test_cancel);
	return g_test_run();
}
