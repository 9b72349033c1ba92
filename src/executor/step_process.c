/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/step_process.h"
#include "base/scope.h"
#include "os/file.h"
#include "trace/trace.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

struct step_process {
	gint refs;
	GMutex mu; /* guards the rest */
	GCond left;
	bool started, ended;
	guint users; /* inside, between enter and leave */
	const struct step_process_class *class;
	void *self;
};

step_process *step_process_new(void)
{
	step_process *p = g_new0(step_process, 1);
	p->refs = 1;
	g_mutex_init(&p->mu);
	g_cond_init(&p->left);
	return p;
}

step_process *step_process_ref(step_process *p)
{
	g_atomic_int_inc(&p->refs);
	return p;
}

void step_process_unref(step_process *p)
{
	if (!p || !g_atomic_int_dec_and_test(&p->refs))
		return;
	g_mutex_clear(&p->mu);
	g_cond_clear(&p->left);
	g_free(p);
}

void step_process_start(step_process *p, const struct step_io *io, const struct step_process_class *class, void *self,
			int *fds)
{
	g_mutex_lock(&p->mu);
	bool first = !p->started;
	p->started = true;
	p->class = class;
	p->self = self;
	g_mutex_unlock(&p->mu);
	if (first)
		trace_event(trace_current(), "Container started");
	bool given = first && io && io->started;
	if (given)
		io->started(io->data, p, fds);
	for (int i = 0; i < 3; i++) {
		if (given)
			fds[i] = -1;
		fd_close(&fds[i]);
	}
}

void *step_process_enter(step_process *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	if (!p->started || p->ended)
		return NULL;
	p->users++;
	return p->self;
}

void step_process_leave(step_process *p)
{
	g_mutex_lock(&p->mu);
	p->users--;
	g_cond_broadcast(&p->left);
	g_mutex_unlock(&p->mu);
}

void step_process_end(step_process *p)
{
	g_mutex_lock(&p->mu);
	p->ended = true;
	while (p->users > 0)
		g_cond_wait(&p->left, &p->mu);
	g_mutex_unlock(&p->mu);
}

bool step_process_signal(step_process *p, int signal, GError **error)
{
	if (signal <= 0 || signal > SIGRTMAX)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unknown signal %d", signal);
	void *self = step_process_enter(p);
	if (!self)
		return true;
	bool ok = p->class->signal(self, signal, error);
	step_process_leave(p);
	return ok;
}

bool step_process_resize(step_process *p, struct step_size size, GError **error)
{
	void *self = step_process_enter(p);
	if (!self)
		return true;
	bool ok = p->class->resize(self, size, error);
	step_process_leave(p);
	return ok;
}

/* ---- streams */

static void step_ends_init(struct step_ends *ends)
{
	for (int i = 0; i < 3; i++)
		ends->ours[i] = ends->theirs[i] = -1;
}

static bool open_pipe(struct step_ends *ends, int stream, GError **error)
{
	int pair[2];
	if (pipe2(pair, O_CLOEXEC) != 0)
		return error_set_errno(error, errno, "pipe");
	bool input = stream == 0;
	ends->ours[stream] = pair[input ? 1 : 0];
	ends->theirs[stream] = pair[input ? 0 : 1];
	return fcntl(ends->ours[stream], F_SETFL, O_NONBLOCK) == 0 || error_set_errno(error, errno, "pipe");
}

bool step_ends_open(struct step_ends *ends, const struct step_io *io, GError **error)
{
	step_ends_init(ends);
	for (int i = 0; io && !io->terminal && i < 3; i++) {
		if (io->streams[i] == STEP_STREAM_PIPE && !open_pipe(ends, i, error)) {
			step_ends_clear(ends);
			return false;
		}
	}
	return true;
}

void step_ends_close_theirs(struct step_ends *ends)
{
	for (int i = 0; i < 3; i++)
		fd_close(&ends->theirs[i]);
}

void step_ends_clear(struct step_ends *ends)
{
	step_ends_close_theirs(ends);
	for (int i = 0; i < 3; i++)
		fd_close(&ends->ours[i]);
}

/* ---- terminals */

bool step_ends_set_terminal(struct step_ends *ends, int fd, GError **error)
{
	ends->ours[0] = fd;
	ends->ours[1] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return (ends->ours[1] >= 0 && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0) ||
	       error_set_errno(error, errno, "open a terminal");
}

bool step_ends_open_terminal(struct step_ends *ends, struct step_size size, GError **error)
{
	int unlocked = 0;
	step_ends_init(ends);
	scoped_fd other = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (other < 0 || ioctl(other, TIOCSPTLCK, &unlocked) != 0)
		return error_set_errno(error, errno, "open a terminal");
	for (int i = 0; i < 3; i++) {
		ends->theirs[i] = ioctl(other, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (ends->theirs[i] < 0) {
			error_set_errno(error, errno, "open a terminal");
			step_ends_clear(ends);
			return false;
		}
	}
	/* The runtime sets this, too, but only after it has started to copy. */
	struct termios raw;
	if (tcgetattr(ends->theirs[0], &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(ends->theirs[0], TCSANOW, &raw);
	}
	if ((size.rows == 0 && size.columns == 0) || step_terminal_resize(other, size, error))
		if (step_ends_set_terminal(ends, fd_steal(&other), error))
			return true;
	step_ends_clear(ends);
	return false;
}

bool step_terminal_resize(int fd, struct step_size size, GError **error)
{
	const struct winsize w = {.ws_row = (unsigned short)MIN(size.rows, USHRT_MAX),
				  .ws_col = (unsigned short)MIN(size.columns, USHRT_MAX)};
	return ioctl(fd, TIOCSWINSZ, &w) == 0 || error_set_errno(error, errno, "set the size of the terminal");
}

void step_terminal_write_line(int fd, const char *line)
{
	scoped_fd peer = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (peer >= 0)
		file_write_all(peer, line, strlen(line));
}
