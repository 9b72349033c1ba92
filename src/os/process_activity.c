/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process_activity.h"
#include "base/scope.h"
#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SAMPLES 12        /* per window */
#define BYTES_PER_TICK 64 /* equivalent of 10 ms of processor time */
#define FILE_BYTES 4096

struct activity {
	uint64_t amount;
	uint64_t members;
	bool on_disk; /* a process is waiting for a disk */
};

static bool read_small(int dir_fd, const char *name, char text[static FILE_BYTES])
{
	scoped_fd fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? TEMP_FAILURE_RETRY(read(fd, text, FILE_BYTES - 1)) : -1;
	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

static uint64_t field(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	return at ? g_ascii_strtoull(at + strlen(name), NULL, 10) : 0;
}

/* proc(5): the name in parentheses may contain anything; the needed fields come after it. */
static void add_process(int dir_fd, const char *pid, pid_t session, struct activity *a)
{
	char text[FILE_BYTES], state;
	int in_session;
	unsigned long in_user, in_kernel;
	unsigned long long started;
	if (!read_small(dir_fd, "stat", text))
		return;
	const char *rest = strrchr(text, ')');
	if (!rest ||
	    sscanf(rest + 1, " %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu", &state,
		   &in_session, &in_user, &in_kernel, &started) != 5 ||
	    in_session != session)
		return;
	a->on_disk = a->on_disk || state == 'D';
	a->members += started + g_ascii_strtoull(pid, NULL, 10);
	a->amount += (in_user + in_kernel) * BYTES_PER_TICK;
	if (read_small(dir_fd, "io", text))
		a->amount += field(text, "rchar: ") + field(text, "wchar: ");
}

static struct activity measure(pid_t session)
{
	struct activity a = {0};
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	while (proc && (entry = readdir(proc)) != NULL) {
		if (!g_ascii_isdigit(entry->d_name[0]))
			continue;
		scoped_fd fd = openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			add_process(fd, entry->d_name, session, &a);
	}
	if (proc)
		closedir(proc);
	return a;
}

void stall_watch_init(struct stall_watch *w, const struct stall_rule *rule, pid_t session)
{
	*w = (struct stall_watch){.rule = *rule, .session = session};
	w->begun_us = w->measured_us = g_get_monotonic_time();
}

int stall_watch_interval_ms(const struct stall_watch *w)
{
	return w->rule.bytes > 0 ? (int)MAX(w->rule.window_ms / SAMPLES, 1) : -1;
}

bool stall_watch_check(struct stall_watch *w)
{
	int64_t now_us = g_get_monotonic_time();
	if (w->rule.bytes == 0 || now_us - w->measured_us < stall_watch_interval_ms(w) * INT64_C(1000))
		return false;
	w->measured_us = now_us;
	struct activity a = measure(w->session);
	/* Without any visible process nothing can be concluded. */
	if (a.members == 0 || a.on_disk || a.members != w->members || a.amount - w->begun_with >= w->rule.bytes) {
		w->begun_us = g_get_monotonic_time();
		w->begun_with = a.amount;
		w->members = a.members;
	}
	return now_us - w->begun_us >= w->rule.window_ms * 1000;
}
