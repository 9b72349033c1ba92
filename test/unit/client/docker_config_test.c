/* SPDX-License-Identifier: Apache-2.0 */
#include "client/docker_config.h"
#include "lib/outcome.h"
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

static char *config_dir;

static void write_file(const char *name, const char *text, int mode)
{
	g_autofree char *path = g_build_filename(config_dir, name, NULL);
	assert_succeeds(g_file_set_contents(path, text, -1, &failure));
	g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static bool get(const char *host, struct docker_credentials *ret, GError **error)
{
	struct docker_auth *auth = docker_auth_new();
	bool ok = docker_auth_get(auth, host, NULL, ret, error);
	docker_auth_free(auth);
	return ok;
}

#define AUTH "dXNlcjpwYTpzcw==" /* user:pa:ss */

static const struct {
	const char *config, *environment, *host, *user, *secret, *token, *error;
} config_rows[] = {
	{NULL, NULL, "h", "", "", "", NULL},
	{"", NULL, "h", "", "", "", NULL},
	{"{}", NULL, "h", "", "", "", NULL},
	{"{\"auths\": {\"h\": {\"auth\": \"" AUTH "\"}}}", NULL, "h", "user", "pa:ss", "", NULL},
	{"{\"auths\": {\"h\": {\"auth\": \"" AUTH "\"}}}", NULL, "other", "", "", "", NULL},
	/* The port is part of the name. */
	{"{\"auths\": {\"h\": {\"auth\": \"" AUTH "\"}}}", NULL, "h:5000", "", "", "", NULL},
	{"{\"auths\": {\"h:5000\": {\"auth\": \"" AUTH "\"}}}", NULL, "h:5000", "user", "pa:ss", "", NULL},
	/* Old files name URLs. */
	{"{\"auths\": {\"https://h/v1/\": {\"auth\": \"" AUTH "\"}}}", NULL, "h", "user", "pa:ss", "", NULL},
	{"{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"" AUTH "\"}}}", NULL, "registry-1.docker.io",
	 "user", "pa:ss", "", NULL},
	{"{\"auths\": {\"h\": {\"username\": \"u\", \"password\": \"p\"}}}", NULL, "h", "u", "p", "", NULL},
	{"{\"auths\": {\"h\": {\"identitytoken\": \"t\", \"auth\": \"" AUTH "\"}}}", NULL, "h", "", "t", "", NULL},
	{"{\"auths\": {\"h\": {\"registrytoken\": \"bearer\"}}}", NULL, "h", "", "", "bearer", NULL},
	{"{\"auths\": {\"h\": {\"auth\": \"bm9jb2xvbg==\"}}}", NULL, "h", NULL, NULL, NULL,
	 "invalid auth configuration file"},
	{"{\"auths\": {\"h\": {\"auth\": \"OnBhc3M=\"}}}", NULL, "h", NULL, NULL, NULL,
	 "invalid auth configuration file"},
	{"{\"auths\"", NULL, "h", NULL, NULL, NULL, "config.json"},
	/* The environment variable has precedence for the hosts that it contains. */
	{"{\"auths\": {\"h\": {\"auth\": \"" AUTH "\"}}}",
	 "{\"auths\": {\"h\": {\"username\": \"e\", \"password\": \"f\"}}}", "h", "e", "f", "", NULL},
	{"{\"auths\": {\"h\": {\"auth\": \"" AUTH "\"}}}",
	 "{\"auths\": {\"other\": {\"username\": \"e\", \"password\": \"f\"}}}", "h", "user", "pa:ss", "", NULL},
	/* Helpers: a host's helper has precedence over the general one; "<token>" marks an identity token. */
	{"{\"credsStore\": \"all\"}", NULL, "h", "helped", "h", "", NULL},
	{"{\"credsStore\": \"all\"}", NULL, "docker.io", "helped", "https://index.docker.io/v1/", "", NULL},
	{"{\"credsStore\": \"all\", \"credHelpers\": {\"h\": \"token\"}}", NULL, "h", "", "identity", "", NULL},
	{"{\"credHelpers\": {\"h\": \"token\"}}", NULL, "other", "", "", "", NULL},
	{"{\"credsStore\": \"none\"}", NULL, "h", "", "", "", NULL},
	{"{\"credsStore\": \"broken\"}", NULL, "h", NULL, NULL, NULL,
	 "error getting credentials - err: exit status 3, out: `locked`"},
	{"{\"credsStore\": \"garbage\"}", NULL, "h", NULL, NULL, NULL, "credential helper output"},
	{"{\"credsStore\": \"absent\"}", NULL, "h", NULL, NULL, NULL, "error getting credentials - err: "},
	{"{\"credsStore\": \"../all\"}", NULL, "h", NULL, NULL, NULL, "invalid credential helper ../all"},
};

static void test_config(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(config_rows); i++) {
		g_autoptr(GError) error = NULL;
		struct docker_credentials c = {0};
		g_autofree char *path = g_build_filename(config_dir, "config.json", NULL);
		g_unlink(path);
		if (config_rows[i].config)
			write_file("config.json", config_rows[i].config, 0600);
		if (config_rows[i].environment)
			g_setenv("DOCKER_AUTH_CONFIG", config_rows[i].environment, TRUE);
		else
			g_unsetenv("DOCKER_AUTH_CONFIG");
		bool ok = get(config_rows[i].host, &c, &error);
		g_test_message("row %zu: %s", i, error ? error->message : "");
		g_assert_cmpint(ok, ==, config_rows[i].error == NULL);
		if (config_rows[i].error) {
			g_assert_nonnull(strstr(error->message, config_rows[i].error));
		} else {
			g_assert_cmpstr(c.username, ==, config_rows[i].user);
			g_assert_cmpstr(c.secret, ==, config_rows[i].secret);
			g_assert_cmpstr(c.registry_token, ==, config_rows[i].token);
		}
		docker_credentials_clear(&c);
	}
}

