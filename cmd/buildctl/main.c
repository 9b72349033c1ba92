/* SPDX-License-Identifier: Apache-2.0 */
/* buildctl: the client of the build daemon. */
#include "base/limits.h"
#include "base/log.h"
#include "base/version.h"
#include "client/excerpt.h"
#include "command.h"
#include "format/json_writer.h"
#include "help.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a detail adds in front of the text, as upstream's clients show it. */
static void prefix_of_detail(const struct error_detail *detail, GError **error)
{
	static const struct {
		const char *type, *text;
	} known[] = {{"errdefs.FrontendCap", "unsupported frontend capability"}, {"errdefs.Subrequest", "unsupported request"}};
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		if (strcmp(known[i].type, detail->type) != 0)
			continue;
		g_autoptr(json_t) json = json_read(detail->json, strlen(detail->json), (size_t)LIMIT_CONFIG_BYTES, "detail", NULL);
		const char *name = json_string_value(json_object_get(json, "name"));
		g_prefix_error(error, "%s %s: ", known[i].text, name ? name : "");
	}
}

bool call_failed(const char *what, GError **error)
{
	enum error_code code = error && *error ? error_get_code(*error) : ERROR_UNKNOWN;
	const GPtrArray *details = error ? error_get_details(*error) : NULL;
	if (code != ERROR_UNKNOWN)
		g_prefix_error(error, "%s: ", error_code_name(code));
	for (guint i = 0; details && i < details->len; i++)
		prefix_of_detail(details->pdata[i], error);
	g_prefix_error(error, "%s: ", what);
	return false;
}

bool print_text(const char *text, GError **error)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		return error_set_errno(error, errno, "write standard output");
	return true;
}

/* ---- connection */

static char *first_existing(const char *dir, const char *const *names)
{
	for (; *names; names++) {
		char *path = g_build_filename(dir, *names, NULL);
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return path;
		g_free(path);
	}
	return g_strdup("");
}

/* Strings live as long as the process. */
static bool read_tls(const flags *f, struct rpc_tls *ret, GError **error)
{
	ret->server_name = flags_string(f, "tlsservername");
	ret->ca_file = flags_string(f, "tlscacert");
	ret->cert_file = flags_string(f, "tlscert");
	ret->key_file = flags_string(f, "tlskey");
	const char *dir = flags_string(f, "tlsdir");
	if (!*dir)
		return true;
	if (*ret->ca_file || *ret->cert_file || *ret->key_file)
		return error_set(error, ERROR_INVALID_ARGUMENT, "cannot specify tlsdir and tlscacert/tlscert/tlskey at the same time");
	ret->ca_file = first_existing(dir, (const char *const[]){"ca.pem", "ca.crt", NULL});
	ret->cert_file = first_existing(dir, (const char *const[]){"cert.pem", "tls.crt", NULL});
	ret->key_file = first_existing(dir, (const char *const[]){"key.pem", "tls.key", NULL});
	return true;
}

static rpc_conn *connect_once(struct context *x, GError **error)
{
	struct connection_options options = {.timeout_ms = (int)flags_int(x->global, "timeout") * 1000};
	if (!read_tls(x->global, &options.tls, error))
		return NULL;
	const char *address = flags_string(x->global, "addr");
	rpc_conn *conn = connection_open(x->loop, address, &options, x->cancel, error);
	if (!conn)
		g_prefix_error(error, "failed to dial \"%s\" . make sure buildkitd is running: ", address);
	return conn;
}

/* --wait: until somebody answers, once a second, as long as --timeout allows. */
rpc_conn *context_connect(struct context *x, GError **error)
{
	int64_t timeout_s = flags_int(x->global, "timeout");
	gint64 until = g_get_monotonic_time() + timeout_s * G_USEC_PER_SEC;
	while (!x->conn) {
		g_autoptr(GError) problem = NULL;
		x->conn = connect_once(x, &problem);
		bool again = flags_bool(x->global, "wait") && error_is(problem, ERROR_UNAVAILABLE) &&
			     !cancel_is_set(x->cancel) && (timeout_s == 0 || g_get_monotonic_time() < until);
		if (!x->conn && !again) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return NULL;
		}
		if (!x->conn)
			g_usleep(G_USEC_PER_SEC);
	}
	return x->conn;
}

/* ---- signals: the first asks for an orderly end, the second ends the process */

static gpointer watch_signals(gpointer data)
{
	cancel *c = data;
	sigset_t set;
	int number;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	while (sigwait(&set, &number) != 0)
		;
	cancel_set(c, ERROR_CANCELED, NULL);
	while (sigwait(&set, &number) != 0)
		;
	_exit(128 + number);
}

static void start_signals(cancel *c)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	g_thread_unref(g_thread_new("signals", watch_signals, c));
}

/* ---- commands */

static bool wants_help(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "-help") == 0)
			return true;
	return false;
}

/* argv[0] is the command's own name; path is what was typed so far. */
static bool run_command(struct context *x, const struct command *const *list, const char *path, int argc, char *const *argv, GError **error)
{
	const struct command *c = command_find(list, argv[0]);
	if (!c)
		return error_set(error, ERROR_INVALID_ARGUMENT, "No help topic for '%s'", argv[0]);
	g_autofree char *own_path = g_strdup_printf("%s %s", path, c->name);
	if (c->sub && argc > 1 && argv[1][0] != '-')
		return run_command(x, c->sub, own_path, argc - 1, argv + 1, error);
	if (wants_help(argc, argv) || !c->run)
		return help_command(own_path, c, error);
	g_autoptr(flags) f = flags_parse(c->flags, c->n_flags, argc, argv, true, error);
	return f && c->run(x, f, error);
}

static void print_error(const GError *error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	excerpt_print_all(out, error);
	g_string_append_printf(out, "error: %s\n", error->message);
	fputs(out->str, stderr);
}

static bool run(int argc, char *const *argv, GError **error)
{
	g_autoptr(flags) global = flags_parse(buildctl_flags, buildctl_n_flags, argc, argv, false, error);
	if (!global)
		return false;
	if (flags_bool(global, "version")) {
		printf("buildctl %s %s %s\n", BUILDKIT_PACKAGE, BUILDKIT_VERSION, BUILDKIT_REVISION);
		return true;
	}
	char *const *rest = flags_rest(global);
	int n_rest = (int)flags_n_rest(global);
	bool help = n_rest > 0 && (strcmp(rest[0], "help") == 0 || strcmp(rest[0], "h") == 0);
	if (help && n_rest > 1)
		return help_topic(rest + 1, error);
	if (flags_bool(global, "help") || n_rest == 0 || help)
		return help_program(error);
	const char *format = flags_string(global, "log-format");
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported log type \"%s\"", format);
	log_setup(flags_bool(global, "debug") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, *format == 'j' ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
	struct context x = {.global = global, .cancel = cancel_new(NULL)};
	start_signals(x.cancel);
	x.loop = rpc_loop_new();
	bool ok = run_command(&x, buildctl_commands, "buildctl", n_rest, rest, error);
	g_clear_pointer(&x.conn, rpc_conn_unref);
	rpc_loop_free(x.loop);
	return ok;
}

int main(int argc, char **argv)
{
	umask(0);
	g_autoptr(GError) error = NULL;
	if (run(argc, argv, &error))
		return 0;
	print_error(error);
	return 1;
}
