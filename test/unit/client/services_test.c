/* SPDX-License-Identifier: Apache-2.0 */
/* The session services over a real connection (a socket pair), with the requests of a daemon. */
#include "api/guard.h"
#include "auth.pb-c.h"
#include "base/digest.h"
#include "base/scope.h"
#include "client/services.h"
#include "content.pb-c.h"
#include "fssync/call.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include "secrets.pb-c.h"
#include "ssh.pb-c.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct rig {
	char *dir;
	services *s;
	rpc_loop *loop;
	rpc_server *server;
	rpc_conn *served, *conn;
};

static void rig_init(struct rig *r)
{
	*r = (struct rig){.dir = g_dir_make_tmp("services-XXXXXX", NULL), .s = services_new()};
}

static void rig_connect(struct rig *r)
{
	int fds[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	r->loop = rpc_loop_new(NULL);
	r->server = rpc_server_new(r->loop);
	services_register(r->s, r->server);
	r->served = rpc_server_attach(r->server, fds[0], fds[0]);
	r->conn = rpc_connect_fds(r->loop, fds[1], fds[1], "localhost", NULL);
	g_assert_nonnull(r->conn);
}

static void rig_clear(struct rig *r)
{
	if (r->conn) {
		rpc_conn_close(r->conn);
		rpc_conn_unref(r->conn);
		rpc_server_stop(r->server, 100);
		if (r->served)
			rpc_conn_unref(r->served);
		rpc_server_free(r->server);
		rpc_loop_free(r->loop);
	}
	services_free(r->s);
	assert_succeeds(tree_remove_at(AT_FDCWD, r->dir, &failure));
	g_free(r->dir);
}

static char *path_in(struct rig *r, const char *name)
{
	return g_build_filename(r->dir, name, NULL);
}

static void put(struct rig *r, const char *name, const char *text)
{
	g_autofree char *path = path_in(r, name);
	assert_succeeds(g_file_set_contents(path, text, -1, &failure));
}

static void make_dir(struct rig *r, const char *name)
{
	g_autofree char *path = path_in(r, name);
	g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
}

static void assert_text(struct rig *r, const char *name, const char *expected)
{
	g_autofree char *path = path_in(r, name), *text = NULL;
	g_file_get_contents(path, &text, NULL, NULL);
	g_assert_cmpstr(text, ==, expected);
}

static int open_dir(struct rig *r, const char *name)
{
	g_autofree char *path = path_in(r, name);
	return open(path, O_RDONLY | O_DIRECTORY);
}

/* ---- files */

static bool sync_local(struct rig *r, const char *name, const char *exclude, int dst, GError **error)
{
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "dir-name", name);
	if (exclude) {
		rpc_metadata_add(md, "exclude-patterns", exclude);
		rpc_metadata_add(md, "exclude-patterns-encoded", "1");
	}
	g_autoptr(rpc_call) call = rpc_call_start(r->conn, "/moby.filesync.v1.FileSync/DiffCopy", md, NULL, 0, error);
	struct fssync_channel channel = fssync_channel_of_client(call);
	struct fssync_receive_options options = {.as_root = geteuid() == 0};
	return fssync_receive(&channel, dst, &options, NULL, error);
}

static void test_files(void)
{
	struct rig r;
	g_autoptr(GError) error = NULL;
	rig_init(&r);
	make_dir(&r, "src");
	make_dir(&r, "dst");
	put(&r, "src/a", "alpha");
	put(&r, "src/\xc3\xa4", "umlaut");
	g_autofree char *value = g_strdup_printf("context=%s/src", r.dir);
	assert_succeeds(services_add_local(r.s, value, &failure));
	g_assert_true(services_has_local(r.s, "context"));
	g_assert_cmpstr(services_methods(r.s)[0], ==, "/moby.filesync.v1.FileSync/DiffCopy");
	rig_connect(&r);
	scoped_fd dst = open_dir(&r, "dst");
	g_assert_true(sync_local(&r, "context", "%C3%A4", dst, &error));
	assert_text(&r, "dst/a", "alpha");
	assert_text(&r, "dst/\xc3\xa4", NULL);
	g_assert_false(sync_local(&r, "other", NULL, dst, &error));
	g_assert_true(error_is(error, ERROR_NOT_FOUND));
	g_assert_cmpstr(error->message, ==,
			"rpc error: code = NotFound desc = rpc error: code = NotFound desc = no access allowed to dir "
			"\"other\"");
	rig_clear(&r);
}

