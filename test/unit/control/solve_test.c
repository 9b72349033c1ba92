/* SPDX-License-Identifier: Apache-2.0 */
/* Solve requests as the builder sees them, and the errors that clients see. */
#include "api/message.h"
#include "control.pb-c.h"
#include "lib/control_rig.h"
#include "remotecache/cache_import.h"
#include <string.h>

#define SOLVE "/moby.buildkit.v1.Control/Solve"

static GString *seen;   /* the last build request */
static const char *bad; /* the error of builds; NULL: they succeed */
static enum error_code bad_code;

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* " key=value" of all entries, sorted. */
static void note_table(GHashTable *table)
{
	guint n;
	g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(table, &n);
	qsort(keys, n, sizeof *keys, compare_text);
	for (guint i = 0; i < n; i++)
		g_string_append_printf(seen, " %s=%s", keys[i], (char *)g_hash_table_lookup(table, keys[i]));
}

static void note_targets(const char *what, const struct build_target *targets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		g_string_append_printf(seen, "%s %s", what, targets[i].type);
		note_table(targets[i].attrs);
		g_string_append_c(seen, '\n');
	}
}

static bool solve(const struct build_request *r, GHashTable *response, GError **error)
{
	g_string_printf(seen, "ref=%s session=%s frontend=%s", r->ref, r->session, r->frontend);
	note_table(r->frontend_attrs);
	g_string_append_printf(seen,
			       " inputs=%u ops=%d compat=%d policy=%d verifier=%s internal=%d session=%d proxy=%d\n",
			       g_hash_table_size(r->frontend_inputs), r->definition ? (int)r->definition->n_def : -1,
			       (int)r->compat_version, r->source_policy != NULL, r->policy_session, r->internal,
			       r->session_exporters, r->proxy_network);
	note_targets("exporter", r->exporters, r->n_exporters);
	note_targets("export", r->cache_exports, r->n_cache_exports);
	for (size_t i = 0; i < r->n_cache_imports; i++) {
		g_string_append_printf(seen, "import %s", r->cache_imports[i].type);
		note_table(r->cache_imports[i].attrs);
		g_string_append_c(seen, '\n');
	}
	for (const char *const *e = r->entitlements; *e; e++)
		g_string_append_printf(seen, "entitlement %s\n", *e);
	if (bad)
		return error_set(error, bad_code, "%s", bad);
	g_hash_table_insert(response, g_strdup("image.name"), g_strdup("x"));
	return true;
}

static void setup(struct control_rig *r, gconstpointer data)
{
	control_rig_init(r);
	r->solve = solve;
	seen = g_string_new(NULL);
	bad = NULL;
}

static void teardown(struct control_rig *r, gconstpointer data)
{
	control_rig_clear(r);
	g_string_free(seen, TRUE);
}

/* "a=1 b=2" as a table. */
static GHashTable *table_of(const char *text)
{
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	for (char **w = words; *w; w++) {
		g_auto(GStrv) pair = g_strsplit(*w, "=", 2);
		g_hash_table_insert(table, g_strdup(pair[0]), g_strdup(pair[1]));
	}
	return table;
}

static Control__Exporter *exporter_of(const char *type, const char *attrs)
{
	Control__Exporter *e = message_new(Control__Exporter, control__exporter);
	g_autoptr(GHashTable) table = table_of(attrs);
	message_replace_text(&e->type, type);
	message_set_map(e, attrs, table);
	return e;
}

static Control__CacheOptionsEntry *cache_of(const char *type, const char *attrs)
{
	Control__CacheOptionsEntry *e = message_new(Control__CacheOptionsEntry, control__cache_options_entry);
	g_autoptr(GHashTable) table = table_of(attrs);
	message_replace_text(&e->type, type);
	message_set_map(e, attrs, table);
	return e;
}

