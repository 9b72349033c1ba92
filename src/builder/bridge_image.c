/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "builder/provenance_scope.h"
#include "api/guard.h"
#include "base/ident.h"
#include <string.h>

/* One lookup as a vertex of its own. */
struct lookup {
	struct build *build;
	const struct bridge_image_request *request;
	const struct platform *platform;
	struct image_meta found;
};

static enum image_resolve_mode resolve_mode(const char *text)
{
	if (g_strcmp0(text, "pull") == 0)
		return IMAGE_RESOLVE_PULL;
	if (g_strcmp0(text, "local") == 0)
		return IMAGE_RESOLVE_LOCAL;
	return IMAGE_RESOLVE_DEFAULT;
}

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
	return source_image_resolve(context, r->ref, l->platform, resolve_mode(r->resolve_mode), r->no_config, &own,
				    &l->found, error);
}

bool build_resolve_image(bridge *b, const struct bridge_image_request *r, struct work *work, struct bridge_image *ret,
			 GError **error)
{
	struct build *build = build_of_bridge(b);
	struct bridge_image_request wanted = *r;
	Pb__SourceOp *owner = NULL;
	if (!build_policy_image(build, &wanted, &owner, error))
		return false;
	struct lookup l = {
		.build = build,
		.request = &wanted,
		.platform = r->platform ? r->platform : builder_worker(build->builder)->platforms,
	};
	g_autofree char *name = r->log_name ? g_strdup(r->log_name)
					    : g_strdup_printf("resolve image config for %s://%s",
							      r->oci_layout ? "oci-layout" : "docker-image", r->ref);
	char id[IDENT_SIZE];
	ident_new(id);
	struct digest digest;
	digest_of(id, strlen(id), &digest);
	bool ok = solver_job_run_vertex(build->job, digest.text, name, work->cancel, lookup_run, &l, error);
	if (ok) {
		provenance_scope_note_image(build_scope_of_bridge(b), wanted.ref, r->platform, l.found.digest.text,
					    wanted.oci_layout);
		ret->ref = g_strdup(wanted.ref);
		ret->digest = l.found.digest;
		ret->config = l.found.config;
	} else {
		g_prefix_error(error, "failed to resolve source metadata for %s: ", r->ref);
	}
	guard_free(owner);
	return ok;
}

static Gateway__ResolveSourceMetaResponse *meta_reply(const Gateway__ResolveSourceMetaRequest *r)
{
	Gateway__ResolveSourceMetaResponse *reply = g_new0(Gateway__ResolveSourceMetaResponse, 1);
	gateway__resolve_source_meta_response__init(reply);
	reply->source = message_copy(r->source);
	return reply;
}

