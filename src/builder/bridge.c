/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "builder/imports.h"
#include "builder/provenance.h"
#include "api/guard.h"
#include "ops/ops.h"
#include <string.h>

static const struct bridge_class solver_bridge_class;

struct solver_bridge {
	bridge base;
	struct build *build;     /* borrowed: the build outlives the bridge */
	provenance_scope *scope; /* borrowed from the build; scope of the requests */
	unsigned depth;          /* number of frontends that requested each other up to here */
};

/* A result with its definition; it is evaluated at the first read. */
struct solver_ref {
	bridge_ref base;
	gint refs;
	llb_definition *definition;
	Pb__Definition *wire;
	provenance_scope *scope; /* borrowed from the build */
	GMutex mu;
	bool built;        /* mu */
	cache_ref *result; /* mu until built; NULL: scratch */
};

struct build *build_of_bridge(bridge *b)
{
	return ((struct solver_bridge *)b)->build;
}

provenance_scope *build_scope_of_bridge(bridge *b)
{
	return ((struct solver_bridge *)b)->scope;
}

provenance_scope *build_ref_scope(bridge_ref *ref)
{
	return ((struct solver_ref *)ref)->scope;
}

llb_definition *build_ref_definition(bridge_ref *ref)
{
	return ((struct solver_ref *)ref)->definition;
}

static bridge_ref *ref_ref(bridge_ref *ref)
{
	g_atomic_int_inc(&((struct solver_ref *)ref)->refs);
	return ref;
}

static void ref_unref(bridge_ref *ref)
{
	struct solver_ref *r = (struct solver_ref *)ref;
	if (!g_atomic_int_dec_and_test(&r->refs))
		return;
	cache_ref_unref(r->result);
	llb_definition_unref(r->definition);
	guard_free(r->wire);
	g_mutex_clear(&r->mu);
	g_free(r);
}

const Pb__Definition *build_ref_wire(bridge_ref *ref)
{
	return ((struct solver_ref *)ref)->wire;
}

static const Pb__Definition *ref_definition(bridge *b, bridge_ref *ref)
{
	return ref ? build_ref_wire(ref) : NULL;
}

bool build_ref_target(bridge_ref *ref, struct solver_target *ret)
{
	const struct solver_ref *r = (const struct solver_ref *)ref;
	ret->vertex = r ? llb_definition_result(r->definition, &ret->index) : NULL;
	return ret->vertex != NULL;
}

/*
 * If a layer of a cache import is found missing or damaged when a step reads it, the step fails. Build again without
 * that layer, until no further layer is lost.
 */
static bool build_target(struct build *build, const struct solver_ref *r, cancel *c, void **ret, GError **error)
{
	struct solver_target t;
	if (!build_ref_target((bridge_ref *)&r->base, &t) || !imports_wait(build->imports, c, error))
		return !t.vertex;
	for (;;) {
		g_autoptr(GError) why = NULL;
		unsigned losses = imports_losses(build->imports);
		if (solver_job_build(build->job, t.vertex, t.index, c, ret, &why))
			return true;
		if (cancel_is_set(c) || imports_losses(build->imports) == losses)
			return error_propagate(error, g_steal_pointer(&why));
		solver_job_reopen(build->job);
	}
}

/* The solver runs each vertex once for all callers; the ref keeps the first result. */
bool build_ref_result(bridge *b, bridge_ref *ref, struct work *work, cache_ref **ret, GError **error)
{
	struct solver_ref *r = (struct solver_ref *)ref;
	*ret = NULL;
	if (!r)
		return true;
	g_mutex_lock(&r->mu);
	bool built = r->built;
	g_mutex_unlock(&r->mu);
	if (!built) {
		void *result = NULL;
		if (!build_target(build_of_bridge(b), r, work->cancel, &result, error))
			return false;
		g_mutex_lock(&r->mu);
		bool first = !r->built;
		if (first)
			r->result = result;
		else
			cache_ref_unref(result);
		r->built = true;
		g_mutex_unlock(&r->mu);
		if (first)
			provenance_scope_note_built(r->scope, r->definition);
	}
	*ret = r->result;
	return true;
}

