/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/time.h"
#include "builder/imports.h"
#include "builder/provenance.h"
#include "provenance/origin.h"
#include "remotecache/remotecache.h"
#include "base/ident.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include "base/log.h"
#include "format/url_redact.h"
#include <string.h>

#define EVALUATIONS_MAX 64                /* refs of a result that are evaluated at once */
#define READABLE_AFTER_NS (10 * NS_PER_S) /* Status finds a build this long after its end */

struct watcher {
	guint id;
	void (*fn)(void *data);
	void *data;
};

struct builder {
	struct builder_options options;
	GMutex mu;
	GCond changed;               /* builds were added or removed */
	GHashTable *builds;          /* char * ref to struct build * (counted); running and recently ended builds; mu */
	provenance_origins *origins; /* owned */
	build_metrics *metrics;      /* owned */
	size_t running;              /* mu */
	bool draining;               /* mu */
	GArray *watchers;            /* element type: struct watcher; mu */
	guint last_watcher;          /* mu */
};

builder *builder_new(const struct builder_options *options)
{
	builder *b = g_new0(builder, 1);
	b->options = *options;
	g_mutex_init(&b->mu);
	g_cond_init(&b->changed);
	b->builds = g_hash_table_new(g_str_hash, g_str_equal);
	b->origins = provenance_origins_new();
	b->metrics = build_metrics_new();
	b->watchers = g_array_new(FALSE, FALSE, sizeof(struct watcher));
	return b;
}

static void build_unref(struct build *build)
{
	if (!g_atomic_int_dec_and_test(&build->refs))
		return;
	progress_log_unref(build->log);
	session_group_unref(build->sessions);
	cancel_unref(build->cancel);
	gateway_unref(build->gateway);
	g_ptr_array_unref(build->cache_exporters);
	g_ptr_array_unref(build->cleanups);
	g_array_unref(build->exporters);
	g_ptr_array_unref(build->session_targets);
	blob_holds_free(build->holds);
	device_grants_free(build->devices);
	netproxy_policy_unref(build->proxy);
	g_mutex_clear(&build->mu);
	g_free(build->ref);
	g_free(build);
}

void builder_free(builder *b)
{
	for (struct hash_walk it = hash_walk(b->builds); hash_walk_next(&it);)
		build_unref(it.value);
	g_hash_table_unref(b->builds);
	provenance_origins_free(b->origins);
	build_metrics_free(b->metrics);
	g_array_unref(b->watchers);
	g_mutex_clear(&b->mu);
	g_cond_clear(&b->changed);
	g_free(b);
}

const struct builder_options *builder_get_options(builder *b)
{
	return &b->options;
}

provenance_origins *builder_origins(builder *b)
{
	return b->origins;
}

worker *builder_worker(builder *b)
{
	return b->options.workers[0];
}

worker *const *builder_workers(builder *b, size_t *ret_n)
{
	*ret_n = b->options.n_workers;
	return b->options.workers;
}

history *builder_history(builder *b)
{
	return b->options.history;
}

solver *builder_solver(builder *b)
{
	return b->options.solver;
}

build_metrics *builder_metrics(builder *b)
{
	return b->metrics;
}

size_t builder_running(builder *b)
{
	g_mutex_lock(&b->mu);
	size_t n = b->running;
	g_mutex_unlock(&b->mu);
	return n;
}

void builder_drain(builder *b)
{
	g_mutex_lock(&b->mu);
	b->draining = true;
	g_mutex_unlock(&b->mu);
}

void builder_cancel_all(builder *b)
{
	g_autoptr(GPtrArray) running = g_ptr_array_new_with_free_func((GDestroyNotify)build_unref);
	g_mutex_lock(&b->mu);
	for (struct hash_walk it = hash_walk(b->builds); hash_walk_next(&it);) {
		struct build *build = it.value;
		g_atomic_int_inc(&build->refs);
		g_ptr_array_add(running, build);
	}
	g_mutex_unlock(&b->mu);
	for (guint i = 0; i < running->len; i++)
		cancel_set(((struct build *)running->pdata[i])->cancel, ERROR_CANCELED, "the daemon is stopping");
}

