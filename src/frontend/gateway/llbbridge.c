/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/gateway_internal.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include "frontend/gateway/caps.h"
#include "frontend/gateway/wire.h"
#include "llb/definition.h"
#include <jansson.h>
#include <string.h>

#define SERVICE "/moby.buildkit.v1.frontend.LLBBridge/"

bool gateway_call_begin(struct gateway_call *v, rpc_call *call, void *data, GError **error)
{
	const struct llbbridge_host *host = data;
	v->g = host->find(host->data, call, error);
	if (!v->g)
		return false;
	g_mutex_lock(&v->g->mu);
	bool open = !v->g->closed;
	if (open)
		v->g->calls++;
	g_mutex_unlock(&v->g->mu);
	v->work = v->g->work;
	v->work.cancel = rpc_call_cancel(call);
	if (open)
		return true;
	g_clear_pointer(&v->g, gateway_unref);
	return error_set(error, ERROR_UNAVAILABLE, "frontend grpc server closed unexpectedly");
}

void gateway_call_end(struct gateway_call *v)
{
	if (!v->g)
		return;
	g_mutex_lock(&v->g->mu);
	v->g->calls--;
	g_cond_broadcast(&v->g->changed);
	g_mutex_unlock(&v->g->mu);
	gateway_unref(v->g);
}

static Caps__APICap **caps_to_wire(const char *const *ids, size_t *ret_n)
{
	size_t n = g_strv_length((char **)ids);
	Caps__APICap **caps = g_new0(Caps__APICap *, n);
	for (size_t i = 0; i < n; i++) {
		caps[i] = message_new(Caps__APICap, caps__apicap);
		caps[i]->id = g_strdup(ids[i]);
		caps[i]->enabled = true;
	}
	*ret_n = n;
	return caps;
}

static ProtobufCMessage *handle_ping(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	Gateway__PongResponse *reply = message_new(Gateway__PongResponse, gateway__pong_response);
	reply->frontendapicaps = caps_to_wire(gateway_caps, &reply->n_frontendapicaps);
	reply->llbcaps = caps_to_wire(llb_caps(), &reply->n_llbcaps);
	for (size_t i = 0; i < v.g->n_workers; i++)
		message_append(reply, workers, gateway_worker_record_new(v.g->workers[i]));
	return &reply->base;
}

static ProtobufCMessage *solve_reply(gateway *g, const Gateway__SolveRequest *m, build_result *result, GError **error)
{
	if (!m->allowresultreturn && result->refs)
		return error_null(error, ERROR_UNKNOWN, "solve did not return default result");
	Gateway__SolveResponse *reply = message_new(Gateway__SolveResponse, gateway__solve_response);
	if (m->allowresultreturn) {
		reply->result = gateway_result_to_wire(g, result, m->allowresultarrayref);
	} else {
		if (result->ref)
			result->ref->class->ref_ref(result->ref);
		reply->ref = g_strdup(gateway_ref_add(g, result->ref));
	}
	return &reply->base;
}

/* Decodes a JSON object of base64 values, the form in which Go writes a map of bytes. */
static bool exporter_attrs_read(const json_t *json, build_result *to, GError **error)
{
	const char *key;
	json_t *value;
	if (!json_is_object(json))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid ExporterAttr: not a JSON object");
	json_object_foreach((json_t *)json, key, value)
	{
		const char *text = json_string_value(value);
		gsize n = 0;
		g_autofree guchar *bytes = text ? g_base64_decode(text, &n) : NULL;
		if (!text && !json_is_null(value))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid ExporterAttr: %s is not a string",
					 key);
		build_result_set_metadata(to, key, bytes, n);
	}
	return true;
}

/*
 * Handles the request of an old client (before Return) to make this the build's result; metadata of the solve has
 * precedence.
 */
