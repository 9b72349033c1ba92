/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"
#include "fail.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PASSWD_BYTES (10u << 20)

static void make_directories(const char *path)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	if (n >= sizeof part)
		return;
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		mkdir(part, 0755);
	}
}

bool program_enter_cwd(const struct plan *p, bool last_try)
{
	char where[PATH_MAX];
	if (chdir(p->cwd) != 0 && errno == ENOENT)
		make_directories(p->cwd);
	if (chdir(p->cwd) != 0) {
		if (!last_try && (errno == EACCES || errno == EPERM))
			return false;
		fail(PHASE_CWD, errno, "chdir to cwd (\"%s\")", p->cwd);
	}
	/* Uses the system call: for a directory outside the root it returns a name that begins with "(unreachable)". */
	long n = syscall(SYS_getcwd, where, sizeof where);
	if (n < 0 || where[0] != '/')
		fail(PHASE_CWD, n < 0 ? errno : 0,
		     "current working directory is outside of the container mount namespace root");
	return true;
}

static const char *env_value(const struct plan *p, const char *name)
{
	size_t n = strlen(name);
	for (uint32_t i = 0; i < p->env.n; i++)
		if (strncmp(p->env.list[i], name, n) == 0 && p->env.list[i][n] == '=')
			return p->env.list[i] + n + 1;
	return NULL;
}

/* Returns 0, or an errno value if this is not an executable file. */
static int check_program(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
		return errno == EPERM || errno == EACCES ? EACCES : errno;
	return (st.st_mode & 0111) != 0 ? 0 : EACCES;
}

const char *program_find(const struct plan *p, char *path, size_t size)
{
	const char *name = p->args.list[0];
	if (strchr(name, '/') != NULL) {
		int error = check_program(name);
		if (error == ENOENT || error == ENOTDIR)
			fail(PHASE_PROGRAM, error, "exec: \"%s\": stat %s", name, name);
		if (error != 0)
			fail(PHASE_PROGRAM, error, "exec: \"%s\"", name);
		return name;
	}
	const char *at = env_value(p, "PATH");
	for (at = at != NULL ? at : ""; *name != '\0'; at += *at == ':') {
		size_t n = strcspn(at, ":");
		int length = snprintf(path, size, "%.*s/%s", n > 0 ? (int)n : 1, n > 0 ? at : ".", name);
		if (length > 0 && (size_t)length < size && check_program(path) == 0)
			return path;
		at += n;
		if (*at == '\0')
			break;
	}
	fail(PHASE_PROGRAM, 0, "exec: \"%s\": executable file not found in $PATH", name);
}

void program_exec(const struct plan *p, const char *path)
{
	execve(path, (char *const *)(uintptr_t)p->args.list, (char *const *)(uintptr_t)p->env.list);
	fail(PHASE_PROGRAM, errno, "exec %s", path);
}

/* Returns field i of a line that is separated by colons. */
static const char *field(const char *line, unsigned i, size_t *ret_n)
{
	for (; i > 0; i--) {
		line += strcspn(line, ":");
		line += *line == ':';
	}
	*ret_n = strcspn(line, ":");
	return line;
}

/*
 * Reads one line without its newline, cut to size; false at the end of the file or after a maximum number of bytes.
 * Does not allocate.
 */
struct lines {
	int fd;
	size_t at, n, taken;
	char block[16384];
};

static bool next_line(struct lines *l, char *line, size_t size)
{
	size_t used = 0;
	for (;;) {
		if (l->at == l->n) {
			ssize_t n = l->taken < PASSWD_BYTES ? read(l->fd, l->block, sizeof l->block) : 0;
			l->at = 0;
			l->n = n > 0 ? (size_t)n : 0;
			l->taken += l->n;
			if (l->n == 0)
				break;
		}
		char c = l->block[l->at++];
		if (c == '\n')
			break;
		if (used < size - 1)
			line[used++] = c;
	}
	line[used] = '\0';
	return used > 0 || l->n > 0;
}

static bool find_home(uint32_t uid, char *text, size_t size)
{
	static struct lines lines;
	static char line[8192];
	auto_fd fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	bool found = false;
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	lines = (struct lines){.fd = fd};
	while (!found && next_line(&lines, line, sizeof line)) {
		size_t n;
		char *end;
		const char *id = field(line, 2, &n);
		if (n == 0 || strtoull(id, &end, 10) != uid || end != id + n)
			continue;
		const char *home = field(line, 5, &n);
		found = n > 0;
		snprintf(text, size, "HOME=%.*s", (int)n, home);
	}
	return found;
}

void program_set_home(struct plan *p, const char **env, char *text, size_t size)
{
	const char *given = env_value(p, "HOME");
	if (given != NULL && *given != '\0')
		return;
	if (!find_home(p->uid, text, size))
		snprintf(text, size, "HOME=/");
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->env.n; i++)
		if (strncmp(p->env.list[i], "HOME=", 5) != 0)
			env[n++] = p->env.list[i];
	env[n++] = text;
	env[n] = NULL;
	p->env = (struct plan_strings){env, n};
}
