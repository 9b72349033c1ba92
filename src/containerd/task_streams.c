/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/task_streams.h"
#include "base/scope.h"
#include "base/thread.h"
#include "ctd_tasks.pb-c.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES 65536

static bool make_fifo(const char *path, GError **error)
{
	return mkfifo(path, 0600) == 0 || error_set_errno(error, errno, "make %s", path);
}

/* Neither side waits for the other. */
static int open_end(const char *path, int flags, GError **error)
{
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", path);
	return fd;
}

/* Opened for reading, too, because a FIFO can be opened for writing only while it has a reader. */
static bool open_input(struct task_streams *s, GError **error)
{
	int pair[2];
	s->to = make_fifo(s->paths[0], error) ? open_end(s->paths[0], O_RDWR, error) : -1;
	if (s->to < 0)
		return false;
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
		return error_set_errno(error, errno, "pipe");
	s->from = pair[0];
	s->ours[0] = pair[1];
	return true;
}

static bool open_output(struct task_streams *s, int stream, bool logged, GError **error)
{
	int fd = make_fifo(s->paths[stream], error) ? open_end(s->paths[stream], O_RDONLY, error) : -1;
	if (logged)
		s->log[stream - 1] = fd;
	else
		s->ours[stream] = fd;
	return fd >= 0;
}

bool task_streams_open(struct task_streams *s, const char *bundle, const struct step_io *io, GError **error)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	*s = (struct task_streams){.ours = {-1, -1, -1}, .log = {-1, -1}, .from = -1, .to = -1};
	bool ok = true;
	for (int i = 0; i < 3; i++) {
		enum step_stream kind = io ? io->streams[i] : STEP_STREAM_LOG;
		bool used = kind == STEP_STREAM_PIPE || (kind == STEP_STREAM_LOG && i > 0);
		s->paths[i] = used ? g_build_filename(bundle, names[i], NULL) : g_strdup("");
		if (used && ok)
			ok = i == 0 ? open_input(s, error) : open_output(s, i, kind == STEP_STREAM_LOG, error);
	}
	if (!ok)
		task_streams_close(s);
	return ok;
}

/* ---- input */

static bool write_all(struct task_streams *s, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		struct pollfd p = {.fd = s->to, .events = POLLOUT};
		if (cancel_poll(s->stop, &p, 1, -1, NULL) < 0)
			return false;
		ssize_t done = write(s->to, bytes, n);
		if (done < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
	return true;
}

/* Tells the shim that no more input comes: it holds the FIFO open. */
static void close_input(const struct task_streams *s)
{
	CtdTasks__CloseIORequest request = CTD_TASKS__CLOSE_IOREQUEST__INIT;
	request.container_id = (char *)(uintptr_t)s->id;
	request.stdin = true;
	ctd_do(s->client, CTD_PLAIN, "/containerd.services.tasks.v1.Tasks/CloseIO", &request, s->stop, NULL);
}

static gpointer input_run(gpointer data)
{
	struct task_streams *s = data;
	g_autofree uint8_t *buffer = g_malloc(INPUT_BYTES);
	for (;;) {
		struct pollfd p = {.fd = s->from, .events = POLLIN};
		if (cancel_poll(s->stop, &p, 1, -1, NULL) < 0)
			return NULL;
		ssize_t n = read(s->from, buffer, INPUT_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0 || !write_all(s, buffer, (size_t)n))
			break;
	}
	fd_close(&s->to);
	close_input(s);
	return NULL;
}

bool task_streams_feed(struct task_streams *s, ctd_client *client, const char *id, GError **error)
{
	if (s->from < 0)
		return true;
	s->client = client;
	s->id = id;
	s->stop = cancel_new(NULL);
	s->thread = thread_start("stdin", input_run, s, error);
	return s->thread;
}

void task_streams_close(struct task_streams *s)
{
	if (s->stop)
		cancel_set(s->stop, ERROR_CANCELED, NULL);
	if (s->thread)
		g_thread_join(s->thread);
	cancel_unref(s->stop);
	for (int i = 0; i < 3; i++) {
		fd_close(&s->ours[i]);
		g_free(s->paths[i]);
	}
	fd_close(&s->log[0]);
	fd_close(&s->log[1]);
	fd_close(&s->from);
	fd_close(&s->to);
	*s = (struct task_streams){.ours = {-1, -1, -1}, .log = {-1, -1}, .from = -1, .to = -1};
}
