/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"
#include "fail.h"
#include "namespaces.h"
#include "step.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Namespaces that clone creates. The cgroup namespace is created later, when the process is in its cgroup. */
#define CLONED (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWUSER)

/* ---- in the child */

struct gate {
	int socket_fd, fd;
};

static void wait_at_gate(void *data)
{
	const struct gate *g = data;
	char byte;
	report_send(g->socket_fd, &(struct runner_report){.kind = RUNNER_READY}, -1);
	while (g->fd >= 0 && read(g->fd, &byte, 1) < 0 && errno == EINTR)
		continue;
	/* The socket's peer is gone: further errors go to the process's stderr. */
	if (g->fd >= 0)
		fail_to(-1);
}

static int device_of_host(const char *path)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static _Noreturn void be_child(struct launch *l, int socket_fd)
{
	struct gate gate = {socket_fd, l->gate_fd};
	char byte;
	sigset_t none;
	fail_to(socket_fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(socket_fd, &byte, 1) != 1)
		_exit(1);
	if ((l->plan->namespaces & CLONE_NEWUSER) != 0)
		namespaces_become_root();
	/* The child has a copy of the host's mounts: make it private, so that changes do not propagate to the host. */
	int chroot_fd = (l->plan->namespaces & CLONE_NEWNS) != 0 ? namespaces_detach_mounts(MS_SLAVE) : -1;
	if (sys_is_old() && l->open_mounts != NULL)
		l->open_mounts(l->data);
	const struct step_place place = {
		.made = CLONED,
		.chroot_fd = chroot_fd,
		.staging = l->staging,
		.cgroup_root = "/sys/fs/cgroup",
		.cgroup = l->cgroup,
		.limited = true,
		.replaces = true,
		.life_fd = -1,
		.socket_fd = socket_fd,
		.gate_fd = l->gate_fd,
		.before_exec = wait_at_gate,
		.data = &gate,
		.device_source = device_of_host,
	};
	step_run(l->plan, l->fds, &place);
}

/* ---- in the parent */

static pid_t child;

void launch_abort(void)
{
	if (child <= 0)
		return;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	child = 0;
}

static void set_up_cgroup(const struct launch *l, pid_t pid, bool born)
{
	const char *what = "";
	int r = cgroup_join(l->cgroup, (int)pid, born);
	if (r != 0)
		fail(PHASE_CGROUP, -r, "join %s", l->cgroup->path);
	if (!l->limit)
		return;
	r = cgroup_limit(l->cgroup, &l->plan->resources, &what);
	if (r != 0)
		fail(PHASE_CGROUP, -r, "set %s", what);
	r = cgroup_filter_devices(l->cgroup, l->plan->resources.devices, l->plan->resources.n_devices);
	if (r != 0)
		fail(PHASE_CGROUP, -r, "filter devices");
}

/* Reads reports until the process is ready for exec or, without a gate, until exec closes the socket. */
static void follow(struct launch *l, int socket_fd, pid_t pid)
{
	for (;;) {
		struct runner_report report;
		size_t n = 0;
		int fd = -1;
		ssize_t got = sys_receive(socket_fd, &report, sizeof report, &fd, 1, &n, MSG_WAITALL);
		if (got == 0 && l->gate_fd < 0)
			return; /* closed by exec */
		if (got != sizeof report)
			fail(PHASE_CLONE, got < 0 ? (int)-got : 0, "the container process ended before it was ready");
		if (report.kind == RUNNER_FAILED)
			fail(report.phase, report.error, "%s", report.text);
		if (report.kind == RUNNER_CONSOLE)
			l->console_fd = fd;
		if (report.kind == RUNNER_PROCESS) {
			waitpid(pid, NULL, 0);
			l->inner = child = report.status;
			sys_close(&fd);
		}
		if (report.kind == RUNNER_READY && l->gate_fd >= 0)
			return;
	}
}

pid_t launch(struct launch *l)
{
	int ends[2], pidfd = -1, born = l->cgroup != NULL ? cgroup_unified_fd(l->cgroup) : -1;
	l->console_fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		fail(PHASE_CLONE, errno, "socketpair");
	pid_t pid = sys_clone(l->plan->namespaces & CLONED, born, &pidfd);
	if (pid < 0 && born >= 0) {
		born = -1;
		pid = sys_clone(l->plan->namespaces & CLONED, -1, &pidfd);
	}
	if (pid == 0) {
		close(ends[0]);
		be_child(l, ends[1]);
	}
	if (pid < 0)
		fail(PHASE_CLONE, errno, "clone");
	close(ends[1]);
	sys_close(&pidfd);
	l->inner = child = pid;
	int r = namespaces_map(pid, l->plan);
	if (r != 0)
		fail(PHASE_NAMESPACE, -r, "map ids");
	if (l->cgroup != NULL)
		set_up_cgroup(l, pid, born >= 0);
	if (write(ends[0], "", 1) != 1)
		fail(PHASE_CLONE, errno, "start the container process");
	follow(l, ends[0], pid);
	close(ends[0]);
	return l->inner;
}
