/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Auth: credentials, tokens fetched by the client, and the key by which a daemon verifies that another client has the
 * same credentials. The key of a host comes from a random seed of this client (<docker config>/.token_seed) and the
 * daemon's salt, so that neither side determines it alone.
 */
#include "api/guard.h"
#include "auth.pb-c.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/version.h"
#include "client/docker_config.h"
#include "client/services_internal.h"
#include "format/gotype.h"
#include "format/http_url.h"
#include "format/json_writer.h"
#include "os/ca_roots.h"
#include "os/file.h"
#include "registry/token.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SEED_BYTES 16
#define TOKEN_EXPIRES_S 60 /* used if the token server sends no expiry */
#define KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define SEED_FILE_BYTES_MAX MIB(4)
#define PAYLOAD_BYTES_MAX KIB(64)

/* ---- --registry-auth-tlscontext */

struct tls_spec {
	char *host, *ca, *cert, *key;
	bool insecure;
};

static bool tls_field(void *data, const char *key, const char *value, const char *field, GError **error)
{
	struct tls_spec *s = data;
	const struct {
		const char *key;
		char **where;
	} table[] = {{"host", &s->host}, {"ca", &s->ca}, {"cert", &s->cert}, {"key", &s->key}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (g_str_equal(key, table[i].key)) {
			g_free(*table[i].where);
			*table[i].where = *value ? g_strdup(value) : NULL;
		}
	if (g_str_equal(key, "insecure"))
		(void)bool_parse(value, &s->insecure, NULL);
	return true;
}

static bool tls_check(const struct tls_spec *s, GError **error)
{
	const char *text = NULL;
	if (!s->host)
		text = "--registry-auth-tlscontext requires host=<host>";
	else if (!s->ca && !s->insecure && (!s->cert || !s->key))
		text = "--registry-auth-tlscontext requires ca=<ca> or cert=<cert>,key=<key> or insecure=true";
	else if (s->ca && !s->cert != !s->key)
		text = "--registry-auth-tlscontext requires cert=<cert>,key=<key>";
	return !text || error_set(error, ERROR_INVALID_ARGUMENT, "%s", text);
}

bool services_add_auth_tls(services *s, const char *value, GError **error)
{
	struct tls_spec spec = {0};
	bool ok = services_parse_fields(value, "invalid value %s", tls_field, &spec, error) && tls_check(&spec, error);
	services_add_auth(s);
	if (ok) {
		struct docker_tls *t = docker_auth_tls(s->auth, spec.host, true);
		t->insecure |= spec.insecure;
		if (spec.ca)
			g_ptr_array_add(t->ca_files, g_steal_pointer(&spec.ca));
		if (spec.cert && spec.key) {
			g_free(t->cert_file);
			g_free(t->key_file);
			t->cert_file = g_steal_pointer(&spec.cert);
			t->key_file = g_steal_pointer(&spec.key);
		}
	}
	g_free(spec.host);
	g_free(spec.ca);
	g_free(spec.cert);
	g_free(spec.key);
	return ok;
}

/* ---- seeds */

/* Reads {"<host>": {"Seed": "<base64>"}}; empty if the file is missing or damaged. */
static json_t *seeds_read(int dir_fd)
{
	struct stat st;
	scoped_fd fd = openat(dir_fd, ".token_seed", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > SEED_FILE_BYTES_MAX)
		return json_object();
	g_autofree char *text = g_malloc((gsize)st.st_size + 1);
	ssize_t n = read(fd, text, (size_t)st.st_size);
	json_t *json = n > 0 ? json_read(text, (size_t)n, (size_t)SEED_FILE_BYTES_MAX, ".token_seed", NULL) : NULL;
	if (json && json_is_object(json))
		return json;
	json_decref(json);
	return json_object();
}

static bool is_readonly(int errnum)
{
	return errnum == EROFS || errnum == EACCES || errnum == EPERM;
}

static bool seeds_write(int dir_fd, const json_t *seeds, GError **error)
{
	g_autoptr(json_writer) w = json_writer_new(2);
	json_put_value(w, seeds, true);
	g_autofree char *text = json_writer_take(&w, NULL);
	scoped_fd fd = openat(dir_fd, ".token_seed", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return is_readonly(errno) || error_set_errno(error, errno, "open .token_seed");
	return file_write_all(fd, text, strlen(text)) || error_set_errno(error, errno, "write .token_seed");
}

static void seed_take(json_t *seeds, const char *host, uint8_t ret[SEED_BYTES], bool *ret_new)
{
	const char *text = json_string_value(json_object_get(json_object_get(seeds, host), "Seed"));
	gsize n = 0;
	g_autofree guchar *known = text ? g_base64_decode(text, &n) : NULL;
	*ret_new = !known || n != SEED_BYTES;
	if (!*ret_new) {
		memcpy(ret, known, SEED_BYTES);
		return;
	}
	random_bytes(ret, SEED_BYTES);
	g_autofree char *fresh = g_base64_encode(ret, SEED_BYTES);
	json_object_set_new(seeds, host, json_pack("{s:s}", "Seed", fresh));
}

static bool seed_get(const char *host, uint8_t ret[SEED_BYTES], GError **error)
{
	g_autofree char *dir = docker_config_dir();
	bool fresh = false;
	if (g_mkdir_with_parents(dir, 0755) < 0)
		return error_set_errno(error, errno, "mkdir %s", dir);
	scoped_fd dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return error_set_errno(error, errno, "open %s", dir);
	scoped_fd lock = openat(dir_fd, ".token_seed.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 && !is_readonly(errno))
		return error_set_errno(error, errno, "open .token_seed.lock");
	if (lock >= 0 && flock(lock, LOCK_EX) < 0)
		return error_set_errno(error, errno, "lock .token_seed.lock");
	g_autoptr(json_t) seeds = seeds_read(dir_fd);
	seed_take(seeds, host, ret, &fresh);
	return !fresh || seeds_write(dir_fd, seeds, error);
}

/* ---- key */

static bool tokens_disabled(void)
{
	const char *text = g_getenv("BUILDKIT_NO_CLIENT_TOKEN");
	bool disabled = false;
	return text && bool_parse(text, &disabled, NULL) && disabled;
}

static EVP_PKEY *authority_key(services *s, rpc_call *call, const char *host, const ProtobufCBinaryData *salt,
			       GError **error)
{
	struct docker_credentials credentials = {0};
	uint8_t seed[SEED_BYTES], sum[KEY_BYTES];
	unsigned n = sizeof(sum);
	if (tokens_disabled())
		return error_null(error, ERROR_UNAVAILABLE, "client side tokens disabled");
	if (!docker_auth_get(s->auth, host, rpc_call_cancel(call), &credentials, error) ||
	    !seed_get(host, seed, error)) {
		docker_credentials_clear(&credentials);
		return NULL;
	}
	bool has_secret = *credentials.secret;
	docker_credentials_clear(&credentials);
	static const uint8_t none;
	EVP_PKEY *key = NULL;
	if (HMAC(EVP_sha256(), salt->len ? salt->data : &none, (int)MIN(salt->len, (size_t)PAYLOAD_BYTES_MAX), seed,
		 has_secret ? sizeof(seed) : 0, sum, &n))
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, sum, sizeof(sum));
	explicit_bzero(sum, sizeof(sum));
	if (!key)
		error_set(error, ERROR_INTERNAL, "create an Ed25519 key from the seed");
	return key;
}

static ProtobufCMessage *get_token_authority(rpc_call *call, const ProtobufCMessage *request, void *data,
					     GError **error)
{
	const Auth__GetTokenAuthorityRequest *q = (const void *)request;
	uint8_t public[KEY_BYTES];
	size_t n = sizeof(public);
	EVP_PKEY *key = authority_key(data, call, q->host, &q->salt, error);
	if (!key)
		return NULL;
	bool ok = EVP_PKEY_get_raw_public_key(key, public, &n) == 1;
	EVP_PKEY_free(key);
	if (!ok)
		return error_null(error, ERROR_INTERNAL, "derive the public key");
	Auth__GetTokenAuthorityResponse reply = AUTH__GET_TOKEN_AUTHORITY_RESPONSE__INIT;
	reply.publickey = (ProtobufCBinaryData){n, public};
	return message_copy(&reply);
}

/* crypto_sign of NaCl: the signature, followed by the message. */
static uint8_t *sign(EVP_PKEY *key, const ProtobufCBinaryData *payload, size_t *ret_n)
{
	size_t n = SIGNATURE_BYTES;
	g_autofree uint8_t *signed_bytes = g_malloc(n + payload->len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestSign(ctx, signed_bytes, &n, payload->data, payload->len) == 1 && n == SIGNATURE_BYTES;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return NULL;
	if (payload->len > 0)
		memcpy(signed_bytes + n, payload->data, payload->len);
	*ret_n = n + payload->len;
	return g_steal_pointer(&signed_bytes);
}

static ProtobufCMessage *verify_token_authority(rpc_call *call, const ProtobufCMessage *request, void *data,
						GError **error)
{
	const Auth__VerifyTokenAuthorityRequest *q = (const void *)request;
	if (q->payload.len > (size_t)PAYLOAD_BYTES_MAX)
		return error_null(error, ERROR_INVALID_ARGUMENT, "payload of %zu bytes exceeds the limit",
				  q->payload.len);
	EVP_PKEY *key = authority_key(data, call, q->host, &q->salt, error);
	if (!key)
		return NULL;
	size_t n = 0;
	g_autofree uint8_t *bytes = sign(key, &q->payload, &n);
	EVP_PKEY_free(key);
	if (!bytes)
		return error_null(error, ERROR_INTERNAL, "sign the payload");
	Auth__VerifyTokenAuthorityResponse reply = AUTH__VERIFY_TOKEN_AUTHORITY_RESPONSE__INIT;
	reply.signed_ = (ProtobufCBinaryData){n, bytes};
	return message_copy(&reply);
}

/* ---- credentials and tokens */

static ProtobufCMessage *get_credentials(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	services *s = data;
	const Auth__CredentialsRequest *q = (const void *)request;
	struct docker_credentials c = {0};
	if (!docker_auth_get(s->auth, q->host, rpc_call_cancel(call), &c, error))
		return NULL;
	Auth__CredentialsResponse reply = AUTH__CREDENTIALS_RESPONSE__INIT;
	reply.username = c.username;
	reply.secret = c.secret;
	ProtobufCMessage *message = message_copy(&reply);
	docker_credentials_clear(&c);
	return message;
}

/* Collects CA certificates of --registry-auth-tlscontext in addition to the system's. *ret_roots is owned. */
static bool registry_tls(const struct docker_tls *tls, struct transport_tls *ret, X509_STORE **ret_roots,
			 GError **error)
{
	*ret_roots = NULL;
	*ret = (struct transport_tls){0};
	if (!tls)
		return true;
	if (tls->ca_files->len > 0) {
		g_autoptr(GPtrArray) files = g_ptr_array_new();
		g_ptr_array_extend(files, tls->ca_files, NULL, NULL);
		g_ptr_array_add(files, NULL);
		*ret_roots = ca_roots_with((const char *const *)files->pdata, error);
		if (!*ret_roots)
			return false;
	}
	*ret = (struct transport_tls){tls->insecure, *ret_roots, tls->cert_file, tls->key_file};
	return true;
}

/*
 * The request does not name the scheme of the registry. A token server at the registry's host and explicit port is the
 * registry itself, so its scheme is used. Without a port the scheme is https, except on a loopback host.
 */
static char *registry_origin(const Auth__FetchTokenRequest *q)
{
	g_autofree char *url = g_strconcat("http://", q->host, NULL);
	g_auto(http_url) registry = {0};
	if (!http_url_parse(url, &registry, NULL))
		return g_strdup("");
	bool has_port = !g_str_has_suffix(registry.authority, "]") && strrchr(registry.authority, ':');
	bool is_loopback = g_str_equal(registry.host, "localhost") || g_str_equal(registry.host, "::1") ||
			   (g_hostname_is_ip_address(registry.host) && g_str_has_prefix(registry.host, "127."));
	bool is_http = has_port ? g_ascii_strncasecmp(q->realm, "http:", 5) == 0 : is_loopback;
	return g_strconcat(is_http ? "http" : "https", "://", q->host, NULL);
}

static bool ask_token(services *s, const Auth__FetchTokenRequest *q, const struct docker_credentials *credentials,
		      cancel *c, struct registry_token *ret, GError **error)
{
	struct transport_tls tls;
	X509_STORE *roots;
	if (!registry_tls(docker_auth_tls(s->auth, q->host, false), &tls, &roots, error))
		return false;
	g_autoptr(GPtrArray) scopes = g_ptr_array_new();
	for (size_t i = 0; i < q->n_scopes; i++)
		g_ptr_array_add(scopes, q->scopes[i]);
	g_ptr_array_add(scopes, NULL);
	g_autofree char *origin = registry_origin(q);
	transport *t = transport_new();
	struct token_request request = {
		.transport = t,
		.cancel = c,
		.host = q->host,
		.origin = origin,
		.realm = q->realm,
		.service = q->service,
		.scopes = (const char *const *)scopes->pdata,
		.user = credentials->username,
		.secret = credentials->secret,
		.user_agent = "buildkit/" BUILDKIT_VERSION,
		.tls = &tls,
		.post_first = true,
	};
	bool ok = token_fetch(&request, ret, error);
	transport_free(t);
	X509_STORE_free(roots);
	if (ok && ret->expires_s == 0)
		ret->expires_s = TOKEN_EXPIRES_S;
	return ok;
}

static bool get_token(services *s, const Auth__FetchTokenRequest *q, cancel *c, struct registry_token *ret,
		      GError **error)
{
	struct docker_credentials credentials = {0};
	if (!docker_auth_get(s->auth, q->host, c, &credentials, error))
		return false;
	bool ready = *credentials.registry_token;
	if (ready)
		*ret = (struct registry_token){.text = g_strdup(credentials.registry_token),
					       .expires_s = TOKEN_EXPIRES_S};
	bool ok = ready || ask_token(s, q, &credentials, c, ret, error);
	docker_credentials_clear(&credentials);
	return ok;
}

static ProtobufCMessage *fetch_token(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	g_auto(registry_token) token = {0};
	if (!get_token(data, (const void *)request, rpc_call_cancel(call), &token, error))
		return NULL;
	Auth__FetchTokenResponse reply = AUTH__FETCH_TOKEN_RESPONSE__INIT;
	reply.token = token.text;
	reply.expiresin = token.expires_s;
	reply.issuedat = token.issued_s;
	return message_copy(&reply);
}

static const struct rpc_method methods[] = {
	{.path = "/moby.filesync.v1.Auth/Credentials",
	 .request = &auth__credentials_request__descriptor,
	 .unary = get_credentials},
	{.path = "/moby.filesync.v1.Auth/FetchToken",
	 .request = &auth__fetch_token_request__descriptor,
	 .unary = fetch_token},
	{.path = "/moby.filesync.v1.Auth/GetTokenAuthority",
	 .request = &auth__get_token_authority_request__descriptor,
	 .unary = get_token_authority},
	{.path = "/moby.filesync.v1.Auth/VerifyTokenAuthority",
	 .request = &auth__verify_token_authority_request__descriptor,
	 .unary = verify_token_authority},
};
const struct rpc_method_table service_auth_table = {methods, G_N_ELEMENTS(methods)};
