/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that name a frontend: the built-in one, or the gateway, which runs the image of a frontend. */
#include "builder/build_internal.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include "builder/frontend_run.h"
#include "builder/provenance.h"
#include "format/json_writer.h"
#include "format/reference.h"
#include "frontend/dockerfile/dockerfile.h"
#include "frontend/dockerfile/frontend_image.h"
#include "provenance/origin.h"
#include <string.h>

#define DOCKERFILE "dockerfile.v0"
#define SYNTAX_ARG "build-arg:BUILDKIT_SYNTAX"

/* Records the origin of the results, which may become inputs of other requests. */
static void note_origin(struct build *build, const provenance_scope *scope, const build_result *result)
{
	struct provenance_request request = provenance_scope_request(scope);
	provenance_origin *origin = provenance_origin_new(&request);
	provenance_origins *origins = builder_origins(build->builder);
	if (result->ref)
		provenance_origins_add(origins, build_ref_wire(result->ref), origin, build);
	for (struct hash_walk it = hash_walk(result->refs); hash_walk_next(&it);)
		if (it.value)
			provenance_origins_add(origins, build_ref_wire(it.value), origin, build);
	provenance_origin_unref(origin);
}

typedef bool (*frontend_solve_fn)(bridge *b, const struct bridge_solve_request *request, struct work *work,
				  build_result **ret, GError **error);

/* Requests of the frontend itself use a bridge with a nested scope. */
static bool run_nested(bridge *b, const struct bridge_solve_request *request, struct work *work,
		       frontend_solve_fn solve, build_result **ret, GError **error)
{
	struct build *build = build_of_bridge(b);
	provenance_origins *origins = builder_origins(build->builder);
	provenance_scope *scope = provenance_scope_new(build_scope_of_bridge(b), request->frontend, request->options,
						       provenance_origins_of(origins, request->inputs));
	bridge *inner = build_bridge_nested(b, scope);
	bool ok = solve(inner, request, work, ret, error);
	build_bridge_free(inner);
	if (ok)
		note_origin(build, scope, *ret);
	return ok;
}

static void add_frontend_detail(const struct bridge_solve_request *request, GError **error)
{
	const char *image = request->options ? g_hash_table_lookup(request->options, "source") : NULL;
	if (!error || !*error)
		return;
	error_convert(error);
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "name", request->frontend);
	if (image)
		json_put_string_member_nonempty(w, "source", image);
	json_object_end(w);
	g_autofree char *json = json_writer_take(&w, NULL);
	error_add_detail(*error, "errdefs.Frontend", json);
}

/* ---- the built-in frontend */

static bool solve_dockerfile(bridge *b, const struct bridge_solve_request *request, struct work *work,
			     build_result **ret, GError **error)
{
	return dockerfile_frontend.solve(b, request->options, request->inputs, work, ret, error);
}

void build_settle_frontend(const char **frontend, GHashTable *options)
{
	if (strcmp(*frontend, "gateway.v0") != 0 || g_strcmp0(g_hash_table_lookup(options, "source"), DOCKERFILE) != 0)
		return;
	for (struct hash_walk it = hash_walk(options); hash_walk_next(&it);)
		if (strcmp(it.key, "context:" DOCKERFILE) == 0 || g_str_has_prefix(it.key, "context:" DOCKERFILE "::"))
			return;
	*frontend = DOCKERFILE;
	g_hash_table_remove(options, "source");
}

/* ---- frontend images */

static bool is_allowed(const struct builder_options *options, const char *image, GError **error)
{
	const char *const *allowed = options->allowed_repositories;
	if (!allowed || !*allowed)
		return true;
	g_autoptr(reference) ref = reference_parse_normalized(image, error);
	if (!ref)
		return false;
	g_autofree char *name = reference_name(ref);
	return g_strv_contains(allowed, name) ||
	       error_set(error, ERROR_UNKNOWN, "'%s' is not an allowed gateway source", image);
}

/* The build argument BUILDKIT_SYNTAX requests the image itself. */
static bool is_forced(GHashTable *options, const char *image)
{
	const char *syntax = g_hash_table_lookup(options, SYNTAX_ARG);
	if (!syntax)
		return false;
	g_autofree char *text = g_strstrip(g_strdup(syntax));
	text[strcspn(text, " ")] = '\0';
	return strcmp(text, image) == 0;
}

/*
 * Asks the policies about the image as its lookup would. One that they refuse, or replace by something that the built-in
 * frontend does not implement or by another channel, is not served: its lookup asks again and reports the error, or leads to the replacement.
 */
static bool policies_keep(struct build *build, const char *image, struct work *work)
{
	const struct builder_options *o = builder_get_options(build->builder);
	g_autoptr(reference) ref = reference_parse_normalized(image, NULL);
	if (!ref)
		return false;
	reference_tag_default(ref);
	g_autofree char *text = reference_text(ref), *other = NULL;
	struct bridge_image_request request = {.ref = text, .resolve_mode = ""};
	Pb__SourceOp *owner = NULL;
	bool kept = build_policy_image(build, &request, work, &owner, &other, NULL) && !request.oci_layout &&
		    dockerfile_implements(request.ref, o->dockerfile_repositories) &&
		    dockerfile_names_labs(request.ref) == dockerfile_names_labs(image);
	guard_free(owner);
	return kept;
}

bool build_serves_image(struct build *build, const char *image, GHashTable *options, struct work *work)
{
	const struct builder_options *o = builder_get_options(build->builder);
	return o->dockerfile_enabled && o->dockerfile_repositories &&
	       dockerfile_implements(image, o->dockerfile_repositories) && is_allowed(o, image, NULL) &&
	       !is_forced(options, image) && !frontend_image_has_context(options, image) &&
	       policies_keep(build, image, work);
}

bool build_serves_frontend(bridge *b, const char *image, GHashTable *options, struct work *work)
{
	return build_serves_image(build_of_bridge(b), image, options, work);
}

static bool run_gateway(bridge *b, const struct bridge_solve_request *request, struct work *work, build_result **ret,
			GError **error)
{
	const struct builder_options *o = builder_get_options(build_of_bridge(b)->builder);
	const char *image = g_hash_table_lookup(request->options, "source");
	if (g_hash_table_contains(request->options, "gateway-devel"))
		return error_set(error, ERROR_UNKNOWN, "development gateway is no longer supported");
	if (!image)
		return error_set(error, ERROR_UNKNOWN, "no source specified for gateway");
	if (!is_allowed(o, image, error))
		return false;
	if (build_serves_frontend(b, image, request->options, work))
		return run_nested(b, request, work, solve_dockerfile, ret, error);
	return run_nested(b, request, work, build_run_frontend, ret, error);
}

bool build_solve_frontend(bridge *b, const struct bridge_solve_request *request, struct work *work, build_result **ret,
			  GError **error)
{
	const struct builder_options *allowed = builder_get_options(build_of_bridge(b)->builder);
	struct bridge_solve_request settled = *request;
	if (allowed->dockerfile_enabled)
		build_settle_frontend(&settled.frontend, settled.options);
	bool ok;
	if (strcmp(settled.frontend, DOCKERFILE) == 0 && allowed->dockerfile_enabled)
		ok = run_nested(b, &settled, work, solve_dockerfile, ret, error);
	else if (strcmp(settled.frontend, "gateway.v0") == 0 && allowed->gateway_enabled)
		ok = run_gateway(b, &settled, work, ret, error);
	else
		return error_set(error, ERROR_UNKNOWN, "invalid frontend: %s", settled.frontend);
	if (!ok)
		add_frontend_detail(&settled, error);
	return ok;
}
