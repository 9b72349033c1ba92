/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/hosts.h"
#include "base/limits.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"
#define CA_FILE_MAX MIB(4)

/* A copy of one [registry."host"] table. */
struct host_config {
	char *host;
	char **mirrors, **ca_files, **key_files, **cert_files, **tls_config_dirs;
	int http, insecure;
};
struct hosts {
	GPtrArray *list; /* of struct host_config * */
};

static void host_config_free(gpointer data)
{
	struct host_config *c = data;
	g_free(c->host);
	g_strfreev(c->mirrors);
	g_strfreev(c->ca_files);
	g_strfreev(c->key_files);
	g_strfreev(c->cert_files);
	g_strfreev(c->tls_config_dirs);
	g_free(c);
}

hosts *hosts_new(const struct registry_host *list, size_t n)
{
	hosts *h = g_new0(hosts, 1);
	h->list = g_ptr_array_new_with_free_func(host_config_free);
	for (size_t i = 0; i < n; i++) {
		struct host_config *c = g_new0(struct host_config, 1);
		c->host = g_strdup(list[i].host);
		c->mirrors = g_strdupv((char **)list[i].mirrors);
		c->ca_files = g_strdupv((char **)list[i].ca_files);
		c->key_files = g_strdupv((char **)list[i].key_files);
		c->cert_files = g_strdupv((char **)list[i].cert_files);
		c->tls_config_dirs = g_strdupv((char **)list[i].tls_config_dirs);
		c->http = list[i].http;
		c->insecure = list[i].insecure;
		g_ptr_array_add(h->list, c);
	}
	return h;
}

void hosts_free(hosts *h)
{
	if (!h)
		return;
	g_ptr_array_unref(h->list);
	g_free(h);
}

static const struct host_config *config_find(const hosts *h, const char *host)
{
	for (guint i = 0; i < h->list->len; i++) {
		const struct host_config *c = g_ptr_array_index(h->list, i);
		if (g_str_equal(c->host, host))
			return c;
	}
	return NULL;
}

static void endpoint_free(gpointer data)
{
	struct endpoint *e = data;
	g_free(e->scheme);
	g_free(e->host);
	g_free(e->path);
	g_free(e->namespace);
	g_free(e->cert_file);
	g_free(e->key_file);
	g_clear_pointer(&e->tls.ca_pem, g_bytes_unref);
	g_free(e);
}

/* The documented loopback names: no address is looked up. */
static bool is_localhost(const char *host)
{
	g_autofree char *url = g_strconcat("http://", host, NULL);
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
	const char *name = uri ? g_uri_get_host(uri) : host;
	if (g_str_equal(name, "localhost"))
		return true;
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, name, &v4) == 1)
		return ntohl(v4.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* ---- TLS material */

static bool ca_append(GByteArray *pem, const char *path, GError **error)
{
	g_autofree char *text = NULL;
	gsize n;
	g_autoptr(GError) why = NULL;
	if (!g_file_get_contents(path, &text, &n, &why) || n > (gsize)CA_FILE_MAX)
		return error_set(error, ERROR_UNKNOWN, "failed to read %s: %s", path,
				 why ? why->message : "file too large");
	g_byte_array_append(pem, (const guint8 *)text, (guint)n);
	g_byte_array_append(pem, (const guint8 *)"\n", 1);
	return true;
}

/* The files of a directory with this suffix; what cannot be listed holds none, as upstream has it. */
static void directory_list(const char *directory, const char *suffix, GPtrArray *to)
{
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, suffix))
			g_ptr_array_add(to, g_build_filename(directory, name, NULL));
}

