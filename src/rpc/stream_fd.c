/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/stream.h"
#include <fcntl.h>
#include <sys/socket.h>

struct fd_stream {
	struct stream base;
	struct loop_watch in;  /* owns its fd */
	struct loop_watch out; /* for a socket the same fd as in, then never registered */
	bool is_pipe;          /* out: no sendmsg */
};

static void arm_out(struct fd_stream *s, bool on)
{
	bool is_shared = s->in.fd == s->out.fd;
	uint32_t rest = is_shared ? EPOLLIN : 0;
	loop_watch_set(s->base.loop, is_shared ? &s->in : &s->out, on ? rest | EPOLLOUT : rest);
}

static void on_event(void *data, uint32_t events)
{
	struct fd_stream *s = data;
	s->base.ready(s->base.data);
}

static enum stream_state fd_read(struct stream *base, struct slice *ret, GError **error)
{
	struct fd_stream *s = (struct fd_stream *)base;
	size_t size;
	uint8_t *buffer = loop_buffer(base->loop, &size);
	ssize_t n;
	do
		n = read(s->in.fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return STREAM_END;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return STREAM_AGAIN;
	if (n < 0) {
		error_set_errno(error, errno, "read");
		return STREAM_FAILED;
	}
	base->heard = true;
	base->drained = (size_t)n < size;
	*ret = (struct slice){buffer, (size_t)n};
	return STREAM_OK;
}

static ssize_t write_some(struct fd_stream *s, const struct iovec *iov, int n)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
	ssize_t written;
	do
		written = s->is_pipe ? writev(s->out.fd, iov, n)
				     : sendmsg(s->out.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (written < 0 && errno == EINTR);
	return written;
}

static ssize_t fd_write(struct stream *base, const struct iovec *iov, int n, GError **error)
{
	struct fd_stream *s = (struct fd_stream *)base;
	size_t total = 0;
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	ssize_t written = n ? write_some(s, iov, n) : 0;
	if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		error_set_errno(error, errno, "write");
		return -1;
	}
	written = MAX(written, 0);
	bool blocked = (size_t)written < total;
	if (blocked || base->blocked)
		arm_out(s, blocked);
	base->blocked = blocked;
	return written;
}

static bool fd_start(struct stream *base, GError **error)
{
	struct fd_stream *s = (struct fd_stream *)base;
	return loop_watch_set(base->loop, &s->in, EPOLLIN) || error_set_errno(error, errno, "watch connection");
}

static void close_watch(rpc_loop *loop, struct loop_watch *watch)
{
	loop_watch_set(loop, watch, 0);
	fd_close(&watch->fd);
}

static void fd_stream_close(struct stream *base)
{
	struct fd_stream *s = (struct fd_stream *)base;
	if (s->in.fd == s->out.fd)
		s->out.fd = -1;
	if (s->in.fd >= 0)
		close_watch(base->loop, &s->in);
	if (s->out.fd >= 0)
		close_watch(base->loop, &s->out);
}

static void fd_stream_free(struct stream *base)
{
	fd_stream_close(base);
	g_free(base);
}

static const struct stream_class fd_class = {fd_read, fd_write, fd_start, fd_stream_close, fd_stream_free};

bool stream_start(struct stream *s, void (*ready)(void *data), void *data, GError **error)
{
	s->ready = ready;
	s->data = data;
	return s->class->start(s, error);
}

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* AF_UNSPEC if it is not a socket. */
static int domain_of(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t n = sizeof(domain);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 ? domain : AF_UNSPEC;
}

struct stream *stream_fd_new(rpc_loop *loop, int fd_in, int fd_out)
{
	struct fd_stream *s = g_new0(struct fd_stream, 1);
	int domain = domain_of(fd_in);
	s->base = (struct stream){.class = &fd_class, .loop = loop, .tcp = domain == AF_INET || domain == AF_INET6};
	s->base.far = s->base.tcp;
	s->is_pipe = domain_of(fd_out) == AF_UNSPEC;
	s->in = (struct loop_watch){.fd = fd_in, .ready = on_event, .data = s};
	s->out = (struct loop_watch){.fd = fd_out, .ready = on_event, .data = s};
	set_nonblocking(fd_in);
	set_nonblocking(fd_out);
	return &s->base;
}
