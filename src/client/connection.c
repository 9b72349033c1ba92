/* SPDX-License-Identifier: Apache-2.0 */
#include "client/connection.h"
#include "base/scope.h"
#include "os/process.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* A URL scheme and the command line of its helper program. */
struct helper {
	const char *scheme;
	bool (*argv)(GUri *uri, GPtrArray *argv, GError **error);
};

static void add(GPtrArray *argv, const char *word)
{
	g_ptr_array_add(argv, g_strdup(word));
}

static void add_all(GPtrArray *argv, const char *const *words)
{
	for (; *words; words++)
		add(argv, *words);
}

static char *query_value(GUri *uri, const char *key)
{
	const char *query = g_uri_get_query(uri);
	g_autoptr(GHashTable) pairs = query ? g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL) : NULL;
	return pairs ? g_strdup(g_hash_table_lookup(pairs, key)) : NULL;
}

static const char *const dial_stdio[] = {"buildctl", "dial-stdio", NULL};

static bool need_host(GUri *uri, GError **error)
{
	const char *host = g_uri_get_host(uri);
	/* A name that begins with a dash would be parsed as an option. */
	if (!host || !*host || *host == '-')
		return error_set(error, ERROR_INVALID_ARGUMENT, "url has no host");
	return true;
}

static bool docker_argv(GUri *uri, GPtrArray *argv, GError **error)
{
	g_autofree char *context = query_value(uri, "context");
	if (!need_host(uri, error))
		return false;
	add(argv, "docker");
	if (context)
		g_ptr_array_add(argv, g_strdup_printf("--context=%s", context));
	add_all(argv, (const char *const[]){"exec", "-i", g_uri_get_host(uri), NULL});
	add_all(argv, dial_stdio);
	return true;
}

static bool podman_argv(GUri *uri, GPtrArray *argv, GError **error)
{
	if (!need_host(uri, error))
		return false;
	add_all(argv, (const char *const[]){"podman", "exec", "-i", g_uri_get_host(uri), NULL});
	add_all(argv, dial_stdio);
	return true;
}

static bool nerdctl_argv(GUri *uri, GPtrArray *argv, GError **error)
{
	g_autofree char *namespace = query_value(uri, "namespace");
	if (!need_host(uri, error))
		return false;
	add_all(argv, (const char *const[]){"nerdctl", "exec", NULL});
	if (namespace)
		add_all(argv, (const char *const[]){"--namespace", namespace, NULL});
	add_all(argv, (const char *const[]){"-i", g_uri_get_host(uri), NULL});
	add_all(argv, dial_stdio);
	return true;
}

static bool is_kube_name(const char *name)
{
	return strspn(name, "-abcdefghijklmnopqrstuvwxyz0123456789.") == strlen(name);
}

static bool add_kube_option(GUri *uri, GPtrArray *argv, const char *key, GError **error)
{
	g_autofree char *value = query_value(uri, key);
	if (value && !is_kube_name(value))
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported %s name: %s", key, value);
	if (value)
		g_ptr_array_add(argv, g_strdup_printf("--%s=%s", key, value));
	return true;
}

static bool kube_argv(GUri *uri, GPtrArray *argv, GError **error)
{
	if (!need_host(uri, error))
		return false;
	if (!is_kube_name(g_uri_get_host(uri)))
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported pod name: %s", g_uri_get_host(uri));
	add(argv, "kubectl");
	if (!add_kube_option(uri, argv, "context", error) || !add_kube_option(uri, argv, "namespace", error))
		return false;
	add(argv, "exec");
	if (!add_kube_option(uri, argv, "container", error))
		return false;
	add_all(argv, (const char *const[]){"-i", g_uri_get_host(uri), "--", NULL});
	add_all(argv, dial_stdio);
	return true;
}