static bool tls_fill(struct endpoint *e, const struct host_config *c, GError **error)
{
	g_autoptr(GPtrArray) roots = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func(g_free);
	for (char **f = c->ca_files; f && *f; f++)
		g_ptr_array_add(roots, g_strdup(*f));
	for (char **d = c->tls_config_dirs; d && *d; d++) {
		directory_list(*d, ".crt", roots);
		directory_list(*d, ".cert", certs);
	}
	if (c->cert_files && c->cert_files[0] && c->key_files && c->key_files[0]) {
		e->cert_file = g_strdup(c->cert_files[0]);
		e->key_file = g_strdup(c->key_files[0]);
	} else if (certs->len > 0) {
		const char *cert = g_ptr_array_index(certs, 0);
		e->cert_file = g_strdup(cert);
		e->key_file = g_strdup_printf("%.*s.key", (int)(strlen(cert) - strlen(".cert")), cert);
	}
	e->tls.cert_file = e->cert_file;
	e->tls.key_file = e->key_file;
	if (roots->len == 0)
		return true;
	g_autoptr(GByteArray) pem = g_byte_array_new();
	if (g_file_test(SYSTEM_ROOTS, G_FILE_TEST_EXISTS) && !ca_append(pem, SYSTEM_ROOTS, error))
		return false;
	for (guint i = 0; i < roots->len; i++)
		if (!ca_append(pem, g_ptr_array_index(roots, i), error))
			return false;
	e->tls.ca_pem = g_byte_array_free_to_bytes(g_steal_pointer(&pem));
	return true;
}

/* ---- endpoints */

/*
 * http by configuration, or by default for a loopback host. insecure goes without verification, and where http would be
 * allowed tries https first.
 */
static bool security_fill(struct endpoint *e, const struct host_config *c, GError **error)
{
	bool is_http = c && c->http >= 0 ? c->http > 0 : is_localhost(e->host);
	if (c && c->insecure > 0) {
		e->tls.insecure = true;
		e->may_fall_back = is_http;
	} else if (is_http) {
		g_free(e->scheme);
		e->scheme = g_strdup("http");
		return true;
	}
	return !c || tls_fill(e, c, error);
}

static struct endpoint *endpoint_new(const char *host, const char *path)
{
	struct endpoint *e = g_new0(struct endpoint, 1);
	e->scheme = g_strdup("https");
	e->host = g_strdup(host);
	e->path = g_strdup(path);
	return e;
}

/* host[:port][/path], a scheme in front is read and left out as upstream does. */
static struct endpoint *mirror_new(const char *mirror, const char *domain)
{
	const char *scheme = strstr(mirror, "://");
	const char *begin = scheme ? scheme + 3 : mirror;
	size_t n = strcspn(begin, "/");
	g_autofree char *host = g_strndup(begin, n);
	g_autofree char *suffix = g_strdup(begin + n);
	for (size_t len = strlen(suffix); len > 0 && suffix[len - 1] == '/'; len--)
		suffix[len - 1] = '\0';
	g_autofree char *path = g_strconcat("/v2", suffix, NULL);
	struct endpoint *e = endpoint_new(host, path);
	e->is_mirror = true;
	e->namespace = g_str_equal(host, domain) ? NULL : g_strdup(domain);
	return e;
}

static bool add_endpoint(GPtrArray *to, struct endpoint *e, const struct host_config *c, GError **error)
{
	g_ptr_array_add(to, e);
	return security_fill(e, c, error);
}

GPtrArray *hosts_find(hosts *h, const char *domain, bool insecure, GError **error)
{
	static const struct host_config any_way = {.http = 1, .insecure = 1};
	const struct host_config *c = insecure ? &any_way : config_find(h, domain);
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(endpoint_free);
	for (char **m = c ? c->mirrors : NULL; m && *m; m++) {
		struct endpoint *e = mirror_new(*m, domain);
		if (!add_endpoint(list, e, config_find(h, e->host), error))
			return NULL;
	}
	const char *host = g_str_equal(domain, "docker.io") ? "registry-1.docker.io" : domain;
	if (!add_endpoint(list, endpoint_new(host, "/v2"), c, error))
		return NULL;
	return g_steal_pointer(&list);
}