/* The answer of a helper is cached: it runs once for several requests. */
static void test_cached(void)
{
	g_unsetenv("DOCKER_AUTH_CONFIG");
	write_file("config.json", "{\"credsStore\": \"counting\"}", 0600);
	struct docker_auth *auth = docker_auth_new();
	for (int i = 0; i < 3; i++) {
		struct docker_credentials c = {0};
		assert_succeeds(docker_auth_get(auth, "h", NULL, &c, &failure));
		g_assert_cmpstr(c.secret, ==, "s");
		docker_credentials_clear(&c);
	}
	docker_auth_free(auth);
	g_autofree char *path = g_build_filename(config_dir, "count", NULL);
	g_autofree char *text = NULL;
	assert_succeeds(g_file_get_contents(path, &text, NULL, &failure));
	g_assert_cmpstr(text, ==, "x");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	signal(SIGPIPE, SIG_IGN); /* as in buildctl: a helper may end without reading its input */
	config_dir = g_dir_make_tmp("docker-config-XXXXXX", NULL);
	g_setenv("DOCKER_CONFIG", config_dir, TRUE);
	g_autofree char *path = g_strconcat(config_dir, ":", g_getenv("PATH"), NULL);
	g_setenv("PATH", path, TRUE);
	write_file("docker-credential-all",
		   "#!/bin/sh\nread -r key || true\nprintf "
		   "'{\"ServerURL\":\"x\",\"Username\":\"helped\",\"Secret\":\"%s\"}' "
		   "\"$key\"\n",
		   0755);
	write_file("docker-credential-token", "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"identity\"}'\n",
		   0755);
	write_file("docker-credential-none", "#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n",
		   0755);
	write_file("docker-credential-broken", "#!/bin/sh\necho locked\nexit 3\n", 0755);
	write_file("docker-credential-garbage", "#!/bin/sh\necho nonsense\n", 0755);
	write_file("docker-credential-counting",
		   "#!/bin/sh\nprintf x >> \"$DOCKER_CONFIG/count\"\necho '{\"Username\":\"u\",\"Secret\":\"s\"}'\n",
		   0755);
	g_test_add_func("/docker_config/config", test_config);
	g_test_add_func("/docker_config/cached", test_cached);
	int status = g_test_run();
	g_autoptr(GDir) dir = g_dir_open(config_dir, 0, NULL);
	for (const char *name; (name = g_dir_read_name(dir));) {
		g_autofree char *file = g_build_filename(config_dir, name, NULL);
		g_unlink(file);
	}
	g_rmdir(config_dir);
	g_free(config_dir);
	return status;
}
