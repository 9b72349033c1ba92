/* SPDX-License-Identifier: Apache-2.0 */
#include "step.h"
#include "console.h"
#include "fail.h"
#include "identity.h"
#include "inroot.h"
#include "namespaces.h"
#include "program.h"
#include "sys.h"
#include "tree.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define MAX_ENV 65537

/* ---- parent process */

/* The signal is sent when the parent dies. If the parent was dead before, its end of the pipe is closed. */
static void die_with_parent(const struct plan *p, const struct step_place *place)
{
	struct pollfd life = {.fd = place->life_fd};
	if (p->death_signal == 0)
		return;
	if (prctl(PR_SET_PDEATHSIG, (unsigned long)p->death_signal, 0, 0, 0) != 0)
		fail(PHASE_NAMESPACE, errno, "set the parent death signal");
	if (place->life_fd >= 0 && poll(&life, 1, 0) == 1)
		_exit(1);
}

/*
 * A joined pid namespace applies to children only. Without a pid namespace, the process that waits is the subreaper of
 * the step. Either the child replaces this process as the parent's child, or
 * this process waits outside the namespace and exits like the child. The child is killed when this process dies.
 */
static void fork_and_wait(struct plan *p, const struct step_place *place)
{
	int pidfd = -1, status, ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		fail(PHASE_CLONE, errno, "pipe");
	pid_t pid = sys_clone(place->replaces ? CLONE_PARENT : 0, -1, &pidfd);
	if (pid < 0)
		fail(PHASE_CLONE, errno, "clone into the pid namespace");
	if (pid == 0 && place->replaces)
		return;
	if (pid == 0) {
		struct pollfd life = {.fd = ends[0]};
		close(ends[1]);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || poll(&life, 1, 0) == 1)
			_exit(1);
		close(ends[0]);
		p->death_signal = SIGKILL;
		return;
	}
	if (place->socket_fd >= 0)
		report_send(place->socket_fd, &(struct runner_report){.kind = RUNNER_PROCESS, .status = pid}, pidfd);
	if (place->replaces)
		_exit(0);
	/* Only the end of the pipe stays open: the streams of the child are closed when the child closes them. */
	if (dup2(ends[1], 0) < 0 || sys_close_range(1, ~0u) != 0)
		fail(PHASE_SYSTEM, errno, "close descriptors");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFSIGNALED(status)) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ---- descriptors */

