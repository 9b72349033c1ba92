/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_process.h"
#include "base/scope.h"
#include "os/dirlist.h"
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TASKS "/proc/self/task"

static char *read_file(const char *tid, const char *name)
{
	g_autofree char *path = g_build_filename(TASKS, tid, name, NULL);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

/* The fields after the name in /proc/PID/stat, which may contain spaces and parentheses (proc(5)). */
static char **stat_fields(const char *stat)
{
	const char *end = strrchr(stat, ')');
	return g_strsplit(end && end[1] ? end + 2 : "", " ", -1);
}

#define STAT_STATE 0
#define STAT_UTIME 11
#define STAT_STIME 12

static void add_thread(GString *out, const char *tid)
{
	g_autofree char *name = read_file(tid, "comm"), *stat = read_file(tid, "stat"), *wait = read_file(tid, "wchan"),
			*call = read_file(tid, "syscall"), *stack = read_file(tid, "stack");
	if (!name || !stat) /* it has ended */
		return;
	g_auto(GStrv) fields = stat_fields(stat);
	guint n = g_strv_length(fields);
	g_string_append_printf(out, "%s %s\n", tid, name);
	if (n > STAT_STIME)
		g_string_append_printf(
			out, "    state %s, CPU time %.2f s user, %.2f s system\n", fields[STAT_STATE],
			(double)g_ascii_strtoull(fields[STAT_UTIME], NULL, 10) / (double)sysconf(_SC_CLK_TCK),
			(double)g_ascii_strtoull(fields[STAT_STIME], NULL, 10) / (double)sysconf(_SC_CLK_TCK));
	if (call && *call)
		g_string_append_printf(out, "    system call (number, arguments, stack pointer, program counter): %s\n",
				       call);
	if (wait && *wait && strcmp(wait, "0") != 0)
		g_string_append_printf(out, "    waits in %s\n", wait);
	g_auto(GStrv) frames = g_strsplit(stack ? stack : "", "\n", -1);
	for (char **frame = frames; *frame; frame++)
		if (**frame)
			g_string_append_printf(out, "        %s\n", *frame);
}

void debug_process_threads(GString *out)
{
	scoped_dirlist list = {0};
	if (!dirlist_read_at(&list, AT_FDCWD, TASKS, NULL))
		return;
	for (size_t i = 0; i < list.n; i++)
		add_thread(out, dirlist_name(&list, i));
}

void debug_process_memory(GString *out)
{
	struct mallinfo2 m = mallinfo2();
	g_autofree char *rollup = NULL;
	g_string_append_printf(out,
			       "malloc, main arena and mappings, bytes (mallinfo2):\n"
			       "in_use %zu\nfree %zu\nfree_at_top %zu\narena %zu\nmapped %zu\nmapped_regions %zu\n",
			       m.uordblks, m.fordblks, m.keepcost, m.arena, m.hblkhd, m.hblks);
	if (g_file_get_contents("/proc/self/smaps_rollup", &rollup, NULL, NULL))
		g_string_append_printf(out, "\nall mappings (smaps_rollup):\n%s", rollup);
}

void debug_process_files(GString *out)
{
	scoped_dirlist list = {0};
	if (!dirlist_read_at(&list, AT_FDCWD, "/proc/self/fd", NULL))
		return;
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		g_autofree char *path = g_build_filename("/proc/self/fd", name, NULL);
		char target[PATH_MAX];
		ssize_t n = readlink(path, target, sizeof target - 1);
		int flags = fcntl((int)g_ascii_strtoll(name, NULL, 10), F_GETFD);
		if (n < 0 || flags < 0) /* closed meanwhile, or that of this list */
			continue;
		target[n] = '\0';
		g_string_append_printf(out, "%s %s%s\n", name, target,
				       flags & FD_CLOEXEC ? "" : " (inherited by processes)");
	}
}
