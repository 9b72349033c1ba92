/* SPDX-License-Identifier: Apache-2.0 */
#include "client/docker_config.h"
#include "base/limits.h"
#include "base/secret.h"
#include "base/scope.h"
#include "base/text.h"
#include "format/json_writer.h"
#include "os/process.h"
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#define HUB_KEY "https://index.docker.io/v1/"
#define KEEP_US (290 * G_USEC_PER_SEC) /* some helpers issue tokens that expire after five minutes */
#define CONFIG_BYTES_MAX MIB(4)
#define HELPER_BYTES_MAX KIB(256)

struct cached {
	struct docker_credentials credentials;
	gint64 since_us;
};

struct docker_auth {
	GMutex mu;         /* also serialises helpers */
	GHashTable *cache; /* mu: host to struct cached * */
	GHashTable *tls;   /* host to struct docker_tls *; immutable while serving */
};

void docker_credentials_clear(struct docker_credentials *c)
{
	g_free(c->username);
	secret_free(c->secret);
	secret_free(c->registry_token);
	*c = (struct docker_credentials){0};
}

static void cached_free(void *data)
{
	docker_credentials_clear(&((struct cached *)data)->credentials);
	g_free(data);
}

static void tls_free(void *data)
{
	struct docker_tls *t = data;
	g_ptr_array_unref(t->ca_files);
	g_free(t->cert_file);
	g_free(t->key_file);
	g_free(t);
}

struct docker_auth *docker_auth_new(void)
{
	struct docker_auth *a = g_new0(struct docker_auth, 1);
	g_mutex_init(&a->mu);
	a->cache = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, cached_free);
	a->tls = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, tls_free);
	return a;
}

void docker_auth_free(struct docker_auth *auth)
{
	if (!auth)
		return;
	g_hash_table_unref(auth->cache);
	g_hash_table_unref(auth->tls);
	g_mutex_clear(&auth->mu);
	g_free(auth);
}

struct docker_tls *docker_auth_tls(struct docker_auth *auth, const char *host, bool make)
{
	struct docker_tls *t = g_hash_table_lookup(auth->tls, host);
	if (!t && make) {
		t = g_new0(struct docker_tls, 1);
		t->ca_files = g_ptr_array_new_with_free_func(g_free);
		g_hash_table_insert(auth->tls, g_strdup(host), t);
	}
	return t;
}

char *docker_config_dir(void)
{
	const char *dir = g_getenv("DOCKER_CONFIG");
	return dir && *dir ? g_strdup(dir) : g_build_filename(g_get_home_dir(), ".docker", NULL);
}

/* ---- config.json */

/* Returns the parsed file, or an empty object if it does not exist. */
static json_t *config_read(GError **error)
{
	g_autofree char *dir = docker_config_dir(), *path = g_build_filename(dir, "config.json", NULL), *text = NULL;
	gsize n = 0;
	g_autoptr(GError) failure = NULL;
	if (!g_file_get_contents(path, &text, &n, &failure)) {
		if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
		    g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOTDIR))
			return json_object();
		return error_null(error, ERROR_UNKNOWN, "failed to load docker config: %s", failure->message);
	}
	if (n == 0)
		return json_object();
	json_t *json = json_read(text, n, (size_t)CONFIG_BYTES_MAX, path, error);
	explicit_bzero(text, n);
	return json;
}

static char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return g_strdup(text ? text : "");
}

/* Decodes base64("user:password"). */
static bool auth_decode(const char *auth, struct docker_credentials *ret, GError **error)
{
	gsize n;
	g_autofree guchar *bytes = g_base64_decode(auth, &n);
	scoped_secret text = g_strndup((const char *)bytes, n);
	explicit_bzero(bytes, n);
	char *colon = strchr(text, ':');
	if (!colon || colon == text)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid auth configuration file");
	g_free(ret->username);
	secret_free(ret->secret);
	ret->username = g_strndup(text, (gsize)(colon - text));
	ret->secret = g_strdup(colon + 1);
	return true;
}

static bool entry_read(const json_t *entry, struct docker_credentials *ret, GError **error)
{
	ret->username = member(entry, "username");
	ret->secret = member(entry, "password");
	ret->registry_token = member(entry, "registrytoken");
	const char *auth = json_string_value(json_object_get(entry, "auth"));
	if (auth && *auth && !auth_decode(auth, ret, error))
		return false;
	scoped_secret identity = member(entry, "identitytoken");
	if (*identity) {
		g_free(ret->username);
		secret_free(ret->secret);
		ret->username = g_strdup("");
		ret->secret = g_steal_pointer(&identity);
	}
	return true;
}

/* Returns the host of a key that may be a URL (older configuration files). */
static char *host_of(const char *key)
{
	const char *start = strstr(key, "://");
	start = start ? start + 3 : key;
	return g_strndup(start, strcspn(start, "/"));
}