void build_ref_reopen(bridge_ref *ref)
{
	struct solver_ref *r = (struct solver_ref *)ref;
	if (!r)
		return;
	g_mutex_lock(&r->mu);
	cache_ref *result = g_steal_pointer(&r->result);
	r->built = false;
	g_mutex_unlock(&r->mu);
	cache_ref_unref(result);
}

static bool evaluate(bridge *b, bridge_ref *ref, struct work *work, GError **error)
{
	cache_ref *result;
	return build_ref_result(b, ref, work, &result, error);
}

static bridge_ref *ref_new(bridge *b, llb_definition *definition, const Pb__Definition *wire)
{
	struct solver_ref *r = g_new0(struct solver_ref, 1);
	r->base.class = &solver_bridge_class;
	r->refs = 1;
	r->definition = definition;
	r->wire = message_copy(wire);
	r->scope = build_scope_of_bridge(b);
	g_mutex_init(&r->mu);
	return &r->base;
}

static bool solve_definition(bridge *b, const struct bridge_solve_request *request, struct work *work,
			     build_result **ret, GError **error)
{
	struct build *build = build_of_bridge(b);
	g_autoptr(build_result) result = build_result_new();
	if (request->definition->n_def > 0) {
		llb_definition *definition = build_load(build, request, work, error);
		if (!definition)
			return false;
		ops_drop_cache_mounts(builder_worker(build->builder), definition);
		result->ref = ref_new(b, definition, request->definition);
		if (request->n_cache_imports > 0)
			imports_start(build->imports, request->cache_imports, request->n_cache_imports);
		if (request->evaluate && !evaluate(b, result->ref, work, error))
			return false;
	}
	*ret = g_steal_pointer(&result);
	return true;
}

static bool solve(bridge *b, const struct bridge_solve_request *request, struct work *work, build_result **ret,
		  GError **error)
{
	if (request->definition && request->definition->n_def > 0 && request->frontend)
		return error_set(error, ERROR_UNKNOWN, "cannot solve with both Definition and Frontend specified");
	if (request->frontend) {
		g_autoptr(build_result) result = NULL;
		if (!build_solve_frontend(b, request, work, &result, error) ||
		    (request->evaluate && !build_evaluate(build_of_bridge(b), result, work->cancel, error)))
			return false;
		*ret = g_steal_pointer(&result);
		return true;
	}
	if (request->definition)
		return solve_definition(b, request, work, ret, error);
	*ret = build_result_new();
	return true;
}

static bool warn(bridge *b, const char *vertex, const struct progress_warning *warning, GError **error)
{
	struct build *build = build_of_bridge(b);
	g_autoptr(progress_sink) sink = solver_job_find_sink(build->job, vertex);
	if (sink)
		progress_warn(sink, warning);
	else /* the vertex was not requested yet */
		progress_log_warn(build->log, vertex, warning);
	return true;
}

static const struct platform *platforms(bridge *b, size_t *ret_n)
{
	worker *w = builder_worker(build_of_bridge(b)->builder);
	return worker_platforms(w, ret_n);
}

static const char *session_of(bridge *b)
{
	return build_of_bridge(b)->request->session;
}

static const struct bridge_class solver_bridge_class = {
	.solve = solve,
	.resolve_image = build_resolve_image,
	.resolve_source = build_resolve_source,
	.read_file = build_read_file,
	.read_dir = build_read_dir,
	.stat_file = build_stat_file,
	.evaluate = evaluate,
	.new_container = build_new_container,
	.warn = warn,
	.definition = ref_definition,
	.platforms = platforms,
	.session_id = session_of,
	.serves_frontend = build_serves_frontend,
	.ref_ref = ref_ref,
	.ref_unref = ref_unref,
};

bridge *build_bridge_new(struct build *build)
{
	struct solver_bridge *b = g_new0(struct solver_bridge, 1);
	b->base.class = &solver_bridge_class;
	b->build = build;
	b->scope = provenance_get_scope(build->provenance);
	return &b->base;
}

bridge *build_bridge_nested(bridge *outer, provenance_scope *scope)
{
	struct solver_bridge *b = g_memdup2(outer, sizeof *b);
	b->scope = scope;
	b->depth++;
	return &b->base;
}

unsigned build_bridge_depth(const bridge *b)
{
	return ((const struct solver_bridge *)b)->depth;
}

void build_bridge_free(bridge *b)
{
	g_free(b);
}