/* Removes builds that ended more than READABLE_AFTER_NS ago. Requires mu. */
static void expire(builder *b)
{
	int64_t before = progress_now_ns() - READABLE_AFTER_NS;
	for (struct hash_walk it = hash_walk(b->builds); hash_walk_next(&it);) {
		struct build *build = it.value;
		if (build->ended_ns == 0 || build->ended_ns > before)
			continue;
		g_hash_table_iter_remove(&it.iter);
		build_unref(build);
	}
}

/* Requires mu. */
static void notify_watchers(builder *b)
{
	g_cond_broadcast(&b->changed);
	for (guint i = 0; i < b->watchers->len; i++) {
		const struct watcher *w = &g_array_index(b->watchers, struct watcher, i);
		w->fn(w->data);
	}
}

static bool register_build(builder *b, struct build *build, GError **error)
{
	g_mutex_lock(&b->mu);
	expire(b);
	bool draining = b->draining, fresh = !g_hash_table_contains(b->builds, build->ref);
	if (fresh && !draining) {
		g_atomic_int_inc(&build->refs);
		g_hash_table_insert(b->builds, build->ref, build);
		b->running++;
		notify_watchers(b);
	}
	g_mutex_unlock(&b->mu);
	if (draining)
		return error_set(error, ERROR_UNAVAILABLE, "the daemon is stopping and accepts no further builds");
	return fresh || error_set(error, ERROR_UNKNOWN, "job ID %s exists", build->ref);
}

static void end_build(builder *b, struct build *build)
{
	g_mutex_lock(&b->mu);
	build->ended_ns = progress_now_ns();
	b->running--;
	notify_watchers(b);
	g_mutex_unlock(&b->mu);
	if (b->options.on_idle)
		b->options.on_idle(b->options.on_idle_data);
}

/* Waits up to timeout_ms for the build: clients may look it up before Solve has created it. */
static struct build *find_build(builder *b, const char *ref, bool running, int timeout_ms, cancel *c, GError **error)
{
	gint64 until = g_get_monotonic_time() + timeout_ms * 1000LL;
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &b->mu, &b->changed);
	struct build *found = NULL;
	g_mutex_lock(&b->mu);
	for (;;) {
		found = g_hash_table_lookup(b->builds, ref);
		if (found && running && found->ended_ns != 0)
			found = NULL;
		if (found || cancel_is_set(c) || !g_cond_wait_until(&b->changed, &b->mu, until))
			break;
	}
	if (found)
		g_atomic_int_inc(&found->refs);
	g_mutex_unlock(&b->mu);
	if (!found && cancel_check(c, error))
		error_set(error, ERROR_NOT_FOUND, "no such job %s", ref);
	return found;
}

progress_log *builder_peek_log(builder *b, const char *ref)
{
	g_mutex_lock(&b->mu);
	const struct build *build = g_hash_table_lookup(b->builds, ref);
	progress_log *log = build ? progress_log_ref(build->log) : NULL;
	g_mutex_unlock(&b->mu);
	return log;
}

guint builder_watch(builder *b, void (*fn)(void *data), void *data)
{
	g_mutex_lock(&b->mu);
	struct watcher w = {++b->last_watcher, fn, data};
	g_array_append_val(b->watchers, w);
	g_mutex_unlock(&b->mu);
	return w.id;
}

void builder_unwatch(builder *b, guint id)
{
	g_mutex_lock(&b->mu);
	for (guint i = 0; i < b->watchers->len; i++) {
		if (g_array_index(b->watchers, struct watcher, i).id == id) {
			g_array_remove_index_fast(b->watchers, i);
			break;
		}
	}
	g_mutex_unlock(&b->mu);
}

gateway *builder_find_gateway(builder *b, const char *ref, int timeout_ms, cancel *c, GError **error)
{
	struct build *build = find_build(b, ref, true, timeout_ms, c, error);
	if (!build)
		return NULL;
	gateway *g = build->gateway ? gateway_ref(build->gateway) : NULL;
	build_unref(build);
	if (!g)
		error_set(error, ERROR_NOT_FOUND, "no such job %s", ref);
	return g;
}

