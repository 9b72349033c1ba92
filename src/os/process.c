/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PR_SET_PDEATHSIG is not used: the kernel ties it to the thread that started the child, and our threads are
 * short-lived, so that it would kill children at random. Steps of a killed daemon are found by the next one (they run
 * in named cgroups), and helpers with pipes exit when the other end is closed.
 */
#include "os/process.h"
#include "base/scope.h"
#include "base/thread.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct process {
	GMutex mu; /* guards reaped, status and watcher */
	pid_t pid;
	int exit_fd;      /* owned; a pidfd, or an eventfd of the watcher */
	GThread *watcher; /* owned; NULL: exit_fd is a pidfd */
	bool reaped;
	bool group;
	int status;
};

/*
 * Source of child fd i: a number that no child fd has, so that assigning one never overwrites another. The parent
 * closes them afterwards.
 */
struct sources {
	int *fds; /* owned */
	size_t n;
};

static void sources_clear(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		close(s->fds[i]);
	g_free(s->fds);
}

static bool sources_init(struct sources *s, const struct process_spec *spec, GError **error)
{
	*s = (struct sources){.fds = g_new(int, MAX(spec->n_fds, 1))};
	scoped_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return error_set_errno(error, errno, "open /dev/null");
	for (size_t i = 0; i < spec->n_fds; i++) {
		int fd = spec->fds[i] < 0 ? null : spec->fds[i];
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, (int)MAX(spec->n_fds, 3));
		if (copy < 0)
			return error_set_errno(error, errno, "duplicate descriptor %d", fd);
		s->fds[s->n++] = copy;
	}
	return true;
}

static int plan_files(posix_spawn_file_actions_t *files, const struct process_spec *spec, const struct sources *sources)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < sources->n; i++)
		r = posix_spawn_file_actions_adddup2(files, sources->fds[i], (int)i);
	if (r == 0 && spec->has_cwd)
		r = posix_spawn_file_actions_addfchdir_np(files, spec->cwd_fd);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(files, (int)sources->n);
	return r;
}

static int plan_attributes(posix_spawnattr_t *attributes, const struct process_spec *spec)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	if (spec->new_session)
		flags |= POSIX_SPAWN_SETSID;
	int r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	return r ? r : posix_spawnattr_setflags(attributes, flags);
}

static bool spawn(const struct process_spec *spec, const struct sources *sources, pid_t *ret_pid, GError **error)
{
	static const char *const empty[] = {NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	int r = plan_files(&files, spec, sources);
	if (r == 0)
		r = plan_attributes(&attributes, spec);
	if (r == 0)
		r = posix_spawnp(ret_pid, spec->path ? spec->path : spec->argv[0], &files, &attributes,
				 (char *const *)(gpointer)spec->argv,
				 (char *const *)(gpointer)(spec->envp ? spec->envp : empty));
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return r == 0 || error_set_errno(error, r, "exec %s", spec->argv[0]);
}

/* ---- the end of a process on kernels without pidfd_open (Linux 5.3) */

struct watch {
	pid_t pid;
	int event_fd; /* borrowed: the process is freed after the thread */
};

static gpointer watch_thread(gpointer data)
{
	g_autofree struct watch *w = data;
	siginfo_t info;
	/* Leaves it to reap, which joins this thread first: the number is not used again before. */
	while (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		continue;
	const uint64_t one = 1;
	if (write(w->event_fd, &one, sizeof one) != sizeof one)
		g_error("write to an eventfd: %s", g_strerror(errno));
	return NULL;
}

/* Returns a descriptor that is readable when the child has ended, or -1. */
static int open_exit(pid_t pid, GThread **ret_watcher, GError **error)
{
	int fd = pidfd_open(pid, 0); /* is close-on-exec; the pid stays valid until we wait */
	if (fd >= 0 || errno != ENOSYS) {
		if (fd < 0)
			error_set_errno(error, errno, "pidfd_open");
		return fd;
	}
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0) {
		error_set_errno(error, errno, "eventfd");
		return -1;
	}
	struct watch *w = g_new(struct watch, 1);
	*w = (struct watch){pid, fd};
	*ret_watcher = thread_start("exit", watch_thread, w, error);
	if (*ret_watcher)
		return fd;
	g_free(w);
	close(fd);
	return -1;
}

/* ---- */

process *process_start(const struct process_spec *spec, GError **error)
{
	__attribute__((cleanup(sources_clear))) struct sources sources;
	pid_t pid;
	if (!sources_init(&sources, spec, error) || !spawn(spec, &sources, &pid, error))
		return NULL;
	GThread *watcher = NULL;
	int exit_fd = open_exit(pid, &watcher, error);
	if (exit_fd < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		g_prefix_error(error, "watch %s: ", spec->argv[0]);
		return NULL;
	}
	/* Errors are ignored: the process may have ended, and limits only bound what a well-behaved program uses. */
	for (size_t i = 0; i < spec->n_limits; i++) {
		const struct rlimit limit = {spec->limits[i].max, spec->limits[i].max};
		prlimit(pid, spec->limits[i].resource, &limit, NULL);
	}
	process *p = g_new0(process, 1);
	g_mutex_init(&p->mu);
	p->pid = pid;
	p->exit_fd = exit_fd;
	p->watcher = watcher;
	p->group = spec->new_session && spec->kill_group;
	return p;
}

pid_t process_pid(const process *p)
{
	return p->pid;
}

int process_exit_fd(const process *p)
{
	return p->exit_fd;
}

bool process_signal(process *p, int signal)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	return !p->reaped && kill(p->pid, signal) == 0; /* the pid is valid until it is reaped */
}

/* Reaps a child that has exited: 1, 0 if it still runs, -errno. */
static int reap(process *p, int options)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	struct pollfd ended = {.fd = p->exit_fd, .events = POLLIN};
	if (p->watcher && (options & WNOHANG) && poll(&ended, 1, 0) != 1)
		return 0;
	if (p->watcher)
		g_thread_join(g_steal_pointer(&p->watcher));
	while (!p->reaped) {
		pid_t r = waitpid(p->pid, &p->status, options);
		if (r == 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		p->reaped = r > 0;
	}
	return 1;
}

bool process_wait(process *p, cancel *c, int *ret_status, GError **error)
{
	int r;
	while ((r = reap(p, WNOHANG)) == 0) {
		struct pollfd fd = {.fd = p->exit_fd, .events = POLLIN};
		if (cancel_poll(c, &fd, 1, -1, error) < 0)
			return false;
	}
	if (r < 0)
		return error_set_errno(error, -r, "wait");
	*ret_status = p->status;
	return true;
}

int process_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void process_free(process *p)
{
	if (!p)
		return;
	if (reap(p, WNOHANG) == 0) {
		if (p->group)
			kill(-p->pid, SIGKILL); /* the pid is valid until it is reaped */
		process_signal(p, SIGKILL);
		reap(p, 0);
	}
	close(p->exit_fd);
	g_mutex_clear(&p->mu);
	g_free(p);
}
