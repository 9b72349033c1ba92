/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/gateway_rig.h"
#include "api/message.h"
#include <string.h>

/* ---- the bridge */

static bool fake_answer(struct fake_bridge *f, GError **error)
{
	return !f->bad || error_set(error, f->code, "%s", f->bad);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Notes " key=value" of all entries of a table of strings, sorted. */
static void note_table(struct fake_bridge *f, GHashTable *table)
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
	struct fake_bridge *f = (struct fake_bridge *)b;
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
	struct fake_bridge *f = (struct fake_bridge *)b;
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
	struct fake_bridge *f = (struct fake_bridge *)b;
	g_string_append_printf(f->seen, "source %s\n", r->source->identifier);
	if (!fake_answer(f, error))
		return false;
	*ret = (struct bridge_source){.source = message_copy(r->source)};
	return true;
}

static GBytes *fake_read_file(bridge *b, bridge_ref *ref, const char *path, int64_t offset, int64_t length,
			      struct work *work, GError **error)
{
	struct fake_bridge *f = (struct fake_bridge *)b;
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
	struct fake_bridge *f = (struct fake_bridge *)b;
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
	struct fake_bridge *f = (struct fake_bridge *)b;
	g_string_append_printf(f->seen, "stat %s\n", path);
	if (!fake_answer(f, error))
		return false;
	*ret = (struct fssync_stat){.path = g_strdup("name"), .linkname = g_strdup(""), .size = 7};
	return true;
}

static bool fake_evaluate(bridge *b, bridge_ref *ref, struct work *work, GError **error)
{
	struct fake_bridge *f = (struct fake_bridge *)b;
	g_string_append(f->seen, "evaluate\n");
	return fake_answer(f, error);
}

static bool fake_warn(bridge *b, const char *vertex, const struct progress_warning *w, GError **error)
{
	struct fake_bridge *f = (struct fake_bridge *)b;
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
	return &((struct fake_bridge *)b)->definition;
}

static struct fake_bridge *fake_of(bridge_ref *ref)
{
	return (struct fake_bridge *)((char *)ref - offsetof(struct fake_bridge, ref));
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

static container *fake_new_container(bridge *b, const struct bridge_container_request *r, struct work *work,
				     GError **error)
{
	return ((struct fake_bridge *)b)->new_container(r, work, error);
}

static const struct bridge_class fake_class = {
	.solve = fake_solve,
	.resolve_image = fake_image,
	.resolve_source = fake_source,
	.read_file = fake_read_file,
	.read_dir = fake_read_dir,
	.stat_file = fake_stat_file,
	.evaluate = fake_evaluate,
	.new_container = fake_new_container,
	.warn = fake_warn,
	.definition = fake_definition,
	.ref_ref = fake_ref,
	.ref_unref = fake_unref,
};

/* ---- the rig */

static gateway *find(void *data, rpc_call *call, GError **error)
{
	struct gateway_rig *r = data;
	if (!r->g)
		error_set(error, ERROR_NOT_FOUND, "no such job x");
	return r->g ? gateway_ref(r->g) : NULL;
}

void gateway_rig_setup(struct gateway_rig *r, gconstpointer data)
{
	static uint8_t op[] = {1};
	static ProtobufCBinaryData ops[] = {{1, op}};
	r->fake.bridge.class = r->fake.ref.class = &fake_class;
	r->fake.seen = g_string_new(NULL);
	pb__definition__init(&r->fake.definition);
	r->fake.definition.def = ops;
	r->fake.definition.n_def = 1;
	r->build = cancel_new(NULL);
	r->work.cancel = r->build;
	r->labels = g_hash_table_new(g_str_hash, g_str_equal);
	r->inputs = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(r->inputs, (void *)"context", &r->fake.definition);
	r->worker = (struct worker){.id = (char *)"w1", .labels = r->labels};
	r->workers[0] = &r->worker;
	r->g = gateway_new(&r->fake.bridge, r->inputs, r->workers, 1, &r->work);
	r->fake.g = r->g;
	r->host = (struct llbbridge_host){find, r};
	rpc_pair_init(&r->pair);
	llbbridge_register(r->pair.server, &r->host);
	rpc_pair_connect(&r->pair);
}

void gateway_rig_teardown(struct gateway_rig *r, gconstpointer data)
{
	rpc_pair_clear(&r->pair);
	if (r->g) {
		gateway_close(r->g);
		gateway_unref(r->g);
	}
	g_assert_cmpint(r->fake.count, ==, 0);
	cancel_unref(r->build);
	g_hash_table_unref(r->labels);
	g_hash_table_unref(r->inputs);
	g_string_free(r->fake.seen, TRUE);
}

void gateway_rig_failed(void *reply, GError **error, enum error_code code, const char *text)
{
	g_assert_null(reply);
	g_assert_nonnull(*error);
	g_assert_cmpstr((*error)->message, ==, text);
	g_assert_cmpint(error_get_code(*error), ==, code);
	g_clear_error(error);
}

void gateway_rig_seen(struct gateway_rig *r, const char *text)
{
	g_assert_cmpstr(r->fake.seen->str, ==, text);
	g_string_truncate(r->fake.seen, 0);
}

char *gateway_rig_solve(struct gateway_rig *r)
{
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	g_autoptr(GError) error = NULL;
	Gateway__SolveResponse *reply = GATEWAY_CALL(r, "Solve", &request, gateway__solve_response, &error);
	g_assert_no_error(error);
	char *id = g_strdup(reply->ref);
	guard_free(reply);
	g_string_truncate(r->fake.seen, 0);
	return id;
}

void gateway_rig_metadata(build_result *result, const char *key, const char *value)
{
	GBytes *bytes = g_hash_table_lookup(result->metadata, key);
	g_assert_nonnull(bytes);
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), value, strlen(value));
}