/* "name" or, for devices, "device=CONFIG". */
static bool allow_entitlement(struct build *build, const char *entitlement, GError **error)
{
	const struct builder_options *allowed = &build->builder->options;
	const char *equals = strchr(entitlement, '=');
	g_autofree char *key = g_strndup(entitlement, equals ? (gsize)(equals - entitlement) : strlen(entitlement));
	bool device = strcmp(key, "device") == 0, host = strcmp(entitlement, "network.host") == 0,
	     insecure = strcmp(entitlement, "security.insecure") == 0;
	if (!host && !insecure && !device)
		return error_set(error, ERROR_UNKNOWN, "unknown entitlement %s", entitlement);
	if ((host && !allowed->allow_network_host) || (insecure && !allowed->allow_security_insecure) ||
	    (device && !allowed->allow_devices))
		return error_set(error, ERROR_UNKNOWN,
				 "granting entitlement %s is not allowed by build daemon configuration", key);
	build->allow_network_host |= host;
	build->allow_security_insecure |= insecure;
	return !device || device_grants_add(build->devices, equals ? equals + 1 : "", error);
}

static bool allow_entitlements(struct build *build, GError **error)
{
	for (const char *const *e = build->request->entitlements; e && *e; e++)
		if (!allow_entitlement(build, *e, error))
			return false;
	return true;
}

/* Creates everything except the job, which needs a free id. */
static struct build *build_new(builder *b, const struct build_request *request, cancel *c)
{
	struct build *build = g_new0(struct build, 1);
	build->refs = 1;
	build->builder = b;
	build->request = request;
	char id[IDENT_SIZE];
	ident_new(id);
	build->ref = g_strdup(*request->ref ? request->ref : id);
	build->sessions = session_group_new(builder_worker(b)->sessions, *request->session ? request->session : NULL);
	build->log = progress_log_new();
	build->cancel = cancel_new(c);
	build->started_ns = progress_now_ns();
	build->provenance = provenance_new(build);
	build->devices = device_grants_new();
	build->proxy = build_proxy_policy(build);
	build->bridge = build_bridge_new(build);
	build->imports = imports_new(build);
	build->cache_exporters = g_ptr_array_new_with_free_func((GDestroyNotify)cache_exporter_free);
	build->cleanups = g_ptr_array_new_with_free_func(g_free);
	build->exporters = g_array_new(FALSE, TRUE, sizeof(struct build_target));
	if (request->n_exporters > 0)
		g_array_append_vals(build->exporters, request->exporters, (guint)request->n_exporters);
	build->session_targets = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
	build->holds = blob_holds_new(builder_worker(b)->blobs);
	g_mutex_init(&build->mu);
	/* A definition without ops is scratch; a request without a definition is driven by its client. */
	if (!*request->frontend && !request->definition) {
		struct work work = {.cancel = build->cancel, .sessions = build->sessions};
		build->gateway = gateway_new(build->bridge, request->frontend_inputs, b->options.workers,
					     b->options.n_workers, &work);
	}
	return build;
}

/*
 * Returns the result of the frontend: of a client through LLBBridge, of a built-in frontend, or of the given
 * definition.
 */
static build_result *build_frontend(struct build *build, struct work *work, GError **error)
{
	if (build->gateway)
		return gateway_wait(build->gateway, build->cancel, error);
	struct bridge_solve_request request = {
		.definition = build->request->definition,
		.frontend = *build->request->frontend ? build->request->frontend : NULL,
		.options = build->request->frontend_attrs,
		.inputs = build->request->frontend_inputs,
		.cache_imports = build->request->cache_imports,
		.n_cache_imports = build->request->n_cache_imports,
	};
	build_result *result = NULL;
	build->bridge->class->solve(build->bridge, &request, work, &result, error);
	return result;
}

struct evaluation {
	struct build *build;
	cancel *cancel;
	bridge_ref *ref;
	GError *error;
};