static bool return_final(gateway *g, const Gateway__SolveRequest *m, const build_result *solved, GError **error)
{
	g_autoptr(build_result) final = build_result_new();
	json_t *attrs = json_loadb((const char *)m->exporterattr.data, m->exporterattr.len, 0, NULL);
	bool ok = exporter_attrs_read(attrs, final, error);
	json_decref(attrs);
	if (!ok)
		return false;
	for (struct hash_walk it = hash_walk(solved->metadata); hash_walk_next(&it);)
		build_result_set_metadata(final, it.key, g_bytes_get_data(it.value, NULL), g_bytes_get_size(it.value));
	final->ref = solved->ref ? solved->ref->class->ref_ref(solved->ref) : NULL;
	return gateway_return(g, final, NULL, error);
}

static ProtobufCMessage *handle_solve(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__SolveRequest *m = (const void *)request;
	scoped_call v = {0};
	g_autoptr(GArray) imports = cache_imports_new();
	if (!gateway_call_begin(&v, call, data, error) ||
	    !gateway_admit_solve(v.g, protobuf_c_message_get_packed_size(request), error))
		return NULL;
	for (size_t i = 0; i < m->n_cacheimports; i++)
		cache_imports_add(imports, m->cacheimports[i]->type, message_map(m->cacheimports[i], attrs));
	g_autoptr(GHashTable) options = message_map(m, frontendopt);
	g_autoptr(GHashTable) inputs = message_map(m, frontendinputs);
	struct bridge_solve_request solve = {
		.definition = m->definition,
		.frontend = *m->frontend ? m->frontend : NULL,
		.options = options,
		.inputs = inputs,
		.evaluate = m->evaluate,
		.cache_imports = (const struct cache_import *)(void *)imports->data,
		.n_cache_imports = imports->len,
		.source_policies = m->sourcepolicies,
		.n_source_policies = m->n_sourcepolicies,
	};
	g_autoptr(build_result) result = NULL;
	if (!v.g->bridge->class->solve(v.g->bridge, &solve, &v.work, &result, error)) {
		gateway_keep_failure(v.g, error ? *error : NULL);
		error_hide_code(error);
		return NULL;
	}
	if (m->final && !return_final(v.g, m, result, error))
		return NULL;
	return solve_reply(v.g, m, result, error);
}

static ProtobufCMessage *handle_resolve_image_config(rpc_call *call, const ProtobufCMessage *request, void *data,
						     GError **error)
{
	const Gateway__ResolveImageConfigRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	struct platform platform;
	if (m->platform)
		message_platform_read(m->platform, &platform);
	struct bridge_image_request image = {
		.ref = m->ref,
		.platform = m->platform ? &platform : NULL,
		.resolve_mode = m->resolvemode,
		.log_name = *m->logname ? m->logname : NULL,
		.oci_layout = m->resolvertype == 1,
		.session_id = m->sessionid,
		.store_id = m->storeid,
		.source_policies = m->sourcepolicies,
		.n_source_policies = m->n_sourcepolicies,
	};
	struct bridge_image found = {0};
	if (!v.g->bridge->class->resolve_image(v.g->bridge, &image, &v.work, &found, error)) {
		g_free(found.other);
		return NULL;
	}
	Gateway__ResolveImageConfigResponse *reply =
		message_new(Gateway__ResolveImageConfigResponse, gateway__resolve_image_config_response);
	reply->digest = g_strdup(found.digest.text);
	reply->ref = found.ref;
	reply->config = message_bytes(found.config);
	g_clear_pointer(&found.config, g_bytes_unref);
	return &reply->base;
}

static ProtobufCMessage *handle_resolve_source_meta(rpc_call *call, const ProtobufCMessage *request, void *data,
						    GError **error)
{
	const Gateway__ResolveSourceMetaRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	if (!m->source)
		return error_null(error, ERROR_INVALID_ARGUMENT, "source is required");
	struct bridge_source_request wanted;
	struct bridge_source found;
	gateway_source_request_read(m, &wanted);
	if (!v.g->bridge->class->resolve_source(v.g->bridge, &wanted, &v.work, &found, error))
		return NULL;
	Gateway__ResolveSourceMetaResponse *reply = gateway_source_new(&found);
	bridge_source_clear(&found);
	return &reply->base;
}