static bool is_null_device(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* Earlier processes of the step may have replaced /dev/null, by a link to a descriptor of this process, for example. */
static int open_null(void)
{
	auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd null = root < 0 ? -1 : inroot_open(root, "/dev/null", O_RDWR | O_NONBLOCK | O_NOCTTY);
	int result = null >= 0 && is_null_device(null) ? null : -1;
	if (result >= 0)
		null = -1;
	return result;
}

static void take_stdio(const struct plan *p, const int *fds)
{
	for (int i = 0; i < 3; i++) {
		int null = -1, from = p->stdio[i] != PLAN_NO_FD ? fds[p->stdio[i]] : (null = open_null());
		/* A step without /dev/null keeps the runner's, which is a null device too. */
		if (from >= 0 && from != i && dup2(from, i) < 0)
			fail(PHASE_SYSTEM, errno, "set standard descriptor %d", i);
		if (from == i && fcntl(i, F_SETFD, 0) != 0)
			fail(PHASE_SYSTEM, errno, "clear close-on-exec of standard descriptor %d", i);
		if (null > 2)
			close(null);
	}
}

/* Changes the owner so that the user can open /dev/stdout again. /dev/null keeps its owner. */
static void own_stdio(const struct plan *p)
{
	for (int i = 0; i < 3; i++) {
		struct stat st;
		if (is_null_device(i) || fstat(i, &st) != 0 || st.st_uid == p->uid)
			continue;
		if (fchown(i, p->uid, st.st_gid) != 0 && errno != EPERM && errno != EINVAL && errno != EROFS)
			fail(PHASE_USER, errno, "change the owner of standard descriptor %d to %u", i, p->uid);
	}
}

/*
 * Closes what the program and its paths must not reach: with a directory of the runner still open, a working directory
 * such as /proc/self/fd/N/x would be created outside of the root.
 */
static void close_descriptors(const struct plan *p, const struct step_place *place)
{
	unsigned from = 3 + p->preserve;
	for (;;) {
		const int kept[] = {place->socket_fd, place->life_fd, place->gate_fd};
		unsigned next = ~0u;
		for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
			if (kept[i] >= 0 && (unsigned)kept[i] >= from && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		int r = next != from ? sys_close_range(from, next == ~0u ? next : next - 1) : 0;
		if (r != 0)
			fail(PHASE_SYSTEM, -r, "close descriptors");
		if (next == ~0u)
			return;
		from = next + 1;
	}
}

/* Of what was opened since close_descriptors, each is close-on-exec already: this is for what a later change forgets. */
static void close_on_exec(const struct plan *p, const struct step_place *place)
{
	enum { OPENED_SINCE = 16 };
	unsigned from = 3 + p->preserve, last = from;
	const int kept[] = {place->socket_fd, place->life_fd, place->gate_fd};
	if (!sys_is_old()) {
		if (syscall(SYS_close_range, from, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
			fail(PHASE_SYSTEM, errno, "close descriptors");
		return;
	}
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (kept[i] > (int)last)
			last = (unsigned)kept[i];
	/* A new descriptor has the lowest free number. */
	for (unsigned fd = from; fd <= last + OPENED_SINCE; fd++)
		if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0 && errno != EBADF)
			fail(PHASE_SYSTEM, errno, "close descriptors");
}

/* Resets signals that the parent or runtime ignores. The system call is used because libc reserves two signals. */
static void reset_signals(void)
{
	static const unsigned long defaults[8]; /* the kernel's struct sigaction: SIG_DFL, no flags, empty mask */
	for (int signal = 1; signal <= 64; signal++)
		syscall(SYS_rt_sigaction, signal, defaults, NULL, 8UL); /* fails for SIGKILL and SIGSTOP */
}

/* ---- order of the set-up */

static void join_and_make_namespaces(struct plan *p, const int *fds, const struct step_place *place)
{
	uint64_t later = p->namespaces & ~place->made;
	if (namespaces_join(p, fds))
		fork_and_wait(p, place);
	if (later != 0 && unshare((int)later) != 0)
		fail(PHASE_NAMESPACE, errno, "unshare %#llx", (unsigned long long)later);
	namespaces_set_up(p, p->namespaces);
	/* Last: further processes join the namespaces of the process that waits. */
	if (place->supervise) {
		if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
			fail(PHASE_NAMESPACE, errno, "become a subreaper");
		fork_and_wait(p, place);
	}
}

static void limit(const struct plan *p, const struct step_place *place)
{
	const char *what = "";
	if (place->cgroup == NULL || place->limited)
		return;
	int r = cgroup_limit(place->cgroup, &p->resources, &what);
	if (r != 0)
		fail(PHASE_CGROUP, -r, "set %s", what);
	if (p->resources.n_devices == 0)
		return;
	r = cgroup_filter_devices(place->cgroup, p->resources.devices, p->resources.n_devices);
	if (r != 0)
		fail(PHASE_CGROUP, -r, "filter devices");
}

static void open_console(struct tree *t, const struct plan *p, const struct step_place *place, struct console *c)
{
	auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int devpts = t->devpts_fd >= 0 ? t->devpts_fd : inroot_open(root, "/dev/pts", O_PATH | O_DIRECTORY);
	*c = console_open(devpts, p);
	if (t->dev_fd >= 0)
		console_bind(c, t->dev_fd);
	if (place->socket_fd < 0 ||
	    !report_send(place->socket_fd, &(struct runner_report){.kind = RUNNER_CONSOLE}, c->master))
		fail(PHASE_CONSOLE, errno, "send the console");
}

static void build_tree(struct plan *p, const int *fds, const struct step_place *place, struct console *c)
{
	struct tree t;
	tree_init(&t);
	t.staging = place->staging;
	t.chroot_fd = place->chroot_fd;
	t.cgroup_root = place->cgroup_root;
	t.fds = fds;
	t.cgroup = place->cgroup;
	t.cgroup_namespace = (p->namespaces & CLONE_NEWCGROUP) != 0;
	t.device_source = place->device_source;
	if (p->root_fd != PLAN_NO_FD) {
		t.root_fd = fds[p->root_fd];
		tree_build(&t, p);
	}
	int proc = tree_proc(&t);
	namespaces_sysctls(p, proc);
	identity_oom_score(p, proc);
	identity_labels(p, proc);
	if (p->terminal != 0)
		open_console(&t, p, place, c);
	if (p->root_fd != PLAN_NO_FD) {
		tree_mask(&t, p);
		tree_enter(&t, p);
	}
}

static _Noreturn void become(struct plan *p, const int *fds, const struct step_place *place, struct console *c)
{
	static const char *env[MAX_ENV + 1];
	static char home[4096 + 8], path[PATH_MAX];
	if (p->terminal != 0)
		console_take(c);
	else
		take_stdio(p, fds);
	close_descriptors(p, place);
	if (p->env.n < MAX_ENV - 1)
		program_set_home(p, env, home, sizeof home);
	own_stdio(p);
	identity_limits(p);
	if (p->umask != UINT32_MAX)
		umask((mode_t)p->umask);
	bool there = program_enter_cwd(p, false);
	identity_user(p);
	die_with_parent(p, place); /* changing the user id clears the setting */
	if (!there)
		program_enter_cwd(p, true);
	const char *program = program_find(p, path, sizeof path);
	if (place->before_exec != NULL)
		place->before_exec(place->data);
	close_on_exec(p, place);
	identity_finish(p);
	program_exec(p, program);
}

void step_run(struct plan *p, const int *fds, const struct step_place *place)
{
	struct console c = {-1, -1};
	die_with_parent(p, place);
	join_and_make_namespaces(p, fds, place);
	setsid();
	reset_signals();
	identity_keyring(p);
	limit(p, place);
	build_tree(p, fds, place, &c);
	become(p, fds, place, &c);
}