static void evaluate_one(void *data, size_t i)
{
	struct evaluation *e = &((struct evaluation *)data)[i];
	struct work work = {.cancel = e->cancel, .sessions = e->build->sessions};
	if (e->ref)
		e->build->bridge->class->evaluate(e->build->bridge, e->ref, &work, &e->error);
}

/* Sorted by name, then attestations: a vertex that several refs share is displayed for the first one. */
static GPtrArray *refs_of(const build_result *result)
{
	GPtrArray *refs = g_ptr_array_new();
	guint n = 0;
	g_autofree char **ids = result->refs ? (char **)g_hash_table_get_keys_as_array(result->refs, &n) : NULL;
	if (n > 0)
		qsort(ids, n, sizeof *ids, text_order);
	if (!result->refs)
		g_ptr_array_add(refs, result->ref);
	for (guint i = 0; i < n; i++)
		g_ptr_array_add(refs, g_hash_table_lookup(result->refs, ids[i]));
	for (guint i = 0; i < result->attestations->len; i++)
		g_ptr_array_add(refs, ((const struct build_attestation *)result->attestations->pdata[i])->ref);
	return refs;
}

bool build_evaluate(struct build *build, build_result *result, cancel *c, GError **error)
{
	g_autoptr(GPtrArray) refs = refs_of(result);
	g_autofree struct evaluation *all = g_new0(struct evaluation, refs->len + 1);
	for (guint i = 0; i < refs->len; i++)
		all[i] = (struct evaluation){.build = build, .cancel = c, .ref = refs->pdata[i]};
	if (refs->len == 1)
		evaluate_one(all, 0);
	else
		thread_each(refs->len, MIN(refs->len, EVALUATIONS_MAX), evaluate_one, all);
	bool ok = true;
	for (guint i = 0; i < refs->len; i++) {
		bool is_first = ok && all[i].error;
		if (is_first)
			g_propagate_error(error, g_steal_pointer(&all[i].error));
		g_clear_error(&all[i].error);
		ok = ok && !is_first;
	}
	return ok;
}

static void add_frontend_keys(build_result *result, GHashTable *response)
{
	for (struct hash_walk it = hash_walk(result->metadata); hash_walk_next(&it);) {
		if (g_str_has_prefix(it.key, "frontend.") || g_str_has_prefix(it.key, "result."))
			g_hash_table_replace(response, g_strdup(it.key), text_from_bytes(it.value));
	}
}

static void reopen_refs(struct build *build, build_result *result)
{
	g_autoptr(GPtrArray) refs = refs_of(result);
	solver_job_reopen(build->job);
	for (guint i = 0; i < refs->len; i++)
		build_ref_reopen(refs->pdata[i]);
}

/* Completes the evaluated result: platforms, SBOM, provenance. */
static bool settle(struct build *build, build_result *result, bool first, GError **error)
{
	if (first) {
		build_verify(build, result);
		if (!build_scan(build, result, error))
			return false;
		build_warn_attestations(build, result);
	}
	/* The SBOM is evaluated after the capture, which it is no part of. */
	return provenance_capture_result(build->provenance, result, error) &&
	       build_evaluate(build, result, build->cancel, error);
}

/* Layers of a cache import may be found missing during the export: build and export again without them. */
static bool evaluate_and_export(struct build *build, build_result *result, GHashTable *response, GError **error)
{
	for (bool settled = false;;) {
		g_autoptr(GError) why = NULL;
		unsigned losses = imports_losses(build->imports);
		if (build_evaluate(build, result, build->cancel, &why)) {
			bool first = !settled;
			settled = true;
			if (settle(build, result, first, &why) && build_find_session_exporters(build, result, &why) &&
			    build_export(build, result, response, &why))
				return true;
		}
		if (cancel_is_set(build->cancel) || imports_losses(build->imports) == losses)
			return error_propagate(error, g_steal_pointer(&why));
		reopen_refs(build, result);
	}
}

