/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"
#include "cgroup.h"
#include "container.h"
#include "fail.h"
#include "launch.h"
#include "names.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_ROOT "/run/buildkit-runc"

const struct command commands[] = {
	{"create", "ID", "create a container; its program waits for start", COMMAND_CREATE, 1, 1, command_create},
	{"run", "ID", "create a container, start it and wait for its end", COMMAND_RUN, 1, 1, command_run},
	{"start", "ID", "start the program of a created container", COMMAND_START, 1, 1, command_start},
	{"state", "ID", "print the state of a container as JSON", COMMAND_STATE, 1, 1, command_state},
	{"kill", "ID [SIGNAL]", "send a signal to a container, SIGTERM by default", COMMAND_KILL, 1, 2, command_kill},
	{"delete", "ID", "remove a stopped container", COMMAND_DELETE, 1, 1, command_delete},
	{"exec", "ID [ARGS...]", "run another process in a running container", COMMAND_EXEC, 1, -1, command_exec},
	{"features", "", "print the supported features of the runtime specification as JSON", COMMAND_FEATURES, 0, 0,
	 command_features},
	{NULL},
};

static void append(struct plan_strings *s, const char *text)
{
	const char **list = reallocarray(s->list, s->n + 2, sizeof *list);
	if (list == NULL)
		fail(PHASE_PLAN, ENOMEM, "read options");
	list[s->n++] = text;
	list[s->n] = NULL;
	s->list = list;
}

static void set(struct command_options *o, const struct command_option *r, const char *value)
{
	void *at = (char *)o + r->offset;
	switch (r->kind) {
	case OPTION_TEXT:
		if (r->offset == SIZE_MAX)
			o->log_json = strcmp(value, "json") == 0;
		else
			*(const char **)at = value;
		break;
	case OPTION_LIST:
		append(at, value);
		break;
	case OPTION_FLAG:
		*(bool *)at = true;
		break;
	case OPTION_NUMBER:
		if (!names_number(value, 0, 1024, at))
			fail(PHASE_PLAN, 0, "--%s %s: not a number from 0 to 1024", r->name, value);
		break;
	case OPTION_HELP:
		o->help = true;
		break;
	case OPTION_REFUSED:
		fail(PHASE_PLAN, 0, "--%s is not supported", r->name);
	case OPTION_IGNORED:
	case OPTION_IGNORED_TEXT:
		break;
	}
}

static const struct command_option *find_option(const char *name, size_t n, char letter, unsigned command)
{
	for (const struct command_option *r = command_option_rows; r->name != NULL; r++) {
		if (command_option_of(r, command) &&
		    (letter != 0 ? r->letter == letter : strlen(r->name) == n && strncmp(r->name, name, n) == 0))
			return r;
	}
	return NULL;
}

/*
 * Reads options up to the first word that is not one; returns the number of words read. Forms: "--name=value", "--name
 * value", "-n value".
 */
static int read_options(struct command_options *o, unsigned command, int argc, char **argv)
{
	int i = 0;
	for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		const char *word = argv[i];
		if (strcmp(word, "--") == 0)
			return i + 1;
		bool is_long = word[1] == '-' || word[2] != '\0';
		const char *name = word + (word[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
		size_t n = equals != NULL ? (size_t)(equals - name) : strlen(name);
		const struct command_option *r = find_option(name, n, is_long ? 0 : word[1], command);
		if (r == NULL)
			fail(PHASE_PLAN, 0, "flag provided but not defined: %s", word);
		const char *value = equals != NULL ? equals + 1 : NULL;
		if (r->value != NULL && value == NULL) {
			if (++i == argc)
				fail(PHASE_PLAN, 0, "flag needs an argument: %s", word);
			value = argv[i];
		}
		set(o, r, value);
	}
	return i;
}

/* ---- errors */

static const struct command *current;
static struct command_options options;
static struct {
	struct container *container;
	const char *cgroup;
} undo;

void command_undo(struct container *c, const char *cgroup)
{
	undo.container = c;
	undo.cgroup = cgroup;
}

static void write_log(const char *text)
{
	if (options.log == NULL || options.log[0] == '\0')
		return;
	char when[40];
	struct tm utc;
	time_t now = time(NULL);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	auto_fd fd = open(options.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	json_t *line = json_pack("{s:s, s:s, s:s}", "level", "error", "msg", text, "time", when);
	char *json = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
	if (fd >= 0 && json != NULL && options.log_json)
		dprintf(fd, "%s\n", json);
	else if (fd >= 0)
		dprintf(fd, "time=\"%s\" level=error msg=\"%s\"\n", when, text);
	json_decref(line);
	free(json);
}

static void clean_up(void)
{
	launch_abort();
	if (undo.cgroup != NULL && undo.cgroup[0] != '\0') {
		struct cgroups all;
		cgroups_find(&all);
		for (int i = 0; i < 100 && cgroup_remove(&all, undo.cgroup) != 0; i++) {
			cgroup_signal(&all, undo.cgroup, SIGKILL);
			usleep(10000);
		}
	}
	if (undo.container != NULL)
		container_remove(undo.container);
}

static void say(const struct runner_report *r)
{
	char text[1536];
	fail_by(NULL);
	bool known = r->phase == PHASE_PLAN || r->phase == PHASE_PROGRAM || r->phase == PHASE_CWD;
	snprintf(text, sizeof text, "%s%s%s%s%s%s%s", current != NULL ? current->name : "",
		 current != NULL ? " failed: " : "", known ? "" : plan_phase_text(r->phase), known ? "" : ": ", r->text,
		 r->error != 0 ? ": " : "", r->error != 0 ? strerror(r->error) : "");
	dprintf(STDERR_FILENO, "buildkit-runc: %s\n", text);
	write_log(text);
	clean_up();
}

/* ---- main */

int command_main(int argc, char **argv)
{
	fail_by(say);
	options.root = DEFAULT_ROOT;
	int used = 1 + read_options(&options, 0, argc - 1, argv + 1);
	if (options.help)
		return command_help(stdout, NULL);
	if (used >= argc) {
		command_help(stderr, NULL);
		return 1;
	}
	bool asks_help = strcmp(argv[used], "help") == 0;
	if (asks_help && ++used >= argc)
		return command_help(stdout, NULL);
	for (current = commands; current->name != NULL && strcmp(current->name, argv[used]) != 0;)
		current++;
	if (current->name == NULL) {
		current = NULL;
		fail(PHASE_PLAN, 0, "no such command: %s", argv[used]);
	}
	if (asks_help)
		return command_help(stdout, current);
	used++;
	used += read_options(&options, current->bit, argc - used, argv + used);
	options.args = argv + used;
	options.n_args = argc - used;
	/* Options may also follow the ID, except for exec, where the rest is the command line of the process. */
	if (options.n_args > 0 && current->bit != COMMAND_EXEC) {
		int more = read_options(&options, current->bit, options.n_args - 1, options.args + 1);
		options.args[more] = options.args[0];
		options.args += more;
		options.n_args -= more;
	}
	if (options.help)
		return command_help(stdout, current);
	if (options.n_args < current->min_args || (current->max_args >= 0 && options.n_args > current->max_args))
		fail(PHASE_PLAN, 0, "usage: buildkit-runc %s [OPTIONS] %s", current->name, current->arguments);
	int code = current->run(&options);
	json_release();
	return code;
}