/* ---- outputs */

static rpc_call *start_output(struct rig *r, const char *index)
{
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "buildkit-attachable-exporter-id", index);
	return rpc_call_start(r->conn, "/moby.filesync.v1.FileSend/DiffCopy", md, NULL, 0, NULL);
}

static void test_outputs(void)
{
	struct rig r;
	struct services_output tar = {0}, local = {0};
	g_autoptr(GError) error = NULL;
	rig_init(&r);
	make_dir(&r, "src");
	put(&r, "src/f", "file");
	put(&r, "out.tar", "old");
	g_autofree char *tar_value = g_strdup_printf("type=tar,dest=%s/out.tar", r.dir);
	g_autofree char *local_value = g_strdup_printf("TYPE=local,dest=%s/new/out,x=y", r.dir);
	assert_succeeds(services_add_output(r.s, tar_value, &tar, &failure));
	assert_succeeds(services_add_output(r.s, local_value, &local, &failure));
	g_assert_cmpstr(local.type, ==, "local");
	g_assert_cmpstr(g_hash_table_lookup(local.attrs, "x"), ==, "y");
	g_assert_false(g_hash_table_contains(local.attrs, "dest"));
	rig_connect(&r);

	g_autoptr(rpc_call) call = start_output(&r, "0");
	assert_succeeds(rpc_call_send(call,
				      "\x0a\x03"
				      "new",
				      5, &failure));
	assert_succeeds(rpc_call_send(call,
				      "\x0a\x01"
				      "!",
				      3, &failure));
	assert_text(&r, "out.tar", "old");
	g_assert_true(rpc_call_close_send(call, NULL) && rpc_call_finish(call, NULL));
	assert_text(&r, "out.tar", "new!");

	g_autoptr(rpc_call) tree = start_output(&r, "1");
	struct fssync_channel channel = fssync_channel_of_client(tree);
	scoped_fd src = open_dir(&r, "src");
	struct fssync_root root = {.fd = src, .name = "linux_amd64", .mode = 0755};
	g_assert_true(fssync_send(&channel, &root, 1, NULL, NULL, NULL, &error));
	g_assert_no_error(error);
	g_assert_true(rpc_call_finish(tree, &error));
	assert_text(&r, "new/out/linux_amd64/f", "file");

	g_autoptr(rpc_call) unknown = start_output(&r, "7");
	g_assert_false(rpc_call_finish(unknown, &error));
	g_assert_cmpstr(error->message, ==, "exporter 7 not found");
	services_output_clear(&tar);
	services_output_clear(&local);
	g_clear_pointer(&call, rpc_call_unref);
	g_clear_pointer(&tree, rpc_call_unref);
	g_clear_pointer(&unknown, rpc_call_unref);
	rig_clear(&r);
}

static void test_output_errors(void)
{
	static const char *const table[][2] = {
		{"local", "invalid value local"},
		{"dest=x", "--output requires type=<type>"},
		{"type=local,output=x", "output=x not supported for --output, you meant dest=x?"},
		{"type=local", "invalid output option: output: output directory is required for local exporter"},
		{"type=image,dest=x", "invalid output option: output: output x is not supported by image exporter"},
		{"type=tar,dest=/", "invalid output option: output: destination file is a directory"},
		{"type=local,dest=x,mode=y", "invalid local exporter mode \"y\""},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(services) s = services_new();
		g_autoptr(GError) error = NULL;
		struct services_output o;
		g_assert_false(services_add_output(s, table[i][0], &o, &error));
		g_assert_cmpstr(error->message, ==, table[i][1]);
	}
}

/* ---- secrets */

static char *ask_secret(struct rig *r, const char *id)
{
	Secrets__GetSecretRequest q = SECRETS__GET_SECRET_REQUEST__INIT;
	g_autoptr(GError) error = NULL;
	q.id = (char *)id;
	Secrets__GetSecretResponse *reply = rpc_unary(r->conn, "/moby.buildkit.secrets.v1.Secrets/GetSecret", NULL, &q,
						      &secrets__get_secret_response__descriptor, NULL, 0, &error);
	if (!reply)
		return g_strdup(error->message);
	char *text = g_strndup((const char *)reply->data.data, reply->data.len);
	guard_free(reply);
	return text;
}

