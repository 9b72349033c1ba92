/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "api/message.h"
#include "builder/provenance_scope.h"
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
	enum image_resolve_mode mode;
	return source_resolve_mode_parse(r->resolve_mode, &mode, error) &&
	       source_image_resolve(context, r->ref, l->platform, mode, r->no_config, &own, &l->found, error);
}

/* asked: the name before policies, for error texts. */
static bool look_up_image(struct build *build, provenance_scope *scope, const struct bridge_image_request *wanted,
			  const char *asked, struct work *work, struct bridge_image *ret, GError **error)
{
	struct lookup l = {
		.build = build,
		.request = wanted,
		.platform = wanted->platform ? wanted->platform : builder_worker(build->builder)->platforms,
	};
	g_autofree char *name = wanted->log_name
					? g_strdup(wanted->log_name)
					: g_strdup_printf("resolve image config for %s://%s",
							  wanted->oci_layout ? "oci-layout" : "docker-image", asked);
	char id[IDENT_SIZE];
	ident_new(id);
	struct digest digest;
	digest_of(id, strlen(id), &digest);
	if (!solver_job_run_vertex(build->job, digest.text, name, work->cancel, lookup_run, &l, error)) {
		g_prefix_error(error, "failed to resolve source metadata for %s: ", asked);
		return false;
	}
	if (scope)
		provenance_scope_note_image(scope, wanted->ref, wanted->platform, l.found.digest.text,
					    wanted->oci_layout);
	ret->ref = g_strdup(wanted->ref);
	ret->digest = l.found.digest;
	ret->config = l.found.config;
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

static Gateway__ResolveSourceMetaResponse *meta_reply(const Gateway__ResolveSourceMetaRequest *r)
{
	Gateway__ResolveSourceMetaResponse *reply =
		message_new(Gateway__ResolveSourceMetaResponse, gateway__resolve_source_meta_response);
	reply->source = message_copy(r->source);
	return reply;
}

static bool resolve_image_source(struct build *build, provenance_scope *scope,
				 const Gateway__ResolveSourceMetaRequest *r, const char *text, bool oci_layout,
				 struct work *work, Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	struct platform platform = {0};
	if (r->platform)
		message_platform_read(r->platform, &platform);
	if (r->image && (r->image->attestationchain || r->image->n_resolveattestations > 0))
		return error_set(error, ERROR_UNIMPLEMENTED, "attestation chains of images are not supported yet");
	const char *session_id = llb_source_attr(r->source, "oci.session");
	const char *store_id = llb_source_attr(r->source, "oci.store");
	struct bridge_image_request request = {
		.ref = text,
		.platform = r->platform ? &platform : NULL,
		.resolve_mode = r->resolvemode,
		.log_name = *r->logname ? r->logname : NULL,
		.no_config = r->image && r->image->noconfig,
		.oci_layout = oci_layout,
		.session_id = session_id,
		.store_id = store_id,
	};
	struct bridge_image found = {0};
	if (!look_up_image(build, scope, &request, text, work, &found, error))
		return false;
	Gateway__ResolveSourceMetaResponse *reply = meta_reply(r);
	reply->image = message_new(Gateway__ResolveSourceImageResponse, gateway__resolve_source_image_response);
	reply->image->digest = g_strdup(found.digest.text);
	reply->image->config = message_bytes(found.config);
	g_clear_pointer(&found.config, g_bytes_unref);
	g_free(found.ref);
	*ret = reply;
	return true;
}

/* ---- git */

struct git_lookup {
	struct build *build;
	const Gateway__ResolveSourceMetaRequest *request;
	struct git_meta found;
};

static bool git_lookup_run(void *data, struct work *work, GError **error)
{
	struct git_lookup *l = data;
	struct work own = *work;
	own.sessions = l->build->sessions;
	bool objects = l->request->git && l->request->git->returnobject;
	return source_git_resolve(&builder_worker(l->build->builder)->source_context, l->request->source, objects, &own,
				  &l->found, error);
}

/* A git lookup that is displayed as a vertex. */
static bool run_lookup(struct build *build, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
		       bool (*run)(void *data, struct work *work, GError **error), void *data, GError **error)
{
	g_autofree char *name = *r->logname ? g_strdup(r->logname)
					    : g_strdup_printf("resolve image config for %s", r->source->identifier);
	char id[IDENT_SIZE];
	ident_new(id);
	struct digest digest;
	digest_of(id, strlen(id), &digest);
	if (solver_job_run_vertex(build->job, digest.text, name, work->cancel, run, data, error))
		return true;
	g_prefix_error(error, "failed to resolve source metadata for %s: ", r->source->identifier);
	return false;
}

static bool resolve_git_source(struct build *build, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
			       Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	struct git_lookup l = {.build = build, .request = r};
	if (!run_lookup(build, r, work, git_lookup_run, &l, error))
		return false;
	Gateway__ResolveSourceMetaResponse *reply = meta_reply(r);
	reply->git = message_new(Gateway__ResolveSourceGitResponse, gateway__resolve_source_git_response);
	reply->git->ref = g_strdup(l.found.ref);
	reply->git->checksum = g_strdup(l.found.checksum);
	reply->git->commitchecksum = g_strdup(l.found.commit_checksum);
	reply->git->commitobject = message_bytes(l.found.commit_object);
	reply->git->tagobject = message_bytes(l.found.tag_object);
	git_meta_clear(&l.found);
	*ret = reply;
	return true;
}

/* ---- http */

struct http_lookup {
	struct build *build;
	const Gateway__ResolveSourceMetaRequest *request;
	struct http_checksum *checksum; /* NULL: not requested */
	struct http_meta found;
};

static bool http_lookup_run(void *data, struct work *work, GError **error)
{
	struct http_lookup *l = data;
	struct work own = *work;
	own.sessions = l->build->sessions;
	return source_http_resolve(&builder_worker(l->build->builder)->source_context, l->request->source, l->checksum,
				   &own, &l->found, error);
}

static bool read_checksum_request(const Gateway__ChecksumRequest *r, struct http_checksum *ret, GError **error)
{
	static const char *const algorithms[] = {"sha256", "sha384", "sha512"};
	if (r->suffix.len > CHECKSUM_SUFFIX_MAX)
		return error_set(error, ERROR_INVALID_ARGUMENT, "http checksum request suffix exceeds max size %d",
				 CHECKSUM_SUFFIX_MAX);
	if ((int)r->algo < 0 || (size_t)r->algo >= G_N_ELEMENTS(algorithms))
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported checksum algorithm %d", (int)r->algo);
	*ret = (struct http_checksum){
		.algorithm = algorithms[r->algo], .suffix = r->suffix.data, .suffix_len = r->suffix.len};
	return true;
}

static void set_checksum(Gateway__ResolveSourceHTTPResponse *reply, const struct http_checksum *c)
{
	reply->checksumresponse = message_new(Gateway__ChecksumResponse, gateway__checksum_response);
	reply->checksumresponse->digest = g_strdup(c->digest.text);
	reply->checksumresponse->suffix.data = g_memdup2(c->suffix, c->suffix_len);
	reply->checksumresponse->suffix.len = c->suffix_len;
}

static bool resolve_http_source(struct build *build, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
				Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	struct http_lookup l = {.build = build, .request = r};
	struct http_checksum checksum;
	if (r->http && r->http->checksumrequest) {
		if (!read_checksum_request(r->http->checksumrequest, &checksum, error))
			return false;
		l.checksum = &checksum;
	}
	if (!run_lookup(build, r, work, http_lookup_run, &l, error))
		return false;
	Gateway__ResolveSourceMetaResponse *reply = meta_reply(r);
	reply->http = message_new(Gateway__ResolveSourceHTTPResponse, gateway__resolve_source_httpresponse);
	reply->http->checksum = g_strdup(l.found.checksum.text);
	reply->http->filename = g_steal_pointer(&l.found.filename);
	if (l.found.has_modified) {
		reply->http->lastmodified = message_new(Google__Timestamp, google__timestamp);
		reply->http->lastmodified->seconds = l.found.modified_s;
	}
	if (l.checksum)
		set_checksum(reply->http, l.checksum);
	http_meta_clear(&l.found);
	*ret = reply;
	return true;
}

/* Sources that are fully described by their identifiers. */
static bool has_no_metadata(const char *scheme)
{
	static const char *const schemes[] = {"local", "docker-image+blob", "oci-layout+blob"};
	for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
		if (strcmp(scheme, schemes[i]) == 0)
			return true;
	return false;
}

bool build_lookup_source(struct build *b, provenance_scope *scope, const Gateway__ResolveSourceMetaRequest *r,
			 struct work *work, Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	const char *rest = strstr(r->source->identifier, "://");
	if (!rest)
		return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse %s: invalid", r->source->identifier);
	g_autofree char *scheme = g_strndup(r->source->identifier, (gsize)(rest - r->source->identifier));
	if (strcmp(scheme, "docker-image") == 0 || strcmp(scheme, "oci-layout") == 0)
		return resolve_image_source(b, scope, r, rest + 3, scheme[0] == 'o', work, ret, error);
	if (strcmp(scheme, "git") == 0)
		return resolve_git_source(b, r, work, ret, error);
	if (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
		return resolve_http_source(b, r, work, ret, error);
	if (!has_no_metadata(scheme))
		return error_set(error, ERROR_UNIMPLEMENTED, "metadata of %s:// sources is not supported yet", scheme);
	*ret = meta_reply(r);
	return true;
}

bool build_resolve_source(bridge *b, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
			  Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	Gateway__ResolveSourceMetaRequest *judged = NULL;
	if (!build_policy_source(build_of_bridge(b), r, work, &judged, error))
		return false;
	bool ok = build_lookup_source(build_of_bridge(b), build_scope_of_bridge(b), judged ? judged : r, work, ret,
				      error);
	guard_free(judged);
	return ok;
}