static const json_t *find_entry(const json_t *auths, const char *key)
{
	const json_t *entry = json_object_get(auths, key);
	const char *other;
	json_t *value;
	if (entry)
		return entry;
	json_object_foreach((json_t *)auths, other, value)
	{
		g_autofree char *host = host_of(other);
		if (g_str_equal(host, key))
			return value;
	}
	return NULL;
}

/* ---- credential helpers */

/* Parses the helper's answer: {"Username", "Secret"}. The user name "<token>" marks an identity token. */
static bool answer_read(GBytes *out, struct docker_credentials *ret, GError **error)
{
	gsize n;
	const char *bytes = g_bytes_get_data(out, &n);
	g_autoptr(json_t) json = json_read(bytes, n, (size_t)HELPER_BYTES_MAX, "credential helper output", error);
	if (!json)
		return false;
	ret->username = member(json, "Username");
	ret->secret = member(json, "Secret");
	ret->registry_token = g_strdup("");
	if (g_str_equal(ret->username, "<token>"))
		ret->username[0] = '\0';
	return true;
}

static bool helper_failed(GBytes *out, int status, struct docker_credentials *ret, GError **error)
{
	gsize n;
	const char *bytes = g_bytes_get_data(out, &n);
	g_autofree char *text = g_strstrip(text_from_data(bytes, MIN(n, 1024)));
	if (g_str_equal(text, "credentials not found in native keychain")) {
		*ret = (struct docker_credentials){g_strdup(""), g_strdup(""), g_strdup("")};
		return true;
	}
	return error_set(error, ERROR_UNKNOWN, "error getting credentials - err: exit status %d, out: `%s`",
			 WIFEXITED(status) ? WEXITSTATUS(status) : -1, text);
}

static bool helper_get(const char *helper, const char *key, cancel *c, struct docker_credentials *ret, GError **error)
{
	if (strchr(helper, '/'))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid credential helper %s", helper);
	g_autofree char *program = g_strconcat("docker-credential-", helper, NULL);
	g_auto(GStrv) env = g_get_environ();
	const char *argv[] = {program, "get", NULL};
	struct process_spec spec = {.argv = argv, .envp = (const char *const *)env};
	int status = 0;
	g_autoptr(GBytes) out = NULL;
	g_autoptr(GBytes) err = NULL;
	if (!process_run(&spec, key, strlen(key), (size_t)HELPER_BYTES_MAX, c, &status, &out, &err, error))
		return error_prefix(error, "error getting credentials - err: ");
	return status == 0 ? answer_read(out, ret, error) : helper_failed(out, status, ret, error);
}

/* ---- look-up */

/* DOCKER_AUTH_CONFIG has precedence. ret_found is false if it does not contain the host. */
static bool environment_get(const char *key, struct docker_credentials *ret, bool *ret_found, GError **error)
{
	const char *text = g_getenv("DOCKER_AUTH_CONFIG");
	*ret_found = false;
	if (!text || !*text)
		return true;
	g_autoptr(json_t) json = json_read(text, strlen(text), (size_t)CONFIG_BYTES_MAX, "DOCKER_AUTH_CONFIG", NULL);
	const json_t *entry = json ? find_entry(json_object_get(json, "auths"), key) : NULL;
	*ret_found = entry != NULL;
	return !entry || entry_read(entry, ret, error);
}

static bool look_up(const char *host, cancel *c, struct docker_credentials *ret, GError **error)
{
	bool hub = g_str_equal(host, "registry-1.docker.io") || g_str_equal(host, "docker.io") ||
		   g_str_equal(host, "index.docker.io");
	const char *key = hub ? HUB_KEY : host;
	bool found;
	if (!environment_get(key, ret, &found, error))
		return false;
	if (found)
		return true;
	g_autoptr(json_t) config = config_read(error);
	if (!config)
		return false;
	const char *helper = json_string_value(json_object_get(json_object_get(config, "credHelpers"), key));
	if (!helper)
		helper = json_string_value(json_object_get(config, "credsStore"));
	if (helper && *helper)
		return helper_get(helper, key, c, ret, error);
	return entry_read(find_entry(json_object_get(config, "auths"), key), ret, error);
}

static void copy(const struct docker_credentials *from, struct docker_credentials *ret)
{
	ret->username = g_strdup(from->username);
	ret->secret = g_strdup(from->secret);
	ret->registry_token = g_strdup(from->registry_token);
}

bool docker_auth_get(struct docker_auth *auth, const char *host, cancel *c, struct docker_credentials *ret,
		     GError **error)
{
	struct docker_credentials found = {0};
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&auth->mu);
	struct cached *known = g_hash_table_lookup(auth->cache, host);
	if (known && g_get_monotonic_time() - known->since_us < KEEP_US) {
		copy(&known->credentials, ret);
		return true;
	}
	if (!look_up(host, c, &found, error)) {
		docker_credentials_clear(&found);
		return false;
	}
	known = g_new0(struct cached, 1);
	known->credentials = found;
	known->since_us = g_get_monotonic_time();
	g_hash_table_replace(auth->cache, g_strdup(host), known);
	copy(&found, ret);
	return true;
}
