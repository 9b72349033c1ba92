/* SPDX-License-Identifier: Apache-2.0 */
#include "client/key_agent.h"
#include "client/ssh_wire.h"
#include <openssl/evp.h>
#include <string.h>

/* The example of RFC 8410, section 10.3, and another. */
static const char *const texts[] = {
	"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
	"-----END PRIVATE KEY-----\n",
	"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n"
	"-----END PRIVATE KEY-----\n",
};

static void take(key_agent *a, size_t i)
{
	g_autoptr(GError) error = NULL;
	ssh_key *key = ssh_key_parse(texts[i], strlen(texts[i]), &error);
	g_assert_no_error(error);
	key_agent_take(a, key);
}

static GByteArray *ask(const key_agent *a, const void *request, size_t n)
{
	/* Passes a block of the exact size, for the sanitizer. */
	g_autofree uint8_t *exact = g_memdup2(request, n);
	return key_agent_answer(a, (struct slice){exact, n});
}

static GByteArray *sign_request(struct slice public, const char *text, uint32_t flags)
{
	GByteArray *request = g_byte_array_new();
	g_byte_array_append(request, (const uint8_t *)"\x0d", 1);
	ssh_put_string(request, public.ptr, public.len);
	ssh_put_text(request, text);
	ssh_put_uint32(request, flags);
	return request;
}

/* Returns field i of the list; fails beyond the end. */
static struct slice listed(const GByteArray *answer, guint i, guint n)
{
	struct ssh_reader r = {{answer->data + 1, answer->len - 1}, false};
	struct slice found = {NULL, 0};
	g_assert_cmpuint(answer->data[0], ==, 12);
	g_assert_cmpuint(ssh_read_uint32(&r), ==, n);
	for (guint k = 0; k < n; k++) {
		struct slice public = ssh_read_string(&r);
		g_assert_cmpuint(ssh_read_string(&r).len, ==, 0);
		if (k == i)
			found = public;
	}
	g_assert_true(!r.failed && r.rest.len == 0);
	return found;
}

static void test_list(void)
{
	g_autoptr(key_agent) a = key_agent_new();
	g_autoptr(GByteArray) none = ask(a, "\x0b", 1);
	g_assert_cmpmem(none->data, none->len, "\x0c\0\0\0\0", 5);
	take(a, 0);
	take(a, 1);
	take(a, 0);
	g_autoptr(GByteArray) both = ask(a, "\x0b", 1);
	struct slice first = listed(both, 0, 2), second = listed(both, 1, 2);
	g_assert_cmpuint(first.len, ==, 51);
	g_assert_cmpuint(second.len, ==, 51);
	g_assert_cmpint(memcmp(first.ptr, second.ptr, 51), !=, 0);
}

static void test_sign(void)
{
	g_autoptr(key_agent) a = key_agent_new();
	take(a, 0);
	take(a, 1);
	g_autoptr(GByteArray) list = ask(a, "\x0b", 1);
	struct slice public = listed(list, 1, 2);
	g_autoptr(GByteArray) request = sign_request(public, "text", 0);
	g_autoptr(GByteArray) answer = ask(a, request->data, request->len);
	g_assert_cmpuint(answer->data[0], ==, 14);
	struct ssh_reader outer = {{answer->data + 1, answer->len - 1}, false};
	struct ssh_reader r = {ssh_read_string(&outer), false};
	g_assert_true(slice_is(ssh_read_string(&r), "ssh-ed25519"));
	struct slice signature = ssh_read_string(&r);
	g_assert_true(!r.failed && r.rest.len == 0 && outer.rest.len == 0);
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public.ptr + public.len - 32, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	g_assert_cmpint(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key), ==, 1);
	g_assert_cmpint(EVP_DigestVerify(ctx, signature.ptr, signature.len, (const uint8_t *)"text", 4), ==, 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void assert_failure(const key_agent *a, const void *request, size_t n)
{
	g_autoptr(GByteArray) answer = ask(a, request, n);
	g_assert_cmpmem(answer->data, answer->len, "\5", 1);
}

/* Requests that would change an agent, and malformed requests. */
static void test_refuses(void)
{
	g_autoptr(key_agent) a = key_agent_new();
	take(a, 0);
	assert_failure(a, "", 0);
	for (int type = 0; type < 256; type++) {
		const uint8_t request[] = {(uint8_t)type, 0, 0, 0, 0};
		if (type != 11)
			assert_failure(a, request, 1);
		assert_failure(a, request, sizeof(request));
	}
	g_autoptr(GByteArray) list = ask(a, "\x0b", 1);
	struct slice public = listed(list, 0, 1), other = {public.ptr, public.len - 1};
	g_autoptr(GByteArray) unknown = sign_request(other, "text", 0);
	g_autoptr(GByteArray) flags = sign_request(public, "text", 2);
	g_autoptr(GByteArray) request = sign_request(public, "text", 0);
	assert_failure(a, unknown->data, unknown->len);
	assert_failure(a, flags->data, flags->len);
	for (guint n = 1; n < request->len; n++)
		assert_failure(a, request->data, n);
	g_byte_array_append(request, (const uint8_t *)"x", 1);
	assert_failure(a, request->data, request->len);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/key-agent/list", test_list);
	g_test_add_func("/key-agent/sign", test_sign);
	g_test_add_func("/key-agent/refuses", test_refuses);
	return g_test_run();
}