static bool ssh_argv(GUri *uri, GPtrArray *argv, GError **error)
{
	if (!need_host(uri, error))
		return false;
	if (g_uri_get_password(uri))
		return error_set(error, ERROR_INVALID_ARGUMENT, "plain-text password is not supported");
	if (g_uri_get_query(uri) || g_uri_get_fragment(uri))
		return error_set(error, ERROR_INVALID_ARGUMENT, "extra query or fragment after the host");
	add(argv, "ssh");
	if (g_uri_get_user(uri))
		add_all(argv, (const char *const[]){"-l", g_uri_get_user(uri), NULL});
	if (g_uri_get_port(uri) > 0) {
		add(argv, "-p");
		g_ptr_array_add(argv, g_strdup_printf("%d", g_uri_get_port(uri)));
	}
	add_all(argv, (const char *const[]){"--", g_uri_get_host(uri), "buildctl", NULL});
	const char *socket_path = g_uri_get_path(uri);
	if (*socket_path && strcmp(socket_path, "/") != 0) {
		add(argv, "--addr");
		g_ptr_array_add(argv, g_strdup_printf("unix://%s", socket_path));
	}
	add(argv, "dial-stdio");
	return true;
}

static const struct helper helpers[] = {
	{"docker-container", docker_argv},
	{"podman-container", podman_argv},
	{"nerdctl-container", nerdctl_argv},
	{"kube-pod", kube_argv},
	{"ssh", ssh_argv},
};

/*
 * Returns the command line of a helper address ("docker-container://x"), or NULL without an error for other addresses.
 * Free with g_strfreev.
 */
static char **connection_helper_argv(const char *address, GError **error)
{
	g_autoptr(GUri) uri = g_uri_parse(address, G_URI_FLAGS_HAS_PASSWORD, NULL);
	for (size_t i = 0; uri && i < G_N_ELEMENTS(helpers); i++) {
		if (strcmp(helpers[i].scheme, g_uri_get_scheme(uri)) != 0)
			continue;
		g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
		if (!helpers[i].argv(uri, argv, error))
			return error_prefix_null(error, "%s: ", address);
		g_ptr_array_add(argv, NULL);
		gsize n;
		return (char **)g_ptr_array_steal(argv, &n);
	}
	return NULL;
}

/* The program's stdin and stdout are one socket; the program ends when the socket closes. */
static rpc_conn *open_helper(rpc_loop *loop, char **argv, GError **error)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_null_errno(error, errno, "socketpair");
	scoped_fd ours = pair[0];
	scoped_fd theirs = pair[1];
	scoped_fd copy = fcntl(ours, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return error_null_errno(error, errno, "duplicate socket");
	g_auto(GStrv) environment = g_get_environ();
	int fds[] = {theirs, theirs, STDERR_FILENO};
	struct process_spec spec = {
		.argv = (const char *const *)argv,
		.envp = (const char *const *)environment,
		.fds = fds,
		.n_fds = G_N_ELEMENTS(fds),
	};
	/* Not freed: the program runs as long as buildctl and then gets EOF on stdin. */
	process *p = process_start(&spec, error);
	if (!p)
		return error_prefix_null(error, "%s: ", argv[0]);
	return rpc_connect_fds(loop, fd_steal(&ours), fd_steal(&copy), "localhost", error);
}

rpc_conn *connection_open(rpc_loop *loop, const char *address, const struct connection_options *options, cancel *c,
			  GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_auto(GStrv) argv = connection_helper_argv(address, &problem);
	if (problem)
		return error_propagate_null(error, g_steal_pointer(&problem));
	if (argv)
		return open_helper(loop, argv, error);
	bool tls =
		(options->tls.ca_file && *options->tls.ca_file) || (options->tls.cert_file && *options->tls.cert_file);
	struct rpc_dial_options dial = {.tls = tls ? &options->tls : NULL, .timeout_ms = options->timeout_ms};
	g_autofree char *host = NULL;
	if (g_str_has_prefix(address, "tcp://")) {
		host = g_strdup(address + strlen("tcp://"));
		dial.authority =
			options->tls.server_name && *options->tls.server_name ? options->tls.server_name : host;
	}
	return rpc_connect(loop, address, &dial, c, error);
}
