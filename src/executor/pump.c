/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/pump.h"
#include "base/scope.h"
#include <fcntl.h>

#define KILL_INTERVAL_MS 50
#define KILL_PATIENCE_US (7 * G_USEC_PER_SEC)
#define DRAIN_US (1 * G_USEC_PER_SEC)
#define CHUNK_BYTES (64 * 1024)

enum { SLOT_OUT, SLOT_ERR, SLOT_EXIT, SLOTS };

static bool open_pipe(int *ret_read, int *ret_write, GError **error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set_errno(error, errno, "pipe");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ret_read = ends[0];
	*ret_write = ends[1];
	return true;
}

void pump_init_fds(struct pump *p, const struct pump_call *call, int out_fd, int err_fd)
{
	*p = (struct pump){.call = call, .read_fds = {out_fd, err_fd}, .write_fds = {-1, -1}};
	p->buffer = g_malloc(CHUNK_BYTES);
}

bool pump_init(struct pump *p, const struct pump_call *call, GError **error)
{
	pump_init_fds(p, call, -1, -1);
	for (int i = 0; i < 2; i++) {
		if (!call->skip[i] && !open_pipe(&p->read_fds[i], &p->write_fds[i], error)) {
			pump_done(p);
			return false;
		}
	}
	return true;
}

void pump_close_write_ends(struct pump *p)
{
	fd_close(&p->write_fds[0]);
	fd_close(&p->write_fds[1]);
}

void pump_done(struct pump *p)
{
	pump_close_write_ends(p);
	fd_close(&p->read_fds[0]);
	fd_close(&p->read_fds[1]);
	g_clear_pointer(&p->buffer, g_free);
}

static void read_one(struct pump *p, int i)
{
	ssize_t n = read(p->read_fds[i], p->buffer, CHUNK_BYTES);
	if (n > 0)
		p->call->output(p->call->output_data, i + 1, p->buffer, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fd_close(&p->read_fds[i]);
}

static void read_ready(struct pump *p, const struct pollfd *fds)
{
	for (int i = 0; i < 2; i++)
		if (p->read_fds[i] >= 0 && fds[i].revents != 0)
			read_one(p, i);
}

bool pump_run(struct pump *p, int exit_fd)
{
	for (;;) {
		struct pollfd fds[SLOTS] = {
			[SLOT_OUT] = {.fd = p->read_fds[0], .events = POLLIN},
			[SLOT_ERR] = {.fd = p->read_fds[1], .events = POLLIN},
			[SLOT_EXIT] = {.fd = exit_fd, .events = POLLIN},
		};
		bool killing = p->killing_since_us != 0;
		cancel *c = killing ? NULL : p->call->cancel;
		int n = cancel_poll(c, fds, SLOTS, killing ? KILL_INTERVAL_MS : -1, NULL);
		if (n < 0 && !cancel_is_set(c))
			return true;
		if (n > 0) {
			read_ready(p, fds);
			if (fds[SLOT_EXIT].revents != 0)
				return true;
		}
		int64_t now_us = g_get_monotonic_time();
		if (n < 0)
			p->killing_since_us = now_us;
		bool late = now_us - p->killing_since_us > KILL_PATIENCE_US;
		if (p->killing_since_us != 0 && !p->call->kill(p->call->kill_data, late))
			return false;
	}
}

void pump_drain(struct pump *p)
{
	int64_t until_us = g_get_monotonic_time() + DRAIN_US;
	while (p->read_fds[0] >= 0 || p->read_fds[1] >= 0) {
		struct pollfd fds[2] = {{.fd = p->read_fds[0], .events = POLLIN},
					{.fd = p->read_fds[1], .events = POLLIN}};
		if (poll(fds, 2, 10) > 0) {
			read_ready(p, fds);
			continue;
		}
		p->call->kill(p->call->kill_data, false);
		if (g_get_monotonic_time() > until_us)
			return;
	}
}
