/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_client.h"
#include "api/message.h"

static ProtobufCMessage *fake_check(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	if (f->sick) {
		error_set(error, ERROR_UNAVAILABLE, "sick");
		return NULL;
	}
	NEW_REPLY(Health__HealthCheckResponse, health__health_check_response__init);
	reply->status = HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	return &reply->base;
}

static ProtobufCMessage *fake_secret(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const Secrets__GetSecretRequest *request = (const void *)m;
	if (strcmp(request->id, "mysecret") != 0) {
		error_set(error, ERROR_NOT_FOUND, "secret %s not found", request->id);
		return NULL;
	}
	NEW_REPLY(Secrets__GetSecretResponse, secrets__get_secret_response__init);
	reply->data.data = g_memdup2("s3cret", 6);
	reply->data.len = 6;
	return &reply->base;
}

static ProtobufCMessage *fake_credentials(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	NEW_REPLY(Auth__CredentialsResponse, auth__credentials_response__init);
	reply->username = g_strdup("user");
	reply->secret = g_strdup("pass");
	return &reply->base;
}

static ProtobufCMessage *fake_authority(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	if (f->no_authority) {
		error_set(error, ERROR_UNAVAILABLE, "no key");
		return NULL;
	}
	NEW_REPLY(Auth__GetTokenAuthorityResponse, auth__get_token_authority_response__init);
	size_t n = 32;
	reply->publickey.data = g_malloc(n);
	EVP_PKEY_get_raw_public_key(f->key, reply->publickey.data, &n);
	reply->publickey.len = n;
	return &reply->base;
}

