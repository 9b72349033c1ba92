/* SPDX-License-Identifier: Apache-2.0 */
/* buildctl: client of buildkitd. */
#include "base/log.h"
#include "base/thread.h"
#include "base/version.h"
#include "client/display_model.h"
#include "client/excerpt.h"
#include "command.h"
#include "help.h"
#include "tracing.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- signals: the first one cancels the command, the second one kills the process */

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

static bool start_signals(cancel *c, GError **error)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	GThread *thread = thread_start("signals", watch_signals, c, error);
	if (thread)
		g_thread_unref(thread);
	return thread;
}

/* ---- commands */

static bool wants_help(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "-help") == 0)
			return true;
	return false;
}

/* argv[0] is the name of the command; path is the command line up to it. */
static bool run_command(struct context *x, const struct command *const *list, const char *path, int argc,
			char *const *argv, GError **error)
{
	const struct command *c = command_find(list, argv[0]);
	if (!c)
		return help_unknown_topic(argv[0], error);
	g_autofree char *own_path = g_strdup_printf("%s %s", path, c->name);
	if (c->sub && argc > 1 && argv[1][0] != '-')
		return run_command(x, c->sub, own_path, argc - 1, argv + 1, error);
	if (wants_help(argc, argv) || !c->run)
		return help_command(own_path, c, error);
	g_autoptr(flags) f = flags_parse(c->flags, c->n_flags, argc, argv, true, error);
	return f && c->run(x, f, error);
}

#define EXIT_NO_TOPIC 3 /* exit status of urfave/cli for an unknown command */

/* Returns the exit code. */
static int print_error(const GError *error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	bool unknown = help_is_unknown_topic(error);
	if (!unknown)
		excerpt_print_all(out, error);
	if (strstr(error->message, "transport: Error while dialing"))
		g_string_append(out, "hint: make sure buildkitd is running and --addr names its socket\n");
	g_string_append_printf(out, "%s%s\n", unknown ? "" : "error: ", error->message);
	/* Makes control characters visible on a terminal: error texts quote Dockerfiles and messages of the daemon. */
	g_autofree char *safe = isatty(STDERR_FILENO) ? model_safe_lines(out->str) : NULL;
	fputs(safe ? safe : out->str, stderr);
	return unknown ? EXIT_NO_TOPIC : 1;
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
	log_setup(flags_bool(global, "debug") ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
		  *format == 'j' ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
	struct context x = {.global = global, .cancel = cancel_new(NULL)};
	if (!start_signals(x.cancel, error) || !(x.loop = rpc_loop_new(error)))
		return false;
	struct client_tracing tracing;
	g_autoptr(GError) failure = NULL;
	bool ok = client_tracing_begin(&tracing, &x, rest[0], argc, argv, &failure) &&
		  run_command(&x, buildctl_commands, "buildctl", n_rest, rest, &failure);
	client_tracing_end(&tracing, &x, failure);
	if (failure)
		g_propagate_error(error, g_steal_pointer(&failure));
	g_clear_pointer(&x.conn, rpc_conn_unref);
	rpc_loop_free(x.loop);
	return ok;
}

int main(int argc, char **argv)
{
	umask(0); /* as upstream's buildctl: exported files and directories get exactly the modes of the result */
	g_autoptr(GError) error = NULL;
	if (run(argc, argv, &error))
		return 0;
	return print_error(error);
}
