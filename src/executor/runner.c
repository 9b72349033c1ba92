/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/runner.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/process.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define CONTROL_FD 3 /* in the program */
/*
 * On v1 a process waits some ms for its cgroups, longer than a short step runs: so two processes are requested in
 * advance.
 */
#define IN_ADVANCE 2
#define STOP_MS 2000

struct runner {
	GMutex mu; /* guards the rest */
	char *binary, *instance, *parent;
	bool sandbox;
	int binary_fd;    /* owned; the program that was found at the start, even if an upgrade replaces its file */
	process *process; /* owned; NULL: not running */
	int control_fd;   /* owned; -1 */
	unsigned asked;   /* requests for the default parent whose answers have not been received */
	struct runner_step
		ready[IN_ADVANCE]; /* received processes for the default parent; asked + n_ready <= IN_ADVANCE */
	unsigned n_ready;
};

runner *runner_new(const char *binary, const char *instance, const char *cgroup_parent, bool sandbox)
{
	runner *r = g_new0(runner, 1);
	g_mutex_init(&r->mu);
	r->binary = g_strdup(binary);
	r->binary_fd = open(binary, O_PATH | O_CLOEXEC);
	r->instance = g_strdup(instance);
	r->parent = g_strdup(cgroup_parent ? cgroup_parent : "");
	r->sandbox = sandbox;
	r->control_fd = -1;
	return r;
}

static void stop(runner *r)
{
	fd_close(&r->control_fd);
	/* Closes the socket: the runner then kills its steps and exits. If it is killed, its steps die as well. */
	struct pollfd end = {.fd = r->process ? process_exit_fd(r->process) : -1, .events = POLLIN};
	while (r->process && poll(&end, 1, STOP_MS) < 0 && errno == EINTR)
		continue;
	g_clear_pointer(&r->process, process_free);
	r->asked = 0;
	while (r->n_ready > 0)
		runner_step_done(&r->ready[--r->n_ready]);
}

void runner_free(runner *r)
{
	if (!r)
		return;
	stop(r);
	g_mutex_clear(&r->mu);
	fd_close(&r->binary_fd);
	g_free(r->binary);
	g_free(r->instance);
	g_free(r->parent);
	g_free(r);
}

/* ---- the control socket */

/* Names the program by the daemon's descriptor: the child closes its own before it executes a file. */
static bool binary_path(const runner *r, char path[64], GError **error)
{
	char self[16];
	ssize_t n = readlink("/proc/self", self, sizeof self - 1); /* the pid, in the namespace of /proc */
	if (n < 0)
		return error_set_errno(error, errno, "readlink /proc/self");
	g_snprintf(path, 64, "/proc/%.*s/fd/%d", (int)n, self, r->binary_fd);
	return r->binary_fd >= 0 || error_set(error, ERROR_NOT_FOUND, "no program %s", r->binary);
}

static bool start(runner *r, GError **error)
{
	int ends[2];
	char path[64];
	if (!binary_path(r, path, error))
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return error_set_errno(error, errno, "socketpair");
	scoped_fd theirs = ends[1];
	r->control_fd = ends[0];
	const char *argv[] = {r->binary, "serve", G_STRINGIFY(CONTROL_FD), r->instance, r->parent, NULL};
	const int fds[] = {-1, -1, STDERR_FILENO, theirs};
	struct process_spec spec = {
		.argv = argv, .path = path, .fds = fds, .n_fds = G_N_ELEMENTS(fds), .new_session = true};
	r->process = process_start(&spec, error);
	if (!r->process)
		fd_close(&r->control_fd);
	return r->process != NULL;
}

static bool request(runner *r, enum runner_request_kind kind, const char *cgroup)
{
	struct runner_request q = {.magic = RUNNER_MAGIC, .kind = kind};
	if (kind == RUNNER_STEP)
		q.namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (r->sandbox ? CLONE_NEWPID : 0);
	g_strlcpy(q.cgroup, cgroup, sizeof q.cgroup);
	return r->control_fd >= 0 && send(r->control_fd, &q, sizeof q, MSG_NOSIGNAL) == (ssize_t)sizeof q;
}

