/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/hosts.h"
#include "os/ca_roots.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

/* A copy of one [registry."host"] table. */
struct host_config {
	char *host;
	char **mirrors, **ca_files, **key_files, **cert_files, **tls_config_dirs;
	int http, insecure;
	X509_STORE *roots;  /* hosts.mu; owned; NULL: not loaded yet */
	char *roots_stamps; /* hosts.mu; owned; names and modification times of the files in roots */
};
struct hosts {
	GMutex mu;
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
	X509_STORE_free(c->roots);
	g_free(c->roots_stamps);
	g_free(c);
}

hosts *hosts_new(const struct registry_host *list, size_t n)
{
	hosts *h = g_new0(hosts, 1);
	g_mutex_init(&h->mu);
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
	g_mutex_clear(&h->mu);
	g_free(h);
}

static struct host_config *config_find(const hosts *h, const char *host)
{
	for (guint i = 0; i < h->list->len; i++) {
		struct host_config *c = g_ptr_array_index(h->list, i);
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
	X509_STORE_free(e->tls.roots);
	g_free(e);
}

/* The documented loopback names; no address lookup is made. */
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

/* Lists the files of a directory with this suffix; a directory that cannot be read counts as empty, as in upstream. */
static void directory_list(const char *directory, const char *suffix, GPtrArray *to)
{
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, suffix))
			g_ptr_array_add(to, g_build_filename(directory, name, NULL));
}

/* Changes when one of the files does. */
static char *file_stamps(const GPtrArray *files)
{
	GString *stamps = g_string_new(NULL);
	for (guint i = 0; i < files->len; i++) {
		const char *path = g_ptr_array_index(files, i);
		struct stat st = {0};
		(void)stat(path, &st);
		g_string_append_printf(stamps, "%s %ld.%09ld %ld %lu\n", path, (long)st.st_mtim.tv_sec,
				       st.st_mtim.tv_nsec, (long)st.st_size, (unsigned long)st.st_ino);
	}
	return g_string_free(stamps, FALSE);
}

/* The system's roots and these, loaded once: connections are distinguished by the store that verified them. */
static X509_STORE *roots_take(hosts *h, struct host_config *c, GPtrArray *files, GError **error)
{
	g_autofree char *stamps = file_stamps(files);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&h->mu);
	if (!c->roots || g_strcmp0(c->roots_stamps, stamps) != 0) {
		g_ptr_array_add(files, NULL);
		X509_STORE *roots = ca_roots_with((const char *const *)files->pdata, error);
		if (!roots)
			return NULL;
		X509_STORE_free(c->roots);
		g_free(c->roots_stamps);
		c->roots = roots;
		c->roots_stamps = g_steal_pointer(&stamps);
	}
	X509_STORE_up_ref(c->roots);
	return c->roots;
}

static bool tls_fill(hosts *h, struct endpoint *e, struct host_config *c, GError **error)
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
	e->tls.roots = roots_take(h, c, roots, error);
	return e->tls.roots != NULL;
}

/* ---- endpoints */

static bool is_plain(const struct host_config *c, const char *host)
{
	return c && c->http >= 0 ? c->http > 0 : is_localhost(host);
}

bool hosts_uses_http(hosts *h, const char *host)
{
	return is_plain(config_find(h, host), host);
}

/*
 * Uses http by configuration, or by default for a loopback host. insecure skips verification, and tries https first
 * where http would be allowed.
 */
static bool security_fill(hosts *h, struct endpoint *e, struct host_config *c, GError **error)
{
	bool is_http = is_plain(c, e->host);
	if (c && c->insecure > 0) {
		e->tls.insecure = true;
		e->may_fall_back = is_http;
	} else if (is_http) {
		g_free(e->scheme);
		e->scheme = g_strdup("http");
		return true;
	}
	return !c || tls_fill(h, e, c, error);
}

static struct endpoint *endpoint_new(const char *host, const char *path)
{
	struct endpoint *e = g_new0(struct endpoint, 1);
	e->scheme = g_strdup("https");
	e->host = g_strdup(host);
	e->path = g_strdup(path);
	return e;
}

/* Parses host[:port][/path]; a scheme prefix is skipped, as in upstream. */
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

static bool add_endpoint(hosts *h, GPtrArray *to, struct endpoint *e, struct host_config *c, GError **error)
{
	g_ptr_array_add(to, e);
	return security_fill(h, e, c, error);
}

GPtrArray *hosts_find(hosts *h, const char *domain, bool insecure, GError **error)
{
	struct host_config any_way = {.http = 1, .insecure = 1};
	struct host_config *c = insecure ? &any_way : config_find(h, domain);
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(endpoint_free);
	for (char **m = c ? c->mirrors : NULL; m && *m; m++) {
		struct endpoint *e = mirror_new(*m, domain);
		if (!add_endpoint(h, list, e, config_find(h, e->host), error))
			return NULL;
	}
	const char *host = g_str_equal(domain, "docker.io") ? "registry-1.docker.io" : domain;
	if (!add_endpoint(h, list, endpoint_new(host, "/v2"), c, error))
		return NULL;
	return g_steal_pointer(&list);
}