/* Returns the ref of a read request; scratch cannot be read. */
static bool find_readable(struct gateway_call *v, const char *id, bridge_ref **ret, GError **error)
{
	if (!gateway_find_ref(v->g, id, ret, error))
		return false;
	return *ret || error_set(error, ERROR_UNKNOWN, "empty ref: %s", id);
}

/* A read evaluates its ref. */
static ProtobufCMessage *keep_failure(struct gateway_call *v, GError **error)
{
	gateway_keep_failure(v->g, error ? *error : NULL);
	return NULL;
}

static ProtobufCMessage *handle_read_file(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__ReadFileRequest *m = (const void *)request;
	scoped_call v = {0};
	bridge_ref *ref;
	if (!gateway_call_begin(&v, call, data, error) || !find_readable(&v, m->ref, &ref, error))
		return NULL;
	g_autoptr(GBytes) bytes =
		v.g->bridge->class->read_file(v.g->bridge, ref, m->filepath, m->range ? m->range->offset : 0,
					      m->range ? m->range->length : 0, &v.work, error);
	if (!bytes)
		return keep_failure(&v, error);
	Gateway__ReadFileResponse *reply = message_new(Gateway__ReadFileResponse, gateway__read_file_response);
	reply->data = message_bytes(bytes);
	return &reply->base;
}

static ProtobufCMessage *handle_read_dir(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__ReadDirRequest *m = (const void *)request;
	scoped_call v = {0};
	bridge_ref *ref;
	if (!gateway_call_begin(&v, call, data, error) || !find_readable(&v, m->ref, &ref, error))
		return NULL;
	g_autoptr(GPtrArray) entries =
		v.g->bridge->class->read_dir(v.g->bridge, ref, m->dirpath, m->includepattern, &v.work, error);
	if (!entries)
		return keep_failure(&v, error);
	Gateway__ReadDirResponse *reply = message_new(Gateway__ReadDirResponse, gateway__read_dir_response);
	for (guint i = 0; i < entries->len; i++)
		message_append(reply, entries, gateway_stat_new(entries->pdata[i]));
	return &reply->base;
}

static ProtobufCMessage *handle_stat_file(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__StatFileRequest *m = (const void *)request;
	scoped_call v = {0};
	bridge_ref *ref;
	if (!gateway_call_begin(&v, call, data, error) || !find_readable(&v, m->ref, &ref, error))
		return NULL;
	struct fssync_stat stat;
	if (!v.g->bridge->class->stat_file(v.g->bridge, ref, m->path, &v.work, &stat, error))
		return keep_failure(&v, error);
	Gateway__StatFileResponse *reply = message_new(Gateway__StatFileResponse, gateway__stat_file_response);
	reply->stat = gateway_stat_new(&stat);
	fssync_stat_clear(&stat);
	return &reply->base;
}

static ProtobufCMessage *handle_evaluate(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__EvaluateRequest *m = (const void *)request;
	scoped_call v = {0};
	bridge_ref *ref;
	if (!gateway_call_begin(&v, call, data, error) || !gateway_find_ref(v.g, m->ref, &ref, error))
		return NULL;
	if (ref && !v.g->bridge->class->evaluate(v.g->bridge, ref, &v.work, error)) {
		gateway_keep_failure(v.g, error ? *error : NULL);
		error_hide_code(error);
		return NULL;
	}
	return &message_new(Gateway__EvaluateResponse, gateway__evaluate_response)->base;
}