static bool resolve_image_source(bridge *b, const Gateway__ResolveSourceMetaRequest *r, const char *text,
				 bool oci_layout, struct work *work, Gateway__ResolveSourceMetaResponse **ret,
				 GError **error)
{
	struct platform platform = {0};
	if (r->platform) {
		g_strlcpy(platform.os, r->platform->os, sizeof platform.os);
		g_strlcpy(platform.architecture, r->platform->architecture, sizeof platform.architecture);
		g_strlcpy(platform.variant, r->platform->variant, sizeof platform.variant);
		g_strlcpy(platform.os_version, r->platform->osversion, sizeof platform.os_version);
		platform_normalize(&platform);
	}
	if (r->image && r->image->attestationchain)
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
	if (!build_resolve_image(b, &request, work, &found, error))
		return false;
	Gateway__ResolveSourceMetaResponse *reply = meta_reply(r);
	reply->image = g_new0(Gateway__ResolveSourceImageResponse, 1);
	gateway__resolve_source_image_response__init(reply->image);
	reply->image->digest = g_strdup(found.digest.text);
	gsize n = 0;
	const void *bytes = found.config ? g_bytes_get_data(found.config, &n) : NULL;
	reply->image->config.data = g_memdup2(bytes, n);
	reply->image->config.len = n;
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

static ProtobufCBinaryData bytes_copy(GBytes *bytes)
{
	gsize n = 0;
	const void *data = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	return (ProtobufCBinaryData){.data = g_memdup2(data, n), .len = n};
}

/* A lookup as a vertex of its own. */
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

static bool resolve_git_source(bridge *b, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
			       Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	struct build *build = build_of_bridge(b);
	struct git_lookup l = {.build = build, .request = r};
	if (!run_lookup(build, r, work, git_lookup_run, &l, error))
		return false;
	Gateway__ResolveSourceMetaResponse *reply = meta_reply(r);
	reply->git = g_new0(Gateway__ResolveSourceGitResponse, 1);
	gateway__resolve_source_git_response__init(reply->git);
	reply->git->ref = g_strdup(l.found.ref);
	reply->git->checksum = g_strdup(l.found.checksum);
	reply->git->commitchecksum = g_strdup(l.found.commit_checksum);
	reply->git->commitobject = bytes_copy(l.found.commit_object);
	reply->git->tagobject = bytes_copy(l.found.tag_object);
	git_meta_clear(&l.found);
	*ret = reply;
	return true;
}

/* ---- http */

struct http_lookup {
	struct build *build;
	const Gateway__ResolveSourceMetaRequest *request;
	struct http_meta found;
};

static bool http_lookup_run(void *data, struct work *work, GError **error)
{
	struct http_lookup *l = data;
	struct work own = *work;
	own.sessions = l->build->sessions;
	return source_http_resolve(&builder_worker(l->build->builder)->source_context, l->request->source, &own,
				   &l->found, error);
}

static bool resolve_http_source(bridge *b, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
				Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	struct build *build = build_of_bridge(b);
	struct http_lookup l = {.build = build, .request = r};
	if (r->http && r->http->checksumrequest)
		return error_set(error, ERROR_UNIMPLEMENTED, "checksums with a suffix are not supported yet");
	if (!run_lookup(build, r, work, http_lookup_run, &l, error))
		return false;
	Gateway__ResolveSourceMetaResponse *reply = meta_reply(r);
	reply->http = g_new0(Gateway__ResolveSourceHTTPResponse, 1);
	gateway__resolve_source_httpresponse__init(reply->http);
	reply->http->checksum = g_strdup(l.found.checksum.text);
	reply->http->filename = g_steal_pointer(&l.found.filename);
	if (l.found.has_modified) {
		reply->http->lastmodified = g_new0(Google__Timestamp, 1);
		google__timestamp__init(reply->http->lastmodified);
		reply->http->lastmodified->seconds = l.found.modified_s;
	}
	http_meta_clear(&l.found);
	*ret = reply;
	return true;
}

static bool resolve_source(bridge *b, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
			   Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	const char *rest = strstr(r->source->identifier, "://");
	if (!rest)
		return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse %s: invalid", r->source->identifier);
	g_autofree char *scheme = g_strndup(r->source->identifier, (gsize)(rest - r->source->identifier));
	if (strcmp(scheme, "docker-image") == 0 || strcmp(scheme, "oci-layout") == 0)
		return resolve_image_source(b, r, rest + 3, scheme[0] == 'o', work, ret, error);
	if (strcmp(scheme, "git") == 0)
		return resolve_git_source(b, r, work, ret, error);
	if (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
		return resolve_http_source(b, r, work, ret, error);
	if (strcmp(scheme, "local") == 0) {
		*ret = meta_reply(r);
		return true;
	}
	return error_set(error, ERROR_UNIMPLEMENTED, "metadata of %s:// sources is not supported yet", scheme);
}

bool build_resolve_source(bridge *b, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
			  Gateway__ResolveSourceMetaResponse **ret, GError **error)
{
	Gateway__ResolveSourceMetaRequest *judged = NULL;
	if (!build_policy_source(build_of_bridge(b), r, &judged, error))
		return false;
	bool ok = resolve_source(b, judged ? judged : r, work, ret, error);
	guard_free(judged);
	return ok;
}