static void test_request(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Control__SolveRequest *m = message_new(Control__SolveRequest, control__solve_request);
	g_autoptr(GHashTable) attrs = table_of("target=t filename=f"), old = table_of("mode=max");
	static const char *const refs[] = {"h/old1", "h/old2", NULL}, *const entitlements[] = {"a", "b", NULL};
	message_replace_text(&m->ref, "r1");
	message_replace_text(&m->session, "s1");
	message_replace_text(&m->frontend, "dockerfile.v0");
	message_replace_text(&m->sourcepolicysession, "p1");
	message_set_map(m, frontendattrs, attrs);
	m->definition = message_new(Pb__Definition, pb__definition);
	m->sourcepolicy = message_new(Policy__Policy, policy__policy);
	m->internal = m->enablesessionexporter = m->proxynetwork = true;
	m->compatibilityversion = 20;
	message_set_texts(m, entitlements, entitlements);
	message_append(m, exporters, exporter_of("image", "name=x push=true"));
	message_append(m, exporters, exporter_of("oci", "dest=d"));
	message_replace_text(&m->exporterdeprecated, "ignored");
	for (int i = 0; i < 2; i++) {
		Control__SolveRequest__FrontendInputsEntry *in = message_new(
			Control__SolveRequest__FrontendInputsEntry, control__solve_request__frontend_inputs_entry);
		message_replace_text(&in->key, i ? "context" : "without-value");
		in->value = i ? message_new(Pb__Definition, pb__definition) : NULL;
		message_append(m, frontendinputs, in);
	}
	m->cache = message_new(Control__CacheOptions, control__cache_options);
	message_append(m->cache, exports, cache_of("local", "dest=d"));
	message_append(m->cache, imports, cache_of("s3", "bucket=b"));
	message_replace_text(&m->cache->exportrefdeprecated, "h/out");
	message_set_map(m->cache, exportattrsdeprecated, old);
	message_set_texts(m->cache, importrefsdeprecated, refs);
	Control__SolveResponse *reply = CONTROL_CALL(r, SOLVE, m, control__solve_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(
		seen->str, ==,
		"ref=r1 session=s1 frontend=dockerfile.v0 filename=f target=t inputs=1 ops=0 compat=20 policy=1 "
		"verifier=p1 internal=1 session=1 proxy=1\n"
		"exporter image name=x push=true\n"
		"exporter oci dest=d\n"
		"export local dest=d\n"
		"export registry mode=max ref=h/out\n"
		"import s3 bucket=b\n"
		"import registry ref=h/old1\n"
		"import registry ref=h/old2\n"
		"entitlement a\n"
		"entitlement b\n");
	g_assert_cmpuint(reply->n_exporterresponse, ==, 1);
	g_assert_cmpstr(reply->exporterresponse[0]->key, ==, "image.name");
	g_assert_cmpstr(reply->exporterresponse[0]->value, ==, "x");
	guard_free(reply);
	guard_free(m);
}

/* Clients older than multiple exporters. */
static void test_old_exporter(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Control__SolveRequest *m = message_new(Control__SolveRequest, control__solve_request);
	g_autoptr(GHashTable) attrs = table_of("name=x");
	message_replace_text(&m->exporterdeprecated, "image");
	message_set_map(m, exporterattrsdeprecated, attrs);
	guard_free(CONTROL_CALL(r, SOLVE, m, control__solve_response, &error));
	g_assert_no_error(error);
	g_assert_cmpstr(
		seen->str, ==,
		"ref= session= frontend= inputs=0 ops=-1 compat=30 policy=0 verifier= internal=0 session=0 proxy=0\n"
		"exporter image name=x\n");
	guard_free(m);
}

static void test_refused(struct control_rig *r, gconstpointer data)
{
	static const struct {
		int64_t compat;
		enum error_code code;
		const char *text;
	} cases[] = {
		{11, ERROR_UNKNOWN, "unsupported compatibility-version 11 (supported: [10 20 30])"},
		{-1, ERROR_UNKNOWN, "unsupported compatibility-version -1 (supported: [10 20 30])"},
		{31, ERROR_UNKNOWN, "unsupported compatibility-version 31: upgrade buildkit (max supported: 30)"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		Control__SolveRequest m = CONTROL__SOLVE_REQUEST__INIT;
		m.compatibilityversion = cases[i].compat;
		control_rig_failed(CONTROL_CALL(r, SOLVE, &m, control__solve_response, &error), &error, cases[i].code,
				   cases[i].text);
	}
	g_assert_cmpstr(seen->str, ==, ""); /* nothing was built */
}

/* The code of a failed build is hidden, except where it describes the call. */
static void test_failure(struct control_rig *r, gconstpointer data)
{
	static const struct {
		enum error_code code, shown;
	} cases[] = {
		{ERROR_NOT_FOUND, ERROR_UNKNOWN},
		{ERROR_FAILED_PRECONDITION, ERROR_UNKNOWN},
		{ERROR_CANCELED, ERROR_CANCELED},
		{ERROR_RESOURCE_EXHAUSTED, ERROR_RESOURCE_EXHAUSTED},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		Control__SolveRequest m = CONTROL__SOLVE_REQUEST__INIT;
		bad = "process \"/bin/sh -c false\" did not complete";
		bad_code = cases[i].code;
		control_rig_failed(CONTROL_CALL(r, SOLVE, &m, control__solve_response, &error), &error, cases[i].shown,
				   bad);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/solve/request", struct control_rig, NULL, setup, test_request, teardown);
	g_test_add("/solve/old-exporter", struct control_rig, NULL, setup, test_old_exporter, teardown);
	g_test_add("/solve/refused", struct control_rig, NULL, setup, test_refused, teardown);
	g_test_add("/solve/failure", struct control_rig, NULL, setup, test_failure, teardown);
	return g_test_run();
}
