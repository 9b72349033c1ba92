/* SPDX-License-Identifier: Apache-2.0 */
#include "serve.h"
#include "cgroup.h"
#include "fail.h"
#include "runner/plan.h"
#include "step.h"
#include "sys.h"
#include "runner_root.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MAX_STEPS 4096
#define RETRY_MS 10
#define END_TRIES 1500
#define END_PAUSE_US 1000
#define STRAY_TRIES 1000
#define RETRIES 500 /* attempts to remove a cgroup while its processes exit */

/* Namespaces that can be created by clone; the step unshares the others. */
#define CLONED (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

struct served {
	pid_t pid;     /* 0: has exited, its cgroup is still to be removed when the daemon has closed its end */
	int pidfd;     /* owned */
	int socket_fd; /* owned; copy of the step's end; POLLHUP when the daemon has closed its end */
	int retries;
	bool killed;
	bool joins;  /* a further process of a step: the cgroup is removed with the step */
	bool leaves; /* without a pid namespace: what it leaves is killed when it has ended */
	char cgroup[256];
};
static struct server {
	int control_fd;
	int life_fds[2]; /* steps detect the end of this process by it */
	int null_fd;     /* the streams of a step without /dev/null; a copy of the daemon's would show its log */
	const char *instance, *parent;
	struct cgroups cgroups;
	struct served *steps; /* owned */
	size_t n, room;
	uint64_t serial;
} server;

/* ---- in the step: receiving the plan */

static void receive_fds(int socket_fd, int *fds, size_t n_fds, size_t got)
{
	while (got < n_fds) {
		char byte;
		size_t more;
		ssize_t n =
			sys_receive(socket_fd, &byte, 1, fds + got,
				    n_fds - got < RUNNER_FDS_A_MESSAGE ? n_fds - got : RUNNER_FDS_A_MESSAGE, &more, 0);
		if (n != 1 || more == 0)
			fail(PHASE_PLAN, n < 0 ? (int)-n : EBADMSG, "receive descriptors");
		got += more;
	}
}

static void read_all(int fd, char *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = read(fd, bytes + done, n - done);
		if (r <= 0 && (r == 0 || errno != EINTR))
			fail(PHASE_PLAN, r < 0 ? errno : EBADMSG, "receive the plan");
		done += r > 0 ? (size_t)r : 0;
	}
}

