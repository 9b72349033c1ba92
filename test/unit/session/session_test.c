/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_client.h"

static void test_find(void)
{
	struct pair p = {0};
	struct client c = {0};
	g_autoptr(GError) error = NULL;
	pair_up(&p);
	g_assert_null(session_find(p.registry, "abc", 20, NULL, &error));
	g_assert_cmpstr(error->message, ==, "no active session for abc: context deadline exceeded");
	g_clear_error(&error);

	g_autoptr(cancel) canceled = cancel_new(NULL);
	cancel_set(canceled, ERROR_CANCELED, NULL);
	g_assert_null(session_find(p.registry, "abc", 60000, canceled, &error));
	g_assert_cmpstr(error->message, ==, "no active session for abc: context canceled");
	g_clear_error(&error);

	client_start(&c, &p, "abc", NULL);
	session *s = session_find(p.registry, "prefix:abc", 5000, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(session_id(s), ==, "abc");
	g_assert_cmpstr(session_shared_key(s), ==, "key");
	g_assert_true(session_supports(s, "/MOBY.filesync.v1.FileSync/DiffCopy"));
	g_assert_false(session_supports(s, "/moby.filesync.v1.FileSync/TarStream"));
	g_assert_cmpuint(session_registry_count(p.registry), ==, 1);
	client_stop(&c);
	cancel_poll(session_closed(s), NULL, 0, 30000, NULL);
	g_assert_true(cancel_is_set(session_closed(s)));
	g_assert_cmpuint(session_registry_count(p.registry), ==, 0);
	session_unref(s);
	pair_down(&p);
}

static void test_same_id_twice(void)
{
	struct pair p = {0};
	struct client first = {0};
	struct client second = {0};
	g_autoptr(GError) error = NULL;
	pair_up(&p);
	client_start(&first, &p, "twin", NULL);
	g_autoptr(session) s = session_find(p.registry, "twin", 5000, NULL, &error);
	client_start(&second, &p, "twin", NULL);
	client_join(&second);
	g_assert_true(error_is(second.error, ERROR_ALREADY_EXISTS));
	g_clear_error(&second.error);
	g_assert_false(cancel_is_set(session_closed(s)));
	g_clear_pointer(&s, session_unref);
	client_stop(&first);
	pair_down(&p);
}

static void test_health(void)
{
	struct pair p = {0};
	struct client c = {0};
	pair_up(&p);
	c.fake.sick = true;
	g_autoptr(cancel) guarded = cancel_new(NULL), other = cancel_new(NULL), over = cancel_new(NULL);
	session_guard(p.registry, "sick", guarded);
	session_guard(p.registry, "other", other);
	session_guard(p.registry, "sick", over);
	session_unguard(p.registry, over);
	client_start(&c, &p, "sick", "1000");
	client_join(&c);
	g_assert_true(cancel_is_set(guarded));
	g_assert_false(cancel_is_set(other));
	g_assert_false(cancel_is_set(over));
	g_assert_true(error_is(c.error, ERROR_UNAVAILABLE));
	g_assert_cmpstr(c.error->message, ==, "session healthcheck failed fatally");
	g_clear_error(&c.error);
	pair_down(&p);
}

static void test_secrets(void)
{
	struct pair p = {0};
	struct client c = {0};
	g_autoptr(GError) error = NULL;
	pair_up(&p);
	client_start(&c, &p, "one", NULL);
	session_group *g = session_group_new(p.registry, "one");
	g_autoptr(GBytes) value = NULL;
	g_assert_true(session_secret_get(g, "mysecret", NULL, &value, &error));
	g_assert_cmpmem(g_bytes_get_data(value, NULL), g_bytes_get_size(value), "s3cret", 6);
	g_assert_false(session_secret_get(g, "other", NULL, &value, &error));
	g_assert_true(error_is(error, ERROR_NOT_FOUND));
	g_assert_cmpstr(error->message, ==, "secret other: not found");
	g_clear_error(&error);
	session_group *empty = session_group_new(p.registry, NULL);
	g_assert_true(session_group_is_empty(empty));
	g_assert_null(session_group_any(empty, NULL, 100, NULL, &error));
	g_assert_cmpstr(error->message, ==, "no active sessions");
	session_group_add(empty, "gone");
	session_group_join(empty, g);
	g_autofree char *first = session_group_first(empty);
	g_assert_cmpstr(first, ==, "gone");
	g_autoptr(session) any = session_group_any(empty, "/moby.sshforward.v1.SSH/CheckAgent", 5000, NULL, NULL);
	g_assert_cmpstr(session_id(any), ==, "one");
	g_clear_pointer(&any, session_unref);
	session_group_unref(empty);
	session_group_unref(g);
	client_stop(&c);
	pair_down(&p);
}

static void test_auth(void)
{
	struct pair p = {0};
	struct client c = {0};
	g_autoptr(GError) error = NULL;
	pair_up(&p);
	client_start(&c, &p, "one", NULL);
	session_group *g = session_group_new(p.registry, "one");
	g_autofree char *user = NULL;
	g_autofree char *secret = NULL;
	g_assert_true(session_credentials(g, "docker.io", NULL, &user, &secret, &error));
	g_assert_cmpstr(user, ==, "user");
	g_assert_cmpstr(secret, ==, "pass");
	g_assert_true(session_token_authority(g, "docker.io", NULL, &error));
	g_assert_no_error(error);
	c.fake.false_signature = true;
	g_assert_false(session_token_authority(g, "docker.io", NULL, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	g_clear_error(&error);
	c.fake.no_authority = true;
	g_assert_false(session_token_authority(g, "docker.io", NULL, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	g_clear_error(&error);
	static const char *const scopes[] = {"repository:library/alpine:pull", NULL};
	g_autofree char *token = NULL;
	int64_t expires = 0;
	g_assert_true(session_fetch_token(g, "h", "r", "s", scopes, NULL, &token, &expires, &error));
	g_assert_cmpstr(token, ==, "buildkit-client|h|r|s|repository:library/alpine:pull");
	g_assert_cmpint(expires, ==, 300);
	session_group_unref(g);
	client_stop(&c);
	pair_down(&p);
}

static void round_trip(rpc_call *call)
{
	g_autoptr(GError) error = NULL;
	g_assert_true(rpc_call_send(call, "ping", 4, &error));
	g_autoptr(GBytes) back = rpc_call_recv(call, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(g_bytes_get_data(back, NULL), g_bytes_get_size(back), "ping", 4);
	g_assert_true(rpc_call_finish(call, &error));
	rpc_call_unref(call);
}

static void test_streams(void)
{
	struct pair p = {0};
	struct client c = {0};
	g_autoptr(GError) error = NULL;
	pair_up(&p);
	client_start(&c, &p, "one", NULL);
	g_autoptr(session) s = session_find(p.registry, "one", 5000, NULL, &error);
	static const char *const include[] = {"a b", "\xc3\xa4", NULL};
	static const char *const exclude[] = {"*.o", "!x.o", NULL};
	round_trip(session_files_open(s, "context", include, exclude, NULL, NULL, &error));
	g_assert_nonnull(strstr(c.fake.metadata->str, "dir-name=context\n"));
	g_assert_nonnull(strstr(c.fake.metadata->str,
				"include-patterns=a+b\ninclude-patterns=%C3%A4\ninclude-patterns-encoded=1\n"
				"exclude-patterns=*.o\nexclude-patterns=!x.o\n"));
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "exporter-md-containerimage.digest", "sha256:1");
	round_trip(session_send_open(s, 3, md, NULL, &error));
	g_assert_nonnull(strstr(c.fake.metadata->str, "buildkit-attachable-exporter-id=3\n"
						      "exporter-md-containerimage.digest=sha256:1\n"));
	session_group *g = session_group_new(p.registry, "one");
	g_autoptr(session) agent = NULL;
	g_assert_true(session_ssh_check(g, "default", NULL, &agent, &error));
	round_trip(session_ssh_forward(agent, "default", NULL, &error));
	g_assert_nonnull(strstr(c.fake.metadata->str, "buildkit.ssh.id=default\n"));
	g_clear_pointer(&agent, session_unref);
	g_assert_false(session_ssh_check(g, "other", NULL, &agent, &error));
	g_assert_cmpstr(error->message, ==, "no ssh key \"other\" forwarded from the client");
	session_group_unref(g);
	g_clear_pointer(&s, session_unref);
	client_stop(&c);
	pair_down(&p);
}

/* The check of a policy may be the first request to a session. */
static void test_policy_first(void)
{
	struct pair p = {0};
	struct client c = {0};
	g_autoptr(GError) error = NULL;
	pair_up(&p);
	client_start(&c, &p, "one", NULL);
	Policysession__CheckPolicyRequest request = POLICYSESSION__CHECK_POLICY_REQUEST__INIT;
	g_assert_null(session_policy_check(p.registry, "one", &request, NULL, &error));
	g_assert_true(error_is(error, ERROR_UNIMPLEMENTED)); /* this client has no verifier */
	client_stop(&c);
	pair_down(&p);
}

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static void test_content(void)
{
	struct pair p = {0};
	struct client c = {0};
	g_autoptr(GError) error = NULL;
	pair_up(&p);
	client_start(&c, &p, "one", NULL);
	g_autoptr(session) s = session_find(p.registry, "one", 5000, NULL, &error);
	size_t n = 5 * 1024 * 1024 + 17;
	g_autofree uint8_t *bytes = g_malloc(n);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 / 3);
	g_assert_true(session_content_write(s, "export", "sha256:x", -1, bytes, (int64_t)n, NULL, NULL, NULL, &error));
	g_assert_no_error(error);
	g_assert_true(c.fake.have_blob);
	g_assert_cmpint(c.fake.writes, ==, 6);
	g_assert_true(session_content_write(s, "export", "sha256:x", -1, bytes, (int64_t)n, NULL, NULL, NULL, &error));
	g_assert_cmpint(c.fake.writes, ==, 6);
	int64_t size = 0;
	g_assert_true(session_content_info(s, "export", "sha256:x", NULL, &size, &error));
	g_assert_cmpint(size, ==, (int64_t)n);
	g_autoptr(GByteArray) back = g_byte_array_new();
	g_assert_true(session_content_read(s, "export", "sha256:x", 5, NULL, append, back, &error));
	g_assert_cmpmem(back->data, back->len, bytes + 5, n - 5);
	g_clear_pointer(&s, session_unref);
	client_stop(&c);
	pair_down(&p);
}

/* ---- exporters */

static void test_exporters(void)
{
	struct pair p = {0};
	struct client c = {0};
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) asked = g_string_new(NULL);
	g_autoptr(GHashTable) metadata =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_bytes_unref);
	g_autoptr(GHashTable) response = g_hash_table_new(g_str_hash, g_str_equal);
	static const char *const refs[] = {"one", "two", NULL};
	g_hash_table_insert(metadata, (gpointer) "oci", g_bytes_new("v", 1));
	g_hash_table_insert(response, (gpointer) "k", (gpointer) "v");
	pair_up(&p);
	g_autoptr(cancel) over = cancel_new(NULL);
	cancel_set(over, ERROR_CANCELED, NULL);
	g_assert_null(session_find_exporters(p.registry, "e", metadata, refs, over, &error));
	g_assert_cmpstr(error->message, ==, "no active session for e: context canceled");
	g_clear_error(&error);

	c.fake.exported = asked;
	client_start(&c, &p, "e", NULL);
	g_autoptr(GArray) found = session_find_exporters(p.registry, "e", metadata, refs, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(found->len, ==, 1);
	const struct session_exporter *e = &g_array_index(found, struct session_exporter, 0);
	g_assert_cmpstr(e->type, ==, "oci");
	g_assert_cmpstr(g_hash_table_lookup(e->attrs, "value"), ==, "v");
	g_assert_true(session_finalize_export(p.registry, "e", response, NULL, &error));
	g_assert_cmpstr(asked->str, ==, "find one two\nfinalize k=v\n");

	/* Clients without the service, or that cannot be asked now, have no exporters; other errors are the build's. */
	static const struct {
		int code;
		const char *text;
	} rows[] = {{ERROR_UNIMPLEMENTED, NULL},
		    {ERROR_UNAVAILABLE, NULL},
		    {ERROR_UNKNOWN, "exporter failed"},
		    {ERROR_INVALID_ARGUMENT, "exporter failed"}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) why = NULL, late = NULL;
		c.fake.export_code = rows[i].code;
		g_autoptr(GArray) none = session_find_exporters(p.registry, "e", metadata, refs, NULL, &why);
		g_assert_true(rows[i].text ? !none : none && none->len == 0);
		g_assert_cmpstr(why ? why->message : NULL, ==, rows[i].text);
		g_assert_true(session_finalize_export(p.registry, "e", response, NULL, &late) == !rows[i].text);
		g_assert_cmpstr(late ? late->message : NULL, ==, rows[i].text);
	}
	client_stop(&c);
	pair_down(&p);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/session/find", test_find);
	g_test_add_func("/session/same-id-twice", test_same_id_twice);
	g_test_add_func("/session/health", test_health);
	g_test_add_func("/session/secrets", test_secrets);
	g_test_add_func("/session/auth", test_auth);
	g_test_add_func("/session/streams", test_streams);
	g_test_add_func("/session/policy-first", test_policy_first);
	g_test_add_func("/session/content", test_content);
	g_test_add_func("/session/exporters", test_exporters);
	return g_test_run();
}