static void assert_secret(struct rig *r, const char *id, const char *expected)
{
	g_autofree char *text = ask_secret(r, id);
	g_assert_cmpstr(text, ==, expected);
}

static void test_secrets(void)
{
	struct rig r;
	rig_init(&r);
	put(&r, "file", "from file");
	g_setenv("SERVICES_TEST_SECRET", "from env", TRUE);
	g_autofree char *value = g_strdup_printf("id=f,src=%s/file", r.dir);
	assert_succeeds(services_add_secret(r.s, value, &failure));
	assert_succeeds(services_add_secret(r.s, "id=e,type=env,src=SERVICES_TEST_SECRET", &failure));
	assert_succeeds(services_add_secret(r.s, "id=SERVICES_TEST_SECRET", &failure));
	static const char *const bad[][2] = {
		{"src=x", "secret missing ID"},
		{"id", "invalid field 'id' must be a key=value pair"},
		{"id=x,foo=y", "unexpected key 'foo' in 'foo=y'"},
		{"id=x,type=z", "unsupported secret type \"z\""},
		{"id=x,src=/nonexistent/x",
		 "failed to stat /nonexistent/x: stat /nonexistent/x: no such file or directory"}};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_false(services_add_secret(r.s, bad[i][0], &error));
		g_assert_cmpstr(error->message, ==, bad[i][1]);
	}
	rig_connect(&r);
	assert_secret(&r, "f", "from file");
	assert_secret(&r, "e", "from env");
	assert_secret(&r, "SERVICES_TEST_SECRET", "from env");
	assert_secret(&r, "other", "not found");
	rig_clear(&r);
}

/* ---- content */

static rpc_metadata *store_metadata(const char *store)
{
	rpc_metadata *md = rpc_metadata_new();
	rpc_metadata_add(md, "buildkit-attachable-store-id", store);
	return md;
}

static void write_blob(struct rig *r, rpc_metadata *md, const struct digest *digest)
{
	static const struct {
		Content__WriteAction action;
		const char *data;
		int64_t offset, reached;
	} steps[] = {{CONTENT__WRITE_ACTION__STAT, "", 0, 0},
		     {CONTENT__WRITE_ACTION__WRITE, "blob ", 0, 5},
		     {CONTENT__WRITE_ACTION__WRITE, "bytes", 5, 10},
		     {CONTENT__WRITE_ACTION__COMMIT, "", 10, 10}};
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call =
		rpc_call_start(r->conn, "/containerd.services.content.v1.Content/Write", md, NULL, 0, &error);
	g_assert_no_error(error);
	Content__WriteContentRequest q = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		q.action = steps[i].action;
		q.ref = i == 0 ? (char *)"my-ref" : (char *)"";
		q.offset = steps[i].offset;
		q.data = (ProtobufCBinaryData){strlen(steps[i].data), (uint8_t *)steps[i].data};
		q.expected = steps[i].action == CONTENT__WRITE_ACTION__COMMIT ? (char *)digest->text : (char *)"";
		assert_succeeds(rpc_call_send_message(call, &q, &failure));
		Content__WriteContentResponse *a =
			rpc_call_recv_message(call, &content__write_content_response__descriptor, &error);
		g_assert_no_error(error);
		g_assert_cmpint(a->offset, ==, steps[i].reached);
		guard_free(a);
	}
	assert_succeeds(rpc_call_finish(call, &failure));
}