/* Receives bytes and their descriptors; -1 in fds for missing ones. */
static ssize_t receive(int fd, void *bytes, size_t n, int *fds, size_t n_fds)
{
	char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec part = {bytes, n};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = CMSG_SPACE(n_fds * sizeof(int))};
	ssize_t got;
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = -1;
	do
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	while (got < 0 && errno == EINTR);
	const struct cmsghdr *c = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c), MIN(c->cmsg_len - CMSG_LEN(0), n_fds * sizeof(int)));
	return got;
}

/* Receives the answer to the oldest request; false: the program has exited. */
static bool take_offer(runner *r, struct runner_step *ret, int *ret_errno)
{
	struct runner_offer offer;
	int fds[2];
	if (receive(r->control_fd, &offer, sizeof offer, fds, 2) != (ssize_t)sizeof offer ||
	    offer.magic != RUNNER_MAGIC)
		return false;
	*ret_errno = offer.error;
	if (offer.error != 0)
		return true;
	ret->socket_fd = fds[0];
	ret->pidfd = fds[1];
	offer.cgroup[sizeof offer.cgroup - 1] = '\0';
	g_strlcpy(ret->cgroup, offer.cgroup, sizeof ret->cgroup);
	return true;
}

static bool has_died(const struct runner_step *s)
{
	struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
	return s->pidfd >= 0 && poll(&p, 1, 0) == 1;
}

/*
 * Receives a process that was requested in advance. It is not usable if the start failed then, which need not hold any
 * more, or if it died while it waited, with the program or by the OOM killer. False: the program has exited.
 */
static bool take_advance(runner *r, struct runner_step *ret, bool *ret_usable)
{
	int errnum = 0;
	r->asked--;
	if (!take_offer(r, ret, &errnum))
		return false;
	*ret_usable = errnum == 0 && !has_died(ret);
	if (!*ret_usable)
		runner_step_done(ret);
	return true;
}

/* Answers come in the order of the requests: receives those that precede the answer to the next request. */
static bool receive_advance(runner *r)
{
	while (r->asked > 0) {
		bool usable;
		struct runner_step s = {.socket_fd = -1, .pidfd = -1};
		if (!take_advance(r, &s, &usable))
			return false;
		if (usable)
			r->ready[r->n_ready++] = s;
	}
	return true;
}

static bool take_default(runner *r, struct runner_step *ret, int *ret_errno)
{
	bool usable = false;
	while (r->n_ready > 0) {
		*ret = r->ready[--r->n_ready];
		if (!has_died(ret))
			return true;
		runner_step_done(ret);
	}
	while (r->asked > 0) {
		if (!take_advance(r, ret, &usable))
			return false;
		if (usable)
			return true;
	}
	return request(r, RUNNER_STEP, "") && take_offer(r, ret, ret_errno);
}

/* Receives a process of a kind; false: the program has exited. */
static bool take_running(runner *r, enum runner_request_kind kind, const char *cgroup, struct runner_step *ret,
			 int *ret_errno)
{
	if (kind == RUNNER_STEP && (!cgroup || g_str_equal(cgroup, r->parent)))
		return take_default(r, ret, ret_errno);
	return receive_advance(r) && request(r, kind, cgroup) && take_offer(r, ret, ret_errno);
}

static bool check_cgroup(const char *cgroup, GError **error)
{
	return !cgroup || strlen(cgroup) < sizeof((struct runner_request *)0)->cgroup ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "cgroup parent is too long (%zu bytes)", strlen(cgroup));
}

bool runner_take(runner *r, const char *parent, struct runner_step *ret, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&r->mu);
	int errnum = 0;
	if (!check_cgroup(parent, error))
		return false;
	*ret = (struct runner_step){.socket_fd = -1, .pidfd = -1};
	for (int attempt = 0;; attempt++) {
		if (!r->process && !start(r, error))
			return false;
		if (take_running(r, RUNNER_STEP, parent, ret, &errnum))
			break;
		stop(r);
		if (attempt == 1)
			return error_set(error, ERROR_UNAVAILABLE, "%s exited unexpectedly", r->binary);
	}
	while (r->asked + r->n_ready < IN_ADVANCE && request(r, RUNNER_STEP, ""))
		r->asked++;
	return errnum == 0 || error_set_errno(error, errnum, "start a step");
}