static build_result *build_run(struct build *build, GHashTable *response, GError **error)
{
	struct work work = {.cancel = build->cancel, .sessions = build->sessions};
	g_autoptr(build_result) result = build_frontend(build, &work, error);
	if (!result || !evaluate_and_export(build, result, response, error) ||
	    !solver_sync(build->builder->options.solver, error) ||
	    !cache_sync(builder_worker(build->builder)->cache, error))
		return NULL; /* a successful build is durable (docs/durability.md) */
	add_frontend_keys(result, response);
	if (!build_finalize_session_export(build, response, error))
		return NULL;
	return g_steal_pointer(&result);
}

static bool run_registered(struct build *build, GHashTable *response, GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(build_result) result = NULL;
	build_record_start(build);
	/* Checks are in the order of upstream. */
	if (build_check_exporters(build, &failure) && build_open_cache_exports(build, &failure) &&
	    provenance_read_options(build->provenance, &failure) && build_check_sbom(build, &failure) &&
	    allow_entitlements(build, &failure) && build_check_policy(build, &failure))
		result = build_run(build, response, &failure);
	bool ok = result != NULL;
	if (failure) { /* the message may contain an address with a password */
		char *text = failure->message;
		failure->message = url_redact_copy(text);
		g_free(text);
	}
	/* Cancelling the token ends running LLBBridge calls; their refs are freed before the job. */
	if (build->gateway) {
		cancel_set(build->cancel, ERROR_CANCELED, NULL);
		gateway_close(build->gateway);
	}
	g_clear_pointer(&build->imports, imports_free); /* waits for imports that nothing used */
	progress_log_close(build->log);
	build_record_end(build, result, response, failure);
	build_drop_kept(build);
	cache_release_blobs(builder_worker(build->builder)->cache, build->holds);
	g_clear_pointer(&result, build_result_unref);
	if (!ok)
		g_propagate_error(error, g_steal_pointer(&failure));
	return ok;
}

/* The job exists before the build is registered, and is freed after the build is unregistered. */
static bool run_with_job(struct build *build, GHashTable *response, GError **error)
{
	builder *b = build->builder;
	const struct solver_job_options options = {
		.id = build->ref,
		.sessions = build->sessions,
		.log = build->log,
		.attrs = build->request->frontend_attrs,
		.compat_version = build->request->compat_version,
		.load = build_load_nested,
		.load_data = build,
	};
	build->job = solver_job_new(b->options.solver, &options, error);
	if (!build->job)
		return false;
	bool ok = register_build(b, build, error);
	if (ok) {
		ok = run_registered(build, response, error);
		end_build(b, build);
	}
	/* Steps that other builds need do not end here, but those whose requests are checked do. */
	if (build->proxy)
		netproxy_policy_close(build->proxy);
	solver_job_free(g_steal_pointer(&build->job));
	return ok;
}

bool builder_solve(builder *b, const struct build_request *request, cancel *c, GHashTable **ret_response,
		   GError **error)
{
	struct build_request settled = *request;
	build_settle_frontend(&settled.frontend, settled.frontend_attrs);
	struct build *build = build_new(b, &settled, c);
	g_autoptr(GHashTable) response = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	session_registry *sessions = builder_worker(b)->sessions;
	session_guard(sessions, request->session, build->cancel);
	bool ok = run_with_job(build, response, error);
	session_unguard(sessions, build->cancel);
	g_clear_pointer(&build->imports, imports_free); /* still set if the job could not be created */
	provenance_origins_drop(b->origins, build);
	g_clear_pointer(&build->provenance, provenance_free);
	g_clear_pointer(&build->sbom_scope, provenance_scope_free);
	g_clear_pointer(&build->bridge, build_bridge_free);
	build->request = NULL;
	build_unref(build);
	if (!ok)
		error_clear_state(error ? *error : NULL); /* the client can use it no more */
	for (size_t i = 0; !ok && i < b->options.n_workers; i++)
		cache_reclaim(b->options.workers[i]->cache); /* free disk space before the error is returned */
	if (ok)
		*ret_response = g_steal_pointer(&response);
	return ok;
}