static void read_end_of_blob(struct rig *r, rpc_metadata *md, const struct digest *digest)
{
	g_autoptr(GError) error = NULL;
	Content__ReadContentRequest q = CONTENT__READ_CONTENT_REQUEST__INIT;
	q.digest = (char *)digest->text;
	q.offset = 5;
	g_autoptr(rpc_call) call =
		rpc_call_start(r->conn, "/containerd.services.content.v1.Content/Read", md, NULL, 0, &error);
	g_assert_no_error(error);
	assert_succeeds(rpc_call_send_message(call, &q, &failure));
	assert_succeeds(rpc_call_close_send(call, &failure));
	Content__ReadContentResponse *part =
		rpc_call_recv_message(call, &content__read_content_response__descriptor, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(part->data.data, part->data.len, "bytes", 5);
	guard_free(part);
	assert_succeeds(rpc_call_finish(call, &failure));
}

static void test_content(void)
{
	struct rig r;
	struct digest digest;
	g_autoptr(GError) error = NULL;
	rig_init(&r);
	g_autofree char *dir = path_in(&r, "store");
	assert_succeeds(services_add_store(r.s, "export", dir, true, &failure));
	rig_connect(&r);
	digest_of_text("blob bytes", &digest);
	g_autoptr(rpc_metadata) md = store_metadata("export"), wrong = store_metadata("nope");
	write_blob(&r, md, &digest);
	g_autofree char *blob = g_strdup_printf("store/blobs/sha256/%s", digest_hex(&digest));
	assert_text(&r, blob, "blob bytes");

	Content__InfoRequest info = CONTENT__INFO_REQUEST__INIT;
	info.digest = digest.text;
	Content__InfoResponse *reply = rpc_unary(r.conn, "/containerd.services.content.v1.Content/Info", md, &info,
						 &content__info_response__descriptor, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpint(reply->info->size, ==, 10);
	guard_free(reply);
	g_assert_null(rpc_unary(r.conn, "/containerd.services.content.v1.Content/Info", wrong, &info,
				&content__info_response__descriptor, NULL, 0, &error));
	g_assert_cmpstr(error->message, ==, "unknown store nope: not found");
	read_end_of_blob(&r, md, &digest);
	rig_clear(&r);
}

/* ---- auth */

static void put_credentials(struct rig *r)
{
	g_setenv("DOCKER_CONFIG", r->dir, TRUE);
	put(r, "config.json",
	    "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dXNlcjpwYXNz\"},"
	    "\"id.example\":{\"identitytoken\":\"tok\",\"auth\":\"dTpw\"}},"
	    "\"credHelpers\":{\"helped.example\":\"test\"}}");
	g_autofree char *helper = path_in(r, "docker-credential-test");
	put(r, "docker-credential-test",
	    "#!/bin/sh\nread host\necho '{\"ServerURL\":\"'$host'\",\"Username\":\"hu\",\"Secret\":\"hs\"}'\n");
	g_assert_cmpint(g_chmod(helper, 0755), ==, 0);
	g_autofree char *path = g_strconcat(r->dir, ":", g_getenv("PATH"), NULL);
	g_setenv("PATH", path, TRUE);
}

static void check_credentials(struct rig *r)
{
	static const char *const table[][3] = {{"registry-1.docker.io", "user", "pass"},
					       {"id.example", "", "tok"},
					       {"helped.example", "hu", "hs"},
					       {"unknown.example", "", ""}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(GError) error = NULL;
		Auth__CredentialsRequest q = AUTH__CREDENTIALS_REQUEST__INIT;
		q.host = (char *)table[i][0];
		Auth__CredentialsResponse *a = rpc_unary(r->conn, "/moby.filesync.v1.Auth/Credentials", NULL, &q,
							 &auth__credentials_response__descriptor, NULL, 0, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(a->username, ==, table[i][1]);
		g_assert_cmpstr(a->secret, ==, table[i][2]);
		guard_free(a);
	}
}

static void check_token_authority(struct rig *r)
{
	/* The same key for the same salt, and a signature of 64 bytes before the payload. */
	Auth__GetTokenAuthorityRequest q = AUTH__GET_TOKEN_AUTHORITY_REQUEST__INIT;
	q.host = (char *)"id.example";
	q.salt = (ProtobufCBinaryData){4, (uint8_t *)"salt"};
	uint8_t first[32] = {0};
	for (int i = 0; i < 2; i++) {
		Auth__GetTokenAuthorityResponse *a =
			rpc_unary(r->conn, "/moby.filesync.v1.Auth/GetTokenAuthority", NULL, &q,
				  &auth__get_token_authority_response__descriptor, NULL, 0, NULL);
		g_assert_cmpuint(a->publickey.len, ==, 32);
		if (i == 0)
			memcpy(first, a->publickey.data, 32);
		else
			g_assert_cmpmem(first, 32, a->publickey.data, 32);
		guard_free(a);
	}
	Auth__VerifyTokenAuthorityRequest v = AUTH__VERIFY_TOKEN_AUTHORITY_REQUEST__INIT;
	v.host = q.host;
	v.salt = q.salt;
	v.payload = (ProtobufCBinaryData){7, (uint8_t *)"payload"};
	Auth__VerifyTokenAuthorityResponse *a =
		rpc_unary(r->conn, "/moby.filesync.v1.Auth/VerifyTokenAuthority", NULL, &v,
			  &auth__verify_token_authority_response__descriptor, NULL, 0, NULL);
	g_assert_cmpmem(a->signed_.data + 64, a->signed_.len - 64, "payload", 7);
	guard_free(a);
}

static void check_refused_token(struct rig *r)
{
	/* A password is not sent unencrypted to another host. */
	g_autoptr(GError) error = NULL;
	Auth__FetchTokenRequest f = AUTH__FETCH_TOKEN_REQUEST__INIT;
	f.host = (char *)"id.example";
	f.realm = (char *)"http://127.0.0.1:9/token";
	f.service = (char *)"s";
	g_assert_null(rpc_unary(r->conn, "/moby.filesync.v1.Auth/FetchToken", NULL, &f,
				&auth__fetch_token_response__descriptor, NULL, 0, &error));
	g_assert_cmpstr(error->message, ==,
			"failed to fetch oauth token: refusing to send credentials for id.example to "
			"http://127.0.0.1:9/token: neither https nor the address of the registry");
}

static void test_auth(void)
{
	struct rig r;
	rig_init(&r);
	put_credentials(&r);
	services_add_auth(r.s);
	rig_connect(&r);
	check_credentials(&r);
	check_token_authority(&r);
	check_refused_token(&r);
	rig_clear(&r);
}

/* ---- ssh */

static void *fake_agent(void *data)
{
	int listener = GPOINTER_TO_INT(data);
	scoped_fd fd = accept(listener, NULL, NULL);
	uint8_t request[5];
	while (recv(fd, request, sizeof(request), MSG_WAITALL) == sizeof(request)) {
		g_assert_cmpuint(request[4], ==, 11);
		g_assert_cmpint(send(fd, "\0\0\0\x05\x0c\0\0\0\0", 9, 0), ==, 9);
	}
	return NULL;
}

static void test_ssh(void)
{
	struct rig r;
	rig_init(&r);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", r.dir);
	scoped_fd listener = socket(AF_UNIX, SOCK_STREAM, 0);
	g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	g_assert_cmpint(listen(listener, 1), ==, 0);
	g_autofree char *value = g_strdup_printf("default=%s", address.sun_path);
	assert_succeeds(services_add_ssh(r.s, value, &failure));
	g_autoptr(GError) error = NULL;
	g_assert_false(services_add_ssh(r.s, value, &error));
	g_assert_cmpstr(error->message, ==, "duplicate agent ID \"default\"");
	GThread *agent = g_thread_new("agent", fake_agent, GINT_TO_POINTER(listener));
	rig_connect(&r);
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/moby.sshforward.v1.SSH/ForwardAgent", NULL, NULL, 0, NULL);
	Ssh__BytesMessage m = SSH__BYTES_MESSAGE__INIT;
	/* A list request in two pieces, then a request to remove all keys, which is not passed to the agent. */
	static const char *const pieces[] = {"\0\0", "\0\x01\x0b", "\0\0\0\x01\x13"};
	static const size_t lengths[] = {2, 3, 5};
	for (size_t i = 0; i < 3; i++) {
		m.data = (ProtobufCBinaryData){lengths[i], (uint8_t *)pieces[i]};
		assert_succeeds(rpc_call_send_message(call, &m, &failure));
	}
	Ssh__BytesMessage *a = rpc_call_recv_message(call, &ssh__bytes_message__descriptor, NULL);
	g_assert_cmpmem(a->data.data, a->data.len, "\0\0\0\x05\x0c\0\0\0\0", 9);
	guard_free(a);
	a = rpc_call_recv_message(call, &ssh__bytes_message__descriptor, NULL);
	g_assert_cmpmem(a->data.data, a->data.len, "\0\0\0\x01\x05", 5);
	guard_free(a);
	g_assert_true(rpc_call_close_send(call, NULL) && rpc_call_finish(call, NULL));
	g_thread_join(agent);
	g_clear_pointer(&call, rpc_call_unref);
	rig_clear(&r);
}

/* A key file instead of an agent: the same requests in one call. */
static void test_ssh_keys(void)
{
	struct rig r;
	rig_init(&r);
	put(&r, "key",
	    "-----BEGIN PRIVATE KEY-----\n"
	    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
	    "-----END PRIVATE KEY-----\n");
	g_autofree char *value = g_strdup_printf("mine=%s/key,%s/key", r.dir, r.dir);
	assert_succeeds(services_add_ssh(r.s, value, &failure));
	rig_connect(&r);
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "buildkit.ssh.id", "mine");
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/moby.sshforward.v1.SSH/ForwardAgent", md, NULL, 0, NULL);
	Ssh__BytesMessage m = SSH__BYTES_MESSAGE__INIT;
	m.data = (ProtobufCBinaryData){10, (uint8_t *)"\0\0\0\1\x0b\0\0\0\1\x13"};
	assert_succeeds(rpc_call_send_message(call, &m, &failure));
	Ssh__BytesMessage *a = rpc_call_recv_message(call, &ssh__bytes_message__descriptor, NULL);
	g_assert_cmpuint(a->data.len, ==, 4 + 1 + 4 + 4 + 51 + 4);
	g_assert_cmpmem(a->data.data, 13, "\0\0\0\x40\x0c\0\0\0\1\0\0\0\x33", 13);
	guard_free(a);
	a = rpc_call_recv_message(call, &ssh__bytes_message__descriptor, NULL);
	g_assert_cmpmem(a->data.data, a->data.len, "\0\0\0\x01\x05", 5);
	guard_free(a);
	g_assert_true(rpc_call_close_send(call, NULL) && rpc_call_finish(call, NULL));
	g_clear_pointer(&call, rpc_call_unref);
	rig_clear(&r);
}

/* Invalid combinations of sockets and keys. KEY and SOCKET are replaced by files. */
static void test_ssh_refusals(void)
{
	static const struct {
		const char *value, *error;
	} rows[] = {
		{"default=KEY,SOCKET", "failed to convert agent config for ID: \"default\": "
				       "invalid combination of keys and sockets"},
		{"x=SOCKET,KEY", "failed to convert agent config for ID: \"x\": only single socket allowed"},
		{"x=SOCKET,SOCKET", "failed to convert agent config for ID: \"x\": only single socket allowed"},
		{"x=KEY,raw=true", "failed to convert agent config for ID: \"x\": "
				   "raw mode only supported with socket paths"},
		{"x=raw=true,KEY,KEY", "raw mode must supply exactly one socket path for \"x\""},
		{"x=KEY,KEY2", "failed to convert agent config for ID: \"x\": stat KEY2: no such file or directory"},
		{"x=,KEY", "failed to convert agent config for ID: \"x\": "
			   "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set"},
		{"x=TEXT", "failed to convert agent config for ID: \"x\": failed to parse TEXT: ssh: no key found"},
	};
	struct rig r;
	rig_init(&r);
	put(&r, "KEY",
	    "-----BEGIN PRIVATE KEY-----\n"
	    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
	    "-----END PRIVATE KEY-----\n");
	put(&r, "TEXT", "text");
	g_autofree char *before = g_get_current_dir();
	g_assert_cmpint(g_chdir(r.dir), ==, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "SOCKET"};
	scoped_fd listener = socket(AF_UNIX, SOCK_STREAM, 0);
	g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_false(services_add_ssh(r.s, rows[i].value, &error));
		g_assert_cmpstr(error->message, ==, rows[i].error);
	}
	g_assert_cmpint(g_chdir(before), ==, 0);
	rig_clear(&r);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/services/files", test_files);
	g_test_add_func("/services/outputs", test_outputs);
	g_test_add_func("/services/output-errors", test_output_errors);
	g_test_add_func("/services/secrets", test_secrets);
	g_test_add_func("/services/content", test_content);
	g_test_add_func("/services/auth", test_auth);
	g_test_add_func("/services/ssh", test_ssh);
	g_test_add_func("/services/ssh-keys", test_ssh_keys);
	g_test_add_func("/services/ssh-refusals", test_ssh_refusals);
	return g_test_run();
}
