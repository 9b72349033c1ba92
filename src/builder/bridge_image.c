/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "api/message.h"
#include "provenance/scope.h"
#include "base/ident.h"
#include <string.h>

#define CHECKSUM_SUFFIX_MAX 4096 /* bytes; same as upstream */

/* An image lookup that is displayed as a vertex. */
struct lookup {
	struct build *build;
	const struct bridge_image_request *request;
	const struct platform *platform;
	struct image_meta found;
};

static bool lookup_run(void *data, struct work *work, GError **error)
{
	struct lookup *l = data;
	const struct bridge_image_request *r = l->request;
	const struct source_context *context = &builder_worker(l->build->builder)->source_context;
	struct work own = *work;
	own.sessions = l->build->sessions;
	if (r->oci_layout)
		return source_oci_layout_resolve(context, r->ref, r->session_id, r->store_id, l->platform, &own,
						 &l->found, error);
	struct image_query q = {.platform = l->platform,
				.no_config = r->no_config,
				.attestations = r->attestations,
				.predicate_types = r->predicate_types,
				.n_predicate_types = r->n_predicate_types};
	return source_resolve_mode_parse(r->resolve_mode, &q.mode, error) &&
	       source_image_resolve(context, r->ref, &q, &own, &l->found, error);
}

/* asked: the name before policies, for error texts. */
static bool look_up_image(struct build *build, provenance_scope *scope, const struct bridge_image_request *wanted,
			  const char *asked, struct work *work, struct bridge_image *ret, GError **error)
{
	size_t n;
	struct lookup l = {
		.build = build,
		.request = wanted,
		.platform = wanted->platform ? wanted->platform : worker_platforms(builder_worker(build->builder), &n),
	};
	g_autofree char *name = wanted->log_name
					? g_strdup(wanted->log_name)
					: g_strdup_printf("resolve image config for %s://%s",
							  wanted->oci_layout ? "oci-layout" : "docker-image", asked);
	char id[IDENT_SIZE];
	ident_new(id);
	struct digest digest;
	digest_of(id, strlen(id), &digest);
	if (!solver_job_run_vertex(build->job, digest.text, name, work->cancel, lookup_run, &l, error))
		return error_prefix(error, "failed to resolve source metadata for %s: ", asked);
	if (scope)
		provenance_scope_note_image(scope, wanted->ref, wanted->platform, l.found.digest.text,
					    wanted->oci_layout);
	ret->ref = g_strdup(wanted->ref);
	ret->digest = l.found.digest;
	ret->config = l.found.config;
	ret->attestations = l.found.attestations;
	return true;
}

bool build_resolve_image(bridge *b, const struct bridge_image_request *r, struct work *work, struct bridge_image *ret,
			 GError **error)
{
	struct build *build = build_of_bridge(b);
	struct bridge_image_request wanted = *r;
	Pb__SourceOp *owner = NULL;
	if (!build_policy_image(build, &wanted, work, &owner, &ret->other, error))
		return false;
	bool ok = look_up_image(build, build_scope_of_bridge(b), &wanted, r->ref, work, ret, error);
	guard_free(owner);
	return ok;
}

static bool resolve_image_source(struct build *build, provenance_scope *scope, const struct bridge_source_request *r,
				 const char *text, bool oci_layout, struct work *work, struct bridge_source *ret,
				 GError **error)
{
	struct platform platform = {0};
	if (r->platform)
		message_platform_read(r->platform, &platform);
	struct bridge_image_request request = {
		.ref = text,
		.platform = r->platform ? &platform : NULL,
		.resolve_mode = r->resolve_mode,
		.log_name = r->log_name,
		.no_config = r->no_config,
		.attestations = r->attestations && !oci_layout,
		.predicate_types = r->predicate_types,
		.n_predicate_types = r->n_predicate_types,
		.oci_layout = oci_layout,
		.session_id = llb_source_attr(r->source, "oci.session"),
		.store_id = llb_source_attr(r->source, "oci.store"),
	};
	if (!look_up_image(build, scope, &request, text, work, &ret->image, error))
		return false;
	g_clear_pointer(&ret->image.ref, g_free);
	ret->kind = BRIDGE_SOURCE_IMAGE;
	return true;
}

/* ---- git and http */

struct source_lookup {
	struct build *build;
	const struct bridge_source_request *request;
	struct bridge_source *found;
};