static void receive_plan(int socket_fd, struct plan *ret_plan, int *fds)
{
	struct runner_header header;
	size_t got;
	ssize_t n = sys_receive(socket_fd, &header, sizeof header, fds, RUNNER_FDS_A_MESSAGE, &got, 0);
	if (n == 0)
		_exit(0); /* the daemon has no plan for this process */
	if (n != sizeof header || header.magic != RUNNER_MAGIC || header.n_fds > PLAN_MAX_FDS ||
	    header.n_bytes > PLAN_MAX_BYTES || got > header.n_fds)
		fail(PHASE_PLAN, n < 0 ? (int)-n : EBADMSG, "receive a plan's header");
	receive_fds(socket_fd, fds, header.n_fds, got);
	size_t n_arena = plan_arena_size(header.n_bytes);
	char *memory =
		mmap(NULL, header.n_bytes + n_arena + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail(PHASE_PLAN, errno, "allocate a plan of %u bytes", header.n_bytes);
	read_all(socket_fd, memory + n_arena, header.n_bytes);
	int r = plan_decode(memory + n_arena, header.n_bytes, memory, n_arena, header.n_fds, ret_plan);
	if (r != 0)
		fail(PHASE_PLAN, -r, "read the plan");
}

static void tell_ready(void *data)
{
	const int *socket_fd = data;
	report_send(*socket_fd, &(struct runner_report){.kind = RUNNER_READY}, -1);
}

static _Noreturn void be_step(struct cgroup *cgroup, int socket_fd, bool born, bool joins, uint64_t made)
{
	static int fds[PLAN_MAX_FDS];
	struct plan plan;
	fail_to(socket_fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	close(server.control_fd);
	close(server.life_fds[1]);
	for (int i = 0; i < 3; i++)
		if (dup2(server.null_fd, i) < 0)
			fail(PHASE_SYSTEM, errno, "set standard descriptor %d", i);
	int r = cgroup_join(cgroup, 0, born);
	if (r != 0)
		fail(PHASE_CGROUP, -r, "join %s", cgroup->path);
	/* A further process is subject to the rules and limits of its step. */
	r = joins ? 0 : cgroup_filter_devices(cgroup, plan_default_rules, plan_n_default_rules);
	if (r != 0)
		fail(PHASE_CGROUP, -r, "filter devices");
	receive_plan(socket_fd, &plan, fds);
	const struct step_place place = {
		.made = made,
		.supervise = !joins && (made & CLONE_NEWPID) == 0,
		.chroot_fd = -1,
		.staging = RUNNER_ROOT_STAGING,
		.cgroup_root = RUNNER_ROOT_CGROUP,
		.cgroup = cgroup,
		.limited = joins,
		.life_fd = server.life_fds[0],
		.socket_fd = socket_fd,
		.gate_fd = -1,
		.before_exec = plan.notify != 0 ? tell_ready : NULL,
		.data = &socket_fd,
		.device_source = runner_root_device,
	};
	step_run(&plan, fds, &place);
}

/* ---- starting steps */

static struct served *add(void)
{
	if (server.n == server.room) {
		size_t room = server.room > 0 ? server.room * 2 : 16;
		struct served *steps = reallocarray(server.steps, room, sizeof *steps);
		if (steps == NULL)
			return NULL;
		server.steps = steps;
		server.room = room;
	}
	struct served *s = &server.steps[server.n++];
	*s = (struct served){.pidfd = -1, .socket_fd = -1};
	return s;
}

/* Returns the parent of the steps' cgroups, "/PARENT/buildkit"; false if the path is too long. */
static bool directory_of(const char *parent, char *path, size_t size)
{
	parent += strspn(parent, "/");
	int n = snprintf(path, size, "%s%s/buildkit", *parent != '\0' ? "/" : "", parent);
	return n >= 0 && (size_t)n < size;
}

/* Removes the cgroups of an earlier runner that was killed, because their names are used again. */
static void remove_old_cgroups(void)
{
	char directory[200], prefix[64];
	int n = snprintf(prefix, sizeof prefix, "%s.", server.instance);
	if (n < 0 || (size_t)n >= sizeof prefix || !directory_of(server.parent, directory, sizeof directory))
		fail(PHASE_CGROUP, ENAMETOOLONG, "name cgroups");
	cgroup_sweep(&server.cgroups, directory, prefix);
}

static bool is_step_cgroup(const char *path)
{
	for (size_t i = 0; i < server.n; i++)
		if (server.steps[i].pid != 0 && !server.steps[i].joins && strcmp(server.steps[i].cgroup, path) == 0)
			return true;
	return false;
}

static int make_cgroup(struct served *s, const char *parent, struct cgroup *g)
{
	char directory[200];
	if (!directory_of(parent[0] != '\0' ? parent : server.parent, directory, sizeof directory))
		return -ENAMETOOLONG;
	int n = snprintf(s->cgroup, sizeof s->cgroup, "%s/%s.%llu", directory, server.instance,
			 (unsigned long long)server.serial++);
	if (n < 0 || (size_t)n >= sizeof s->cgroup)
		return -ENAMETOOLONG;
	return cgroup_make(&server.cgroups, s->cgroup, g);
}

static int open_cgroup(struct served *s, const char *path, struct cgroup *g)
{
	if (!is_step_cgroup(path))
		return -ESRCH; /* the step has exited */
	s->joins = true;
	memcpy(s->cgroup, path, strlen(path) + 1);
	return cgroup_open(&server.cgroups, path, g);
}

static int start(struct served *s, const struct runner_request *q, int *ret_daemon_fd)
{
	struct cgroup g;
	int ends[2];
	int r = q->kind == RUNNER_JOIN ? open_cgroup(s, q->cgroup, &g) : make_cgroup(s, q->cgroup, &g);
	if (r != 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		cgroup_close(&g);
		return -errno;
	}
	int born = cgroup_unified_fd(&g);
	s->leaves = q->kind == RUNNER_STEP && (q->namespaces & CLONE_NEWPID) == 0;
	/*
	 * Not with a pid namespace: its first process would wait for a further process, whose parent is outside, until
	 * this process has waited for it.
	 */
	if (s->leaves)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	s->pid = sys_clone(q->namespaces, born, &s->pidfd);
	if (s->pid < 0 && born >= 0) {
		born = -1; /* a kernel or hierarchy without CLONE_INTO_CGROUP */
		s->pid = sys_clone(q->namespaces, -1, &s->pidfd);
	}
	if (s->pid == 0) {
		close(ends[0]);
		be_step(&g, ends[1], born >= 0, s->joins, q->namespaces);
	}
	r = s->pid < 0 ? -errno : 0;
	cgroup_close(&g);
	s->socket_fd = ends[1];
	*ret_daemon_fd = ends[0];
	return r;
}

static void answer(const struct runner_request *q)
{
	struct runner_offer offer = {.magic = RUNNER_MAGIC};
	int fds[2] = {-1, -1};
	struct served *s = server.n < MAX_STEPS ? add() : NULL;
	if (s == NULL)
		offer.error = EAGAIN;
	else if ((q->namespaces & ~(uint64_t)CLONED) != 0 || q->kind > RUNNER_JOIN ||
		 memchr(q->cgroup, 0, sizeof q->cgroup) == NULL)
		offer.error = EINVAL;
	else
		offer.error = -start(s, q, &fds[0]);
	if (offer.error == 0) {
		offer.pid = s->pid;
		fds[1] = s->pidfd;
		memcpy(offer.cgroup, s->cgroup, sizeof offer.cgroup);
	}
	sys_send(server.control_fd, &offer, sizeof offer, fds, offer.error == 0 ? 2 : 0);
	sys_close(&fds[0]);
	if (s != NULL && offer.error != 0) {
		s->pid = 0; /* only its cgroup is still to be removed */
		sys_close(&s->socket_fd);
	}
}

/* ---- end of steps */

static bool is_served(pid_t pid)
{
	for (size_t i = 0; i < server.n; i++)
		if (server.steps[i].pid == pid)
			return true;
	return false;
}

/* Kills the children of this process that are no processes of served steps. Returns true if there were any. */
static bool kill_strays(void)
{
	char path[64], text[65536], *save = NULL;
	bool any = false;
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	if (sys_read_at(AT_FDCWD, path, text, sizeof text) <= 0)
		return false;
	for (char *word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		pid_t pid = (pid_t)strtol(word, NULL, 10);
		if (pid <= 1 || is_served(pid))
			continue;
		any = true;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
	}
	return any;
}

/*
 * Without a pid namespace, the processes that a step leaves become children of this process when the first process of
 * the step has ended: those of steps that still run are below their first process. Each killed one can leave others.
 */
static void end_strays(void)
{
	for (int tries = 0; tries < STRAY_TRIES && kill_strays(); tries++)
		usleep(END_PAUSE_US);
}

static void reap(struct served *s)
{
	struct runner_report report = {.kind = RUNNER_EXITED};
	if (waitpid(s->pid, &report.status, WNOHANG) != s->pid)
		return;
	if (s->leaves)
		end_strays();
	report.oom_killed = report.status != 0 && !s->joins && cgroup_oom_killed(&server.cgroups, s->cgroup);
	report_send(s->socket_fd, &report, -1);
	if (s->joins || s->killed)
		sys_close(&s->socket_fd);
	sys_close(&s->pidfd);
	s->pid = 0;
}

/* Returns true when the step's cgroup is removed. */
static bool remove_ended(struct served *s)
{
	int r = s->cgroup[0] != '\0' && !s->joins ? cgroup_remove(&server.cgroups, s->cgroup) : 0;
	if (r == 0 || ++s->retries > RETRIES)
		return true;
	if (s->retries > 2)
		cgroup_signal(&server.cgroups, s->cgroup, SIGKILL);
	return false;
}

/* Returns true while cgroups wait for removal. */
static bool sweep(void)
{
	bool waiting = false;
	for (size_t i = 0; i < server.n;) {
		struct served *s = &server.steps[i];
		if (s->pid == 0 && s->socket_fd < 0 && remove_ended(s)) {
			*s = server.steps[--server.n];
			continue;
		}
		waiting |= s->pid == 0 && s->socket_fd < 0;
		i++;
	}
	return waiting;
}

/* Waits for all steps except those that hang in the kernel; their cgroups are removed by the next runner. */
static void kill_all(void)
{
	for (size_t i = 0; i < server.n; i++)
		if (server.steps[i].pid != 0)
			kill(server.steps[i].pid, SIGKILL);
	for (int tries = 0; tries < END_TRIES && server.n > 0; tries++) {
		for (size_t i = 0; i < server.n; i++) {
			struct served *s = &server.steps[i];
			if (s->pid != 0 && waitpid(s->pid, NULL, WNOHANG) == s->pid)
				s->pid = 0;
			if (s->pid == 0)
				sys_close(&s->socket_fd);
		}
		sweep();
		usleep(END_PAUSE_US);
	}
}

/* ---- the loop */

static size_t fill_poll(struct pollfd *fds)
{
	size_t n = 0;
	fds[n++] = (struct pollfd){.fd = server.control_fd, .events = POLLIN};
	for (size_t i = 0; i < server.n; i++) {
		const struct served *s = &server.steps[i];
		fds[n++] = (struct pollfd){.fd = s->pidfd, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = s->killed ? -1 : s->socket_fd};
	}
	return n;
}

static void serve_steps(const struct pollfd *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct served *s = &server.steps[i];
		if (fds[2 * i].revents != 0 && s->pid != 0)
			reap(s);
		if (s->pid == 0 && fds[2 * i + 1].revents != 0)
			sys_close(&s->socket_fd);
		if (s->pid != 0 && fds[2 * i + 1].revents != 0) {
			kill(s->pid, SIGKILL); /* the daemon has closed its end */
			s->killed = true;
		}
	}
}

static void loop(void)
{
	static struct pollfd fds[1 + 2 * MAX_STEPS];
	for (;;) {
		bool waiting = sweep();
		size_t n = fill_poll(fds), n_steps = server.n;
		if (poll(fds, n, waiting ? RETRY_MS : -1) < 0 && errno != EINTR)
			fail(PHASE_PLAN, errno, "poll");
		serve_steps(fds + 1, n_steps);
		if (fds[0].revents == 0)
			continue;
		struct runner_request q;
		ssize_t got = sys_receive(server.control_fd, &q, sizeof q, NULL, 0, NULL, 0);
		if (got == sizeof q && q.magic == RUNNER_MAGIC)
			answer(&q);
		else if (got != sizeof q && got != -EAGAIN)
			return; /* the daemon has closed the socket */
	}
}

int serve(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	server.control_fd = (int)strtol(argv[2], NULL, 10);
	server.instance = argv[3];
	server.parent = argv[4];
	if (fcntl(server.control_fd, F_SETFD, FD_CLOEXEC) != 0 || pipe2(server.life_fds, O_CLOEXEC) != 0)
		fail(PHASE_PLAN, errno, "control socket");
	/* Protects this process from signals of the terminal and from being traced by a step. */
	setsid();
	prctl(PR_SET_NAME, "buildkit-runc", 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (sys_is_old())
		fail(PHASE_PLAN, ENOSYS, "serve needs mount_setattr (Linux 5.12)");
	server.null_fd = runner_root_enter(&server.cgroups);
	remove_old_cgroups();
	loop();
	kill_all();
	return 0;
}