bool runner_join(runner *r, const struct runner_step *step, struct runner_step *ret, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&r->mu);
	int errnum = 0;
	*ret = (struct runner_step){.socket_fd = -1, .pidfd = -1};
	/* A runner that has exited has killed the step: a new one is not started for a process in it. */
	if (!r->process || !take_running(r, RUNNER_JOIN, step->cgroup, ret, &errnum))
		return error_set(error, ERROR_UNAVAILABLE, "%s exited unexpectedly", r->binary);
	return errnum == 0 || error_set_errno(error, errnum, "start a process in a running step");
}

/* ---- one step */

static bool send_with(int fd, const void *bytes, size_t n, const int *fds, size_t n_fds, GError **error)
{
	char control[CMSG_SPACE(RUNNER_FDS_A_MESSAGE * sizeof(int))] = {0};
	struct iovec part = {(void *)(gsize)bytes, n};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (n_fds > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	while (part.iov_len > 0) {
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			return error_set_errno(error, errno, "send a step to the runner");
		if (sent < 0)
			continue;
		part.iov_base = (char *)part.iov_base + sent;
		part.iov_len -= (size_t)sent;
		message.msg_controllen = 0;
	}
	return true;
}

/* What a step can have too much of for plan_decode. */
static bool check_size(const struct plan *p, size_t n_fds, GError **error)
{
	const struct {
		const char *what;
		size_t n;
		long long limit;
	} lists[] = {
		{"arguments", p->args.n, LIMIT_STEP_ITEMS},
		{"environment variables", p->env.n, LIMIT_STEP_ITEMS},
		{"resource limits", p->n_limits, LIMIT_STEP_ITEMS},
		{"groups", p->n_groups, LIMIT_STEP_ITEMS},
		{"mounts", p->n_mounts, LIMIT_STEP_ITEMS},
		{"descriptors of mounts and streams", n_fds, LIMIT_STEP_FDS},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		if (lists[i].n > (size_t)lists[i].limit)
			return error_set(error, ERROR_INVALID_ARGUMENT, "the step has %zu %s, limit is %lld",
					 lists[i].n, lists[i].what, lists[i].limit);
	return true;
}

bool runner_send(struct runner_step *s, struct plan *plan, const int *fds, size_t n_fds, GError **error)
{
	struct plan_codec c;
	if (!check_size(plan, n_fds, error))
		return false;
	plan_codec_init_write(&c, NULL, 0);
	int r = plan_encode(&c, plan);
	if (r == -EMSGSIZE)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "the step has %zu bytes of arguments, environment and mounts, limit is %lld", c.used,
				 LIMIT_STEP_BYTES);
	if (r != 0)
		return error_set_errno(error, -r, "encode the plan of a step");
	const struct runner_header header = {RUNNER_MAGIC, (uint32_t)c.used, (uint32_t)n_fds};
	size_t n_bytes = c.used;
	g_autofree void *bytes = g_malloc(n_bytes);
	plan_codec_init_write(&c, bytes, n_bytes);
	plan_encode(&c, plan);
	size_t sent = MIN(n_fds, RUNNER_FDS_A_MESSAGE);
	bool ok = send_with(s->socket_fd, &header, sizeof header, fds, sent, error);
	while (ok && sent < n_fds) {
		size_t n = MIN(n_fds - sent, RUNNER_FDS_A_MESSAGE);
		ok = send_with(s->socket_fd, "+", 1, fds + sent, n, error);
		sent += n;
	}
	ok = ok && send_with(s->socket_fd, bytes, n_bytes, NULL, 0, error);
	explicit_bzero(bytes, n_bytes); /* secrets of the environment */
	return ok;
}

bool runner_receive(struct runner_step *s, struct runner_report *ret, int *ret_fd, GError **error)
{
	ssize_t n = receive(s->socket_fd, ret, sizeof *ret, ret_fd, 1);
	if (n != (ssize_t)sizeof *ret)
		return error_set(error, ERROR_UNAVAILABLE, "the runner of the step exited");
	ret->text[sizeof ret->text - 1] = '\0';
	return true;
}

void runner_kill(const struct runner_step *s)
{
	pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
}

void runner_abandon(const struct runner_step *s)
{
	shutdown(s->socket_fd, SHUT_RDWR);
}

void runner_step_done(struct runner_step *s)
{
	fd_close(&s->socket_fd);
	fd_close(&s->pidfd);
}