static ProtobufCMessage *fake_verify(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	const Auth__VerifyTokenAuthorityRequest *request = (const void *)m;
	NEW_REPLY(Auth__VerifyTokenAuthorityResponse, auth__verify_token_authority_response__init);
	size_t n = 64;
	reply->signed_.data = g_malloc(n + request->payload.len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_DigestSignInit(ctx, NULL, NULL, NULL, f->key);
	EVP_DigestSign(ctx, reply->signed_.data, &n, request->payload.data, request->payload.len);
	EVP_MD_CTX_free(ctx);
	memcpy(reply->signed_.data + n, request->payload.data, request->payload.len);
	reply->signed_.len = n + request->payload.len;
	reply->signed_.data[3] ^= f->false_signature;
	return &reply->base;
}

static ProtobufCMessage *fake_token(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const Auth__FetchTokenRequest *request = (const void *)m;
	NEW_REPLY(Auth__FetchTokenResponse, auth__fetch_token_response__init);
	reply->token = g_strjoin("|", request->clientid, request->host, request->realm, request->service,
				 request->n_scopes ? request->scopes[0] : "", NULL);
	reply->expiresin = 300;
	return &reply->base;
}

static ProtobufCMessage *fake_agent(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const Ssh__CheckAgentRequest *request = (const void *)m;
	if (strcmp(request->id, "default") != 0) {
		error_set(error, ERROR_UNKNOWN, "no ssh key \"%s\" forwarded from the client", request->id);
		return NULL;
	}
	NEW_REPLY(Ssh__CheckAgentResponse, ssh__check_agent_response__init);
	return &reply->base;
}

static ProtobufCMessage *fake_policy(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	if (!f->policy) {
		error_set(error, ERROR_UNIMPLEMENTED, "no policy");
		return NULL;
	}
	if (f->policy_extra && !rpc_call_send_message(call, f->policy_extra, error))
		return NULL;
	Policysession__CheckPolicyResponse *reply = f->policy((const void *)m, f->policy_data, error);
	return reply ? &reply->base : NULL;
}

static bool export_asked(struct fake *f, GError **error)
{
	if (!f->exported)
		return error_set(error, ERROR_UNIMPLEMENTED, "no exporters");
	return !f->export_code || error_set(error, (enum error_code)f->export_code, "exporter failed");
}

/* Names the exporter "TYPE" for metadata TYPE. */
static ProtobufCMessage *fake_find_exporters(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	const Exporter__FindExportersRequest *request = (const void *)m;
	if (!export_asked(f, error))
		return NULL;
	NEW_REPLY(Exporter__FindExportersResponse, exporter__find_exporters_response__init);
	g_string_append(f->exported, "find");
	for (size_t i = 0; i < request->n_refs; i++)
		g_string_append_printf(f->exported, " %s", request->refs[i]);
	for (size_t i = 0; i < request->n_metadata; i++) {
		const ProtobufCBinaryData *value = &request->metadata[i]->value;
		Exporter__ExporterRequest *e = message_new(Exporter__ExporterRequest, exporter__exporter_request);
		Exporter__ExporterRequest__AttrsEntry *attr =
			message_new(Exporter__ExporterRequest__AttrsEntry, exporter__exporter_request__attrs_entry);
		e->type = g_strdup(request->metadata[i]->key);
		attr->key = g_strdup("value");
		attr->value = g_strndup((const char *)value->data, value->len);
		message_append(e, attrs, attr);
		message_append(reply, exporters, e);
	}
	g_string_append(f->exported, "\n");
	return &reply->base;
}

static ProtobufCMessage *fake_finalize(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	const Exporter__FinalizeExportRequest *request = (const void *)m;
	if (!export_asked(f, error))
		return NULL;
	for (size_t i = 0; i < request->n_exporter_response; i++)
		g_string_append_printf(f->exported, "finalize %s=%s\n", request->exporter_response[i]->key,
				       request->exporter_response[i]->value);
	NEW_REPLY(Exporter__FinalizeExportResponse, exporter__finalize_export_response__init);
	return &reply->base;
}

static void note_metadata(struct fake *f, rpc_call *call)
{
	const char *key;
	const char *value;
	g_string_truncate(f->metadata, 0);
	for (size_t i = 0; rpc_metadata_at(rpc_call_metadata(call), i, &key, &value); i++)
		g_string_append_printf(f->metadata, "%s=%s\n", key, value);
}

/* Echoes the first message. */
static bool fake_stream(rpc_call *call, void *data, GError **error)
{
	note_metadata(data, call);
	g_autoptr(GBytes) bytes = rpc_call_recv(call, error);
	gsize n = 0;
	const void *p = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	return bytes && rpc_call_send(call, p, n, error);
}

static ProtobufCMessage *fake_info(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	NEW_REPLY(Content__InfoResponse, content__info_response__init);
	reply->info = g_new(Content__Info, 1);
	content__info__init(reply->info);
	reply->info->size = f->blob->len;
	return &reply->base;
}

static bool fake_read(rpc_call *call, void *data, GError **error)
{
	struct fake *f = data;
	Content__ReadContentRequest *request =
		rpc_call_recv_message(call, &content__read_content_request__descriptor, error);
	if (!request)
		return false;
	guint start = (guint)request->offset;
	guard_free(request);
	for (guint at = start; at < f->blob->len; at += 32768) {
		Content__ReadContentResponse reply = CONTENT__READ_CONTENT_RESPONSE__INIT;
		reply.offset = at - start;
		reply.data.data = f->blob->data + at;
		reply.data.len = MIN(32768, f->blob->len - at);
		if (!rpc_call_send_message(call, &reply, error))
			return false;
	}
	return true;
}

static bool fake_write_one(struct fake *f, const Content__WriteContentRequest *request, GError **error)
{
	if (f->have_blob)
		return error_set(error, ERROR_ALREADY_EXISTS, "content %s: already exists", request->expected);
	if (request->action == CONTENT__WRITE_ACTION__WRITE) {
		g_assert_cmpint(request->offset, ==, f->blob->len);
		g_byte_array_append(f->blob, request->data.data, (guint)request->data.len);
		f->writes++;
	} else if (request->action == CONTENT__WRITE_ACTION__COMMIT) {
		g_assert_cmpint(request->total, ==, f->blob->len);
		f->have_blob = true;
	}
	return true;
}

static bool fake_write(rpc_call *call, void *data, GError **error)
{
	struct fake *f = data;
	for (;;) {
		Content__WriteContentRequest *request =
			rpc_call_recv_message(call, &content__write_content_request__descriptor, error);
		if (!request)
			return !*error;
		Content__WriteContentResponse reply = CONTENT__WRITE_CONTENT_RESPONSE__INIT;
		bool end = request->action == CONTENT__WRITE_ACTION__COMMIT;
		bool ok = fake_write_one(f, request, error);
		reply.action = request->action;
		reply.offset = f->blob->len;
		guard_free(request);
		if (!ok || !rpc_call_send_message(call, &reply, error))
			return false;
		if (end)
			return true;
	}
}

static const struct rpc_method fake_methods[] = {
	{"/grpc.health.v1.Health/Check", &health__health_check_request__descriptor, .unary = fake_check},
	{"/moby.buildkit.secrets.v1.Secrets/GetSecret", &secrets__get_secret_request__descriptor, .unary = fake_secret},
	{"/moby.filesync.v1.Auth/Credentials", &auth__credentials_request__descriptor, .unary = fake_credentials},
	{"/moby.filesync.v1.Auth/GetTokenAuthority", &auth__get_token_authority_request__descriptor,
	 .unary = fake_authority},
	{"/moby.filesync.v1.Auth/VerifyTokenAuthority", &auth__verify_token_authority_request__descriptor,
	 .unary = fake_verify},
	{"/moby.filesync.v1.Auth/FetchToken", &auth__fetch_token_request__descriptor, .unary = fake_token},
	{"/moby.sshforward.v1.SSH/CheckAgent", &ssh__check_agent_request__descriptor, .unary = fake_agent},
	{"/moby.buildkit.v1.sourcepolicy.policysession.PolicyVerifier/CheckPolicy",
	 &policysession__check_policy_request__descriptor, .unary = fake_policy},
	{"/moby.exporter.v1.Exporter/FindExporters", &exporter__find_exporters_request__descriptor,
	 .unary = fake_find_exporters},
	{"/moby.exporter.v1.Exporter/FinalizeExport", &exporter__finalize_export_request__descriptor,
	 .unary = fake_finalize},
	{"/moby.sshforward.v1.SSH/ForwardAgent", .stream = fake_stream},
	{"/moby.filesync.v1.FileSync/DiffCopy", .stream = fake_stream},
	{"/moby.filesync.v1.FileSend/DiffCopy", .stream = fake_stream},
	{"/containerd.services.content.v1.Content/Info", &content__info_request__descriptor, .unary = fake_info},
	{"/containerd.services.content.v1.Content/Read", .stream = fake_read},
	{"/containerd.services.content.v1.Content/Write", .stream = fake_write},
};

static enum rpc_turn pair_session(rpc_call *call, void **state, void *data, GError **error)
{
	return session_turn(data, call, state, error);
}

static void pair_session_free(void *state, void *data)
{
	session_turn_free(data, state);
}

static const struct rpc_method pair_methods[] = {{"/moby.buildkit.v1.Control/Session", .turn = pair_session,
						  .free_state = pair_session_free, .headers_only = true}};

void pair_up(struct pair *p)
{
	p->loop = rpc_loop_new(NULL);
	p->daemon = rpc_server_new(p->loop);
	p->registry = session_registry_new();
	rpc_server_add(p->daemon, pair_methods, 1, p->registry);
	p->dir = g_dir_make_tmp("session-XXXXXX", NULL);
	g_autofree char *address = g_strdup_printf("unix://%s/s/x.sock", p->dir);
	g_autoptr(GError) error = NULL;
	rpc_server_listen(p->daemon, address, NULL, &error);
	g_assert_no_error(error);
	p->conn = rpc_connect(p->loop, address, NULL, NULL, &error);
	g_assert_no_error(error);
}

void pair_down(struct pair *p)
{
	g_autofree char *sub = g_build_filename(p->dir, "s", NULL);
	rpc_conn_unref(p->conn);
	rpc_server_free(p->daemon);
	session_registry_free(p->registry);
	rpc_loop_free(p->loop);
	g_assert_cmpint(remove(sub), ==, 0);
	g_assert_cmpint(remove(p->dir), ==, 0);
	g_free(p->dir);
}

static gpointer client_main(gpointer data)
{
	struct client *c = data;
	rpc_server_serve_tunnel(c->server, c->call, NULL);
	rpc_call_finish(c->call, &c->error);
	return NULL;
}

void client_start(struct client *c, struct pair *p, const char *id, const char *health_ms)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	c->pair = p;
	c->fake.metadata = g_string_new(NULL);
	c->fake.blob = g_byte_array_new();
	c->fake.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	c->server = rpc_server_new(p->loop);
	rpc_server_add(c->server, fake_methods, G_N_ELEMENTS(fake_methods), &c->fake);
	rpc_metadata_add(md, "x-docker-expose-session-uuid", id);
	rpc_metadata_add(md, "x-docker-expose-session-sharedkey", "key");
	if (health_ms)
		rpc_metadata_add(md, "x-buildkit-session-health-custom-timeout", health_ms);
	for (size_t i = 0; i < G_N_ELEMENTS(fake_methods); i++)
		rpc_metadata_add(md, "x-docker-expose-session-grpc-method", fake_methods[i].path);
	c->call = rpc_call_start(p->conn, "/moby.buildkit.v1.Control/Session", md, NULL, 0, &error);
	g_assert_no_error(error);
	c->thread = g_thread_new("client", client_main, c);
}

void client_join(struct client *c)
{
	g_thread_join(c->thread);
	rpc_call_unref(c->call);
	rpc_server_free(c->server);
	EVP_PKEY_free(c->fake.key);
	g_string_free(c->fake.metadata, TRUE);
	g_byte_array_unref(c->fake.blob);
}

void client_stop(struct client *c)
{
	rpc_call_abort(c->call);
	client_join(c);
	g_clear_error(&c->error);
}
