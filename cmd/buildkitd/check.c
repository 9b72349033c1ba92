/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "base/log.h"
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum check_status check_program(const char *name, const char *package, enum check_status otherwise, GString *found,
				GString *fix)
{
	g_autofree char *path = g_find_program_in_path(name);
	if (path) {
		g_string_append(found, path);
		return CHECK_OK;
	}
	g_string_append_printf(found, "%s is not in PATH", name);
	g_string_append_printf(fix, "install the package %s", package);
	return otherwise;
}

int64_t check_number(const char *path, int64_t otherwise)
{
	g_autofree char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoll(text, NULL, 10) : otherwise;
}

/* ---- output */

/* Texts of the system and of files are shown on one line. */
static void print(enum check_status status, const char *name, const char *found, const char *fix)
{
	static const char *const words[] = {"ok", "note", "missing"};
	g_autofree char *line =
		g_strdup_printf("%-8s %-16s %s%s%s", words[status], name, found, *fix != '\0' ? "; fix: " : "", fix);
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = ' ';
	puts(g_strchomp(line));
	fflush(stdout);
}

static bool run_all(const struct check *checks, const struct config *config)
{
	bool complete = true;
	for (const struct check *c = checks; c->name; c++) {
		g_autoptr(GString) found = g_string_new(NULL), fix = g_string_new(NULL);
		enum check_status status = c->run(config, found, fix);
		print(status, c->name, found->str, fix->str);
		complete &= status != CHECK_MISSING;
	}
	return complete;
}

static bool print_config(const struct config *config, const GError *problem)
{
	bool exists = config->path && access(config->path, F_OK) == 0;
	g_autofree char *none = g_strdup_printf("%s does not exist: the defaults are used", config->path);
	if (problem) {
		print(CHECK_MISSING, "config", problem->message, "correct the option or the file");
		return false;
	}
	print(CHECK_OK, "config", exists ? config->path : none, "");
	for (guint i = 0; i < config->warnings->len; i++)
		print(CHECK_NOTE, "config", config->warnings->pdata[i], "");
	for (guint i = 0; i < config->inactive->len; i++) {
		g_autofree char *text = g_strdup_printf("%s has no effect yet", (char *)config->inactive->pdata[i]);
		print(CHECK_NOTE, "config", text, "");
	}
	return true;
}

/* ---- rootless mode */

/* Replaces the process by this program under rootlesskit, as root of a user namespace. Returns on failure. */
static void continue_under_rootlesskit(int argc, char **argv)
{
	g_autoptr(GPtrArray) args = g_ptr_array_new();
	/* By the name it was started with: buildkit-runc is looked for in that directory. */
	const char *started = (const char *)getauxval(AT_EXECFN);
	g_autofree char *self = started && strchr(started, '/') ? g_canonicalize_filename(started, NULL)
								: g_file_read_link("/proc/self/exe", NULL);
	g_ptr_array_add(args, (void *)(gsize) "rootlesskit");
	g_ptr_array_add(args, (void *)(gsize) "--net=host");
	g_ptr_array_add(args, self);
	for (int i = 1; i < argc; i++)
		g_ptr_array_add(args, argv[i]);
	g_ptr_array_add(args, NULL);
	execvp("rootlesskit", (char **)args->pdata);
	print(CHECK_MISSING, "rootlesskit", g_strerror(errno), "");
}

int check_run(const struct config *config, int argc, char **argv, const GError *problem)
{
	/* Only errors are shown: the checks say what they found. */
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	if (geteuid() != 0) {
		if (!run_all(check_user, config))
			return 1;
		continue_under_rootlesskit(argc, argv);
		return 1;
	}
	bool complete = print_config(config, problem);
	return run_all(check_daemon, config) && complete ? 0 : 1;
}
