/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the command line, and the help that is printed from them. */
#include "command.h"
#include <string.h>

#define AT(member) offsetof(struct command_options, member)
const struct command_option command_option_rows[] = {
	{"root", 0, OPTION_TEXT, 0, AT(root), "DIR",
	 "directory with the state of containers (default: /run/buildkit-runc)"},
	{"log", 0, OPTION_TEXT, 0, AT(log), "FILE", "file to which errors are appended"},
	{"log-format", 0, OPTION_TEXT, 0, SIZE_MAX, "FORMAT", "format of the log file: text or json (default: text)"},
	{"debug", 0, OPTION_IGNORED, 0, 0, NULL, "ignored; accepted for compatibility with runc"},
	{"rootless", 0, OPTION_IGNORED_TEXT, 0, 0, "MODE", "ignored; accepted for compatibility with runc"},
	{"criu", 0, OPTION_IGNORED_TEXT, 0, 0, "PATH", "ignored; accepted for compatibility with runc"},
	{"systemd-cgroup", 0, OPTION_REFUSED, 0, 0, NULL, "not supported: cgroups are created without systemd"},
	{"help", 'h', OPTION_HELP, 0, 0, NULL, "show help"},
	{"bundle", 'b', OPTION_TEXT, COMMAND_CREATE | COMMAND_RUN, AT(bundle), "DIR",
	 "bundle directory with config.json (default: the working directory)"},
	{"console-socket", 0, OPTION_TEXT, COMMAND_CREATE | COMMAND_RUN | COMMAND_EXEC, AT(console_socket), "SOCKET",
	 "unix socket that receives the descriptor of the terminal"},
	{"pid-file", 0, OPTION_TEXT, COMMAND_CREATE | COMMAND_RUN | COMMAND_EXEC, AT(pid_file), "FILE",
	 "file to which the process id is written"},
	{"preserve-fds", 0, OPTION_NUMBER, COMMAND_CREATE | COMMAND_RUN | COMMAND_EXEC, AT(preserve), "N",
	 "number of further descriptors, from 3 upwards, that the program inherits"},
	{"no-new-keyring", 0, OPTION_FLAG, COMMAND_CREATE | COMMAND_RUN, AT(no_keyring), NULL,
	 "keep the session keyring of the caller"},
	{"no-pivot", 0, OPTION_REFUSED, COMMAND_CREATE | COMMAND_RUN, 0, NULL,
	 "not supported: the root is always changed with pivot_root"},
	{"no-subreaper", 0, OPTION_IGNORED, COMMAND_RUN | COMMAND_EXEC, 0, NULL,
	 "ignored; accepted for compatibility with runc"},
	{"detach", 'd', OPTION_FLAG, COMMAND_RUN | COMMAND_EXEC, AT(detach), NULL,
	 "return when the process is running"},
	{"keep", 0, OPTION_FLAG, COMMAND_RUN, AT(keep), NULL, "keep the container after it exits"},
	{"all", 'a', OPTION_FLAG, COMMAND_KILL, AT(all), NULL, "send the signal to all processes of the container"},
	{"force", 'f', OPTION_FLAG, COMMAND_DELETE, AT(force), NULL, "kill a container that is running"},
	{"process", 'p', OPTION_TEXT, COMMAND_EXEC, AT(process), "FILE",
	 "file with the process object of the runtime specification"},
	{"tty", 't', OPTION_FLAG, COMMAND_EXEC, AT(tty), NULL, "allocate a terminal"},
	{"cwd", 0, OPTION_TEXT, COMMAND_EXEC, AT(cwd), "DIR", "working directory"},
	{"user", 'u', OPTION_TEXT, COMMAND_EXEC, AT(user), "UID[:GID]", "user and group id"},
	{"env", 'e', OPTION_LIST, COMMAND_EXEC, AT(env), "NAME=VALUE", "environment variable; may be repeated"},
	{"cap", 'c', OPTION_LIST, COMMAND_EXEC, AT(caps), "CAP", "capability to add; may be repeated"},
	{"no-new-privs", 0, OPTION_FLAG, COMMAND_EXEC, AT(no_new_privs), NULL, "forbid gaining privileges by exec"},
	{"ignore-paused", 0, OPTION_IGNORED, COMMAND_EXEC, 0, NULL, "ignored; accepted for compatibility with runc"},
	{"help", 'h', OPTION_HELP, ~0u, 0, NULL, "show help"},
	{NULL},
};
#undef AT

bool command_option_of(const struct command_option *option, unsigned command)
{
	return command == 0 ? option->commands == 0 : (option->commands & command) != 0;
}

static void print_options(FILE *to, unsigned command)
{
	fprintf(to, "\nOptions:\n");
	for (const struct command_option *o = command_option_rows; o->name != NULL; o++) {
		if (!command_option_of(o, command))
			continue;
		const char letter[] = {',', ' ', '-', o->letter, '\0'};
		char term[64];
		snprintf(term, sizeof term, "--%s%s%s%s", o->name, o->letter != 0 ? letter : "",
			 o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
		fprintf(to, "  %-26s %s\n", term, o->help);
	}
}

int command_help(FILE *to, const struct command *command)
{
	if (command != NULL) {
		fprintf(to, "usage: buildkit-runc [GLOBAL OPTIONS] %s [OPTIONS] %s\n\n%s\n", command->name,
			command->arguments, command->help);
		print_options(to, command->bit);
		return 0;
	}
	fprintf(to, "usage: buildkit-runc [OPTIONS] COMMAND\n\nOCI runtime of buildkitd.\n\nCommands:\n");
	for (const struct command *c = commands; c->name != NULL; c++)
		fprintf(to, "  %-9s %-13s %s\n", c->name, c->arguments, c->help);
	fprintf(to, "  %-9s %-13s %s\n", "help", "[COMMAND]", "show help");
	print_options(to, 0);
	return 0;
}