/* A lookup that is displayed as a vertex. */
static bool run_lookup(struct source_lookup *l, enum bridge_source_kind kind, struct work *work,
		       bool (*run)(void *data, struct work *work, GError **error), GError **error)
{
	const struct bridge_source_request *r = l->request;
	g_autofree char *name = r->log_name ? g_strdup(r->log_name)
					    : g_strdup_printf("resolve image config for %s", r->source->identifier);
	char id[IDENT_SIZE];
	ident_new(id);
	struct digest digest;
	digest_of(id, strlen(id), &digest);
	if (!solver_job_run_vertex(l->build->job, digest.text, name, work->cancel, run, l, error))
		return error_prefix(error, "failed to resolve source metadata for %s: ", r->source->identifier);
	l->found->kind = kind;
	return true;
}

static bool git_lookup_run(void *data, struct work *work, GError **error)
{
	struct source_lookup *l = data;
	struct work own = *work;
	own.sessions = l->build->sessions;
	return source_git_resolve(&builder_worker(l->build->builder)->source_context, l->request->source,
				  l->request->objects, &own, &l->found->git, error);
}

static bool http_lookup_run(void *data, struct work *work, GError **error)
{
	struct source_lookup *l = data;
	struct work own = *work;
	own.sessions = l->build->sessions;
	struct http_checksum *checksum = l->found->checksum.algorithm ? &l->found->checksum : NULL;
	return source_http_resolve(&builder_worker(l->build->builder)->source_context, l->request->source, checksum,
				   &own, &l->found->http, error);
}

static bool read_checksum_request(const struct bridge_source_request *r, struct http_checksum *ret, GError **error)
{
	static const char *const algorithms[] = {"sha256", "sha384", "sha512"};
	if (r->checksum.suffix_len > CHECKSUM_SUFFIX_MAX)
		return error_set(error, ERROR_INVALID_ARGUMENT, "http checksum request suffix exceeds max size %d",
				 CHECKSUM_SUFFIX_MAX);
	if (r->checksum.algorithm < 0 || (size_t)r->checksum.algorithm >= G_N_ELEMENTS(algorithms))
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported checksum algorithm %d",
				 r->checksum.algorithm);
	*ret = (struct http_checksum){.algorithm = algorithms[r->checksum.algorithm],
				      .suffix = r->checksum.suffix,
				      .suffix_len = r->checksum.suffix_len};
	return true;
}

static bool look_up_source(struct build *b, provenance_scope *scope, const struct bridge_source_request *r,
			   struct work *work, struct bridge_source *ret, GError **error)
{
	const char *rest, *identifier = r->source->identifier, *separator = strstr(identifier, "://");
	if (!separator)
		return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse %s: invalid", identifier);
	const struct source_class *class = source_class_find(identifier, &rest);
	if (!class)
		return error_set(error, ERROR_UNKNOWN, "unknown scheme %.*s: not found", (int)(separator - identifier),
				 identifier);
	struct source_lookup l = {.build = b, .request = r, .found = ret};
	switch (class->material) {
	case SOURCE_MATERIAL_IMAGE:
		return resolve_image_source(b, scope, r, rest, class->is_layout, work, ret, error);
	case SOURCE_MATERIAL_GIT:
		return run_lookup(&l, BRIDGE_SOURCE_GIT, work, git_lookup_run, error);
	case SOURCE_MATERIAL_HTTP:
		return (!r->checksum.wanted || read_checksum_request(r, &ret->checksum, error)) &&
		       run_lookup(&l, BRIDGE_SOURCE_HTTP, work, http_lookup_run, error);
	case SOURCE_MATERIAL_UNSET:
	case SOURCE_MATERIAL_IMAGE_BLOB:
	case SOURCE_MATERIAL_LOCAL:
	case SOURCE_MATERIAL_COUNT:
		break;
	}
	return true; /* the identifier describes the source in full */
}

bool build_lookup_source(struct build *b, provenance_scope *scope, const struct bridge_source_request *r,
			 struct work *work, struct bridge_source *ret, GError **error)
{
	struct bridge_source found = {0};
	if (!look_up_source(b, scope, r, work, &found, error))
		return false;
	found.source = message_copy(r->source);
	*ret = found;
	return true;
}

bool build_resolve_source(bridge *b, const struct bridge_source_request *r, struct work *work,
			  struct bridge_source *ret, GError **error)
{
	Pb__SourceOp *changed = NULL;
	if (!build_policy_source(build_of_bridge(b), r, work, &changed, error))
		return false;
	struct bridge_source_request request = *r;
	if (changed)
		request.source = changed;
	bool ok = build_lookup_source(build_of_bridge(b), build_scope_of_bridge(b), &request, work, ret, error);
	guard_free(changed);
	return ok;
}