static ProtobufCMessage *handle_warn(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__WarnRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	g_autofree struct progress_range *ranges = g_new0(struct progress_range, m->n_ranges + 1);
	for (size_t i = 0; i < m->n_ranges; i++) {
		const Pb__Position *start = m->ranges[i]->start, *end = m->ranges[i]->end;
		if (!start || !end)
			return error_null(error, ERROR_INVALID_ARGUMENT, "invalid source range");
		ranges[i] = (struct progress_range){start->line, start->character, end->line, end->character};
	}
	g_autofree char *text = text_from_data(m->short_.data, m->short_.len);
	g_auto(GStrv) detail = g_new0(char *, m->n_detail + 1);
	for (size_t i = 0; i < m->n_detail; i++)
		detail[i] = text_from_data(m->detail[i].data, m->detail[i].len);
	struct progress_warning warning = {
		.level = m->level ? m->level : 1,
		.text = text,
		.detail = (const char *const *)detail,
		.url = m->url,
		.source_name = m->info ? m->info->filename : "",
		.source_language = m->info ? m->info->language : "",
		.source_bytes = m->info ? m->info->data.data : NULL,
		.source_len = m->info ? m->info->data.len : 0,
		.ranges = ranges,
		.n_ranges = m->n_ranges,
	};
	if (!v.g->bridge->class->warn(v.g->bridge, m->digest, &warning, error))
		return NULL;
	return &message_new(Gateway__WarnResponse, gateway__warn_response)->base;
}

static ProtobufCMessage *handle_inputs(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	Gateway__InputsResponse *reply = message_new(Gateway__InputsResponse, gateway__inputs_response);
	message_set_map(reply, definitions, v.g->inputs);
	return &reply->base;
}

/* Converts google.rpc.Status of the frontend to a GError; keeps the details. */
static GError *status_to_error(const Google__Status *status)
{
	g_autoptr(GBytes) bytes = message_pack(status);
	gsize n = 0;
	const void *start = g_bytes_get_data(bytes, &n);
	GError *error = rpc_status_unpack(start, n);
	error_keep_code(error); /* the frontend's code is shown to clients */
	return error;
}

static ProtobufCMessage *handle_return(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__ReturnRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	g_autoptr(GError) failure = m->error ? status_to_error(m->error) : NULL;
	if (!failure && (m->error || !m->result))
		return error_null(error, ERROR_UNKNOWN, "gateway return must be either result or err");
	g_autoptr(build_result) result = failure ? NULL : gateway_result_from_wire(v.g, m->result, error);
	if ((!result && !failure) || !gateway_return(v.g, result, failure, error))
		return NULL;
	return &message_new(Gateway__ReturnResponse, gateway__return_response)->base;
}

static const struct rpc_method methods[] = {
	{SERVICE "Ping", &gateway__ping_request__descriptor, handle_ping, NULL},
	{SERVICE "Solve", &gateway__solve_request__descriptor, handle_solve, NULL},
	{SERVICE "ResolveImageConfig", &gateway__resolve_image_config_request__descriptor, handle_resolve_image_config,
	 NULL},
	{SERVICE "ResolveSourceMeta", &gateway__resolve_source_meta_request__descriptor, handle_resolve_source_meta,
	 NULL},
	{SERVICE "ReadFile", &gateway__read_file_request__descriptor, handle_read_file, NULL},
	{SERVICE "ReadDir", &gateway__read_dir_request__descriptor, handle_read_dir, NULL},
	{SERVICE "StatFile", &gateway__stat_file_request__descriptor, handle_stat_file, NULL},
	{SERVICE "Evaluate", &gateway__evaluate_request__descriptor, handle_evaluate, NULL},
	{SERVICE "Warn", &gateway__warn_request__descriptor, handle_warn, NULL},
	{SERVICE "Inputs", &gateway__inputs_request__descriptor, handle_inputs, NULL},
	{SERVICE "Return", &gateway__return_request__descriptor, handle_return, NULL},
	{SERVICE "NewContainer", &gateway__new_container_request__descriptor, gateway_new_container, NULL},
	{SERVICE "ReleaseContainer", &gateway__release_container_request__descriptor, gateway_release_container, NULL},
	{SERVICE "ReadFileContainer", &gateway__read_file_request__descriptor, gateway_read_file_container, NULL},
	{SERVICE "ReadDirContainer", &gateway__read_dir_request__descriptor, gateway_read_dir_container, NULL},
	{SERVICE "StatFileContainer", &gateway__stat_file_request__descriptor, gateway_stat_file_container, NULL},
	{SERVICE "ExecProcess", NULL, NULL, gateway_exec_process},
};

void llbbridge_register(rpc_server *server, struct llbbridge_host *host)
{
	rpc_server_add(server, methods, G_N_ELEMENTS(methods), host);
}
