/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/certificates.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CA_NAME "BuildKit exec proxy"
#define BEFORE_S (-60L * 60)            /* clocks of servers in a step may differ */
#define LIFETIME_S (60L * 60 * 24 * 90) /* longer than a step runs */
#define NAME_MAX_BYTES 64               /* of a common name */

struct netproxy_ca {
	EVP_PKEY *key, *server_key; /* owned */
	X509 *certificate;          /* owned */
	char *pem;
	SSL_CTX *context; /* owned */
	GMutex mu;
	GHashTable *issued; /* mu; char * host to certificate (counted) */
};

static bool openssl_error(GError **error, const char *what)
{
	char text[256] = "out of memory";
	unsigned long code = ERR_get_error();
	if (code)
		ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return error_set(error, ERROR_UNKNOWN, "%s: %s", what, text);
}

/* ---- certificates */

static bool add_extension(X509 *certificate, X509 *issuer, int id, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
	bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[16];
	random_bytes(bytes, sizeof bytes);
	bytes[0] &= 0x7f;
	BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
	bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return ok;
}

/* A certificate without extensions and signature. */
static X509 *certificate_new(const char *name, EVP_PKEY *key)
{
	X509 *c = X509_new();
	if (c && X509_set_version(c, X509_VERSION_3) == 1 && set_serial(c) && X509_set_pubkey(c, key) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(c), BEFORE_S) && X509_gmtime_adj(X509_getm_notAfter(c), LIFETIME_S) &&
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
				       -1, 0) == 1)
		return c;
	X509_free(c);
	return NULL;
}

static X509 *issue_own(netproxy_ca *ca)
{
	X509 *c = certificate_new(CA_NAME, ca->key);
	if (c && X509_set_issuer_name(c, X509_get_subject_name(c)) == 1 &&
	    add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_extension(c, c, NID_key_usage, "critical,keyCertSign,digitalSignature") &&
	    add_extension(c, c, NID_subject_key_identifier, "hash") && X509_sign(c, ca->key, EVP_sha256()) > 0)
		return c;
	X509_free(c);
	return NULL;
}

static X509 *issue_for(netproxy_ca *ca, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
	/* The host consists of characters that have no meaning in OpenSSL's syntax of extensions (netproxy/target.c). */
	g_autofree char *names = g_strconcat(is_address ? "IP:" : "DNS:", host, NULL);
	X509 *c = certificate_new(strlen(host) <= NAME_MAX_BYTES ? host : CA_NAME " server", ca->server_key);
	if (c && X509_set_issuer_name(c, X509_get_subject_name(ca->certificate)) == 1 &&
	    add_extension(c, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(c, ca->certificate, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(c, ca->certificate, NID_ext_key_usage, "serverAuth") &&
	    add_extension(c, ca->certificate, NID_subject_key_identifier, "hash") &&
	    add_extension(c, ca->certificate, NID_authority_key_identifier, "keyid:always") &&
	    add_extension(c, ca->certificate, NID_subject_alt_name, names) && X509_sign(c, ca->key, EVP_sha256()) > 0)
		return c;
	X509_free(c);
	return NULL;
}

/* Returns a counted certificate. */
static X509 *find_or_issue(netproxy_ca *ca, const char *host)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&ca->mu);
	X509 *c = g_hash_table_lookup(ca->issued, host);
	if (!c) {
		c = issue_for(ca, host);
		if (!c)
			return NULL;
		if (g_hash_table_size(ca->issued) >= LIMIT_PROXY_CERTIFICATES)
			g_hash_table_remove_all(ca->issued);
		g_hash_table_insert(ca->issued, g_strdup(host), c);
	}
	X509_up_ref(c);
	return c;
}

/* ---- TLS */

static int on_server_name(SSL *ssl, int *alert, void *data)
{
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const char *host = SSL_get_app_data(ssl);
	if (!asked || g_ascii_strcasecmp(asked, host) == 0)
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A client that offers other protocols only goes on without ALPN. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n,
		   void *data)
{
	static const unsigned char own[] = "\x8http/1.1";
	if (SSL_select_next_proto((unsigned char **)(gsize)out, out_n, own, sizeof own - 1, in, in_n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_new(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	return context;
}

SSL *netproxy_ca_accept(netproxy_ca *ca, const char *host, GError **error)
{
	X509 *certificate = find_or_issue(ca, host);
	SSL *ssl = certificate ? SSL_new(ca->context) : NULL;
	bool ok = ssl && SSL_use_certificate(ssl, certificate) == 1 && SSL_use_PrivateKey(ssl, ca->server_key) == 1;
	X509_free(certificate);
	if (ok) {
		SSL_set_app_data(ssl, (void *)(gsize)host);
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_free(ssl);
	openssl_error(error, "issue a certificate");
	return NULL;
}

/* ---- the authority */

static char *pem_text(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	char *text = NULL;
	if (bio && PEM_write_bio_X509(bio, certificate) == 1) {
		long n = BIO_get_mem_data(bio, &bytes);
		text = text_from_data(bytes, (gsize)n);
	}
	BIO_free(bio);
	return text;
}

netproxy_ca *netproxy_ca_new(GError **error)
{
	g_autoptr(netproxy_ca) ca = g_new0(netproxy_ca, 1);
	g_mutex_init(&ca->mu);
	ca->issued = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)X509_free);
	ca->key = EVP_EC_gen("P-256");
	ca->server_key = EVP_EC_gen("P-256");
	ca->certificate = ca->key && ca->server_key ? issue_own(ca) : NULL;
	ca->pem = ca->certificate ? pem_text(ca->certificate) : NULL;
	ca->context = ca->pem ? context_new() : NULL;
	if (ca->context)
		return g_steal_pointer(&ca);
	openssl_error(error, "create a certificate authority");
	return NULL;
}

void netproxy_ca_free(netproxy_ca *ca)
{
	if (!ca)
		return;
	SSL_CTX_free(ca->context);
	X509_free(ca->certificate);
	EVP_PKEY_free(ca->key);
	EVP_PKEY_free(ca->server_key);
	g_hash_table_unref(ca->issued);
	g_mutex_clear(&ca->mu);
	g_free(ca->pem);
	g_free(ca);
}

const char *netproxy_ca_pem(const netproxy_ca *ca)
{
	return ca->pem;
}
