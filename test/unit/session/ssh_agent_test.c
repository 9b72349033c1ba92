/* SPDX-License-Identifier: Apache-2.0 */
#include "session/ssh_agent.h"
#include "base/limits.h"
#include "base/scope.h"
#include "session/ssh_socket.h"
#include <sys/socket.h>

static void test_look(void)
{
	size_t len = 0;
	const uint8_t list[] = {0, 0, 0, 1, 11}, sign[] = {0, 0, 0, 2, 13, 9, 7}, add[] = {0, 0, 0, 1, 17};
	const uint8_t empty[] = {0, 0, 0, 0, 11}, huge[] = {0, 4, 0, 1, 11}, largest[] = {0, 4, 0, 0, 11},
		      endless[] = {255, 255, 255, 255, 11};
	g_assert_cmpint(ssh_agent_look(list, 5, &len), ==, SSH_AGENT_PASS);
	g_assert_cmpint(len, ==, 5);
	g_assert_cmpint(ssh_agent_look(sign, 7, &len), ==, SSH_AGENT_PASS);
	g_assert_cmpint(len, ==, 6);
	g_assert_cmpint(ssh_agent_look(sign, 5, &len), ==, SSH_AGENT_MORE);
	g_assert_cmpint(ssh_agent_look(sign, 0, &len), ==, SSH_AGENT_MORE);
	g_assert_cmpint(ssh_agent_look(add, 5, &len), ==, SSH_AGENT_REFUSE);
	g_assert_cmpint(ssh_agent_look(empty, 5, &len), ==, SSH_AGENT_INVALID);
	g_assert_cmpint(ssh_agent_look(huge, 5, &len), ==, SSH_AGENT_INVALID);
	g_assert_cmpint(ssh_agent_look(endless, 5, &len), ==, SSH_AGENT_INVALID);
	g_assert_cmpint(ssh_agent_look(largest, 5, &len), ==, SSH_AGENT_MORE);
}

/* A peer that echoes its input, and sends "bye" when that ends. */
struct agent {
	GByteArray *seen;
	GAsyncQueue *pending; /* of GBytes *; an empty one marks the end */
};

static bool agent_send(void *data, const uint8_t *bytes, size_t n, GError **error)
{
	struct agent *a = data;
	g_byte_array_append(a->seen, bytes, (guint)n);
	g_async_queue_push(a->pending, g_bytes_new(bytes, n));
	return true;
}

static GBytes *agent_recv(void *data, GError **error)
{
	struct agent *a = data;
	GBytes *bytes = g_async_queue_pop(a->pending);
	if (g_bytes_get_size(bytes) == 0)
		g_clear_pointer(&bytes, g_bytes_unref);
	return bytes;
}

static void agent_end(void *data, bool whole)
{
	struct agent *a = data;
	if (whole)
		g_async_queue_push(a->pending, g_bytes_new_static("bye", 3));
	g_async_queue_push(a->pending, g_bytes_new_static("", 0));
}

struct serving {
	int fd;
	struct agent agent;
	cancel *cancel;
};

static void *serve(void *data)
{
	struct serving *s = data;
	const struct ssh_pipe pipe = {agent_send, agent_recv, agent_end, &s->agent};
	ssh_socket_serve(s->fd, &pipe, s->cancel);
	close(s->fd);
	return NULL;
}

static GThread *start(struct serving *s, int *ret_fd)
{
	int fds[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	*s = (struct serving){
		.fd = fds[1], .agent = {g_byte_array_new(), g_async_queue_new()}, .cancel = cancel_new(NULL)};
	*ret_fd = fds[0];
	return g_thread_new("serve", serve, s);
}

static void finish(struct serving *s)
{
	g_byte_array_unref(s->agent.seen);
	g_async_queue_unref(s->agent.pending);
	cancel_unref(s->cancel);
}

static void read_exactly(int fd, void *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = read(fd, (char *)bytes + done, n - done);
		g_assert_cmpint(got, >, 0);
		done += (size_t)got;
	}
}

/* Any bytes pass in both directions, and each direction ends separately. */
static void test_serve(void)
{
	struct serving s;
	int fd;
	GThread *t = start(&s, &fd);
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	static const uint8_t add[] = {0, 0, 0, 1, 17, 255, 255, 255, 255};
	char got[sizeof request - 1];
	uint8_t back[sizeof add + 1];
	g_assert_cmpint(write(fd, request, sizeof got), ==, sizeof got);
	read_exactly(fd, got, sizeof got);
	g_assert_cmpmem(got, sizeof got, request, sizeof got);
	g_assert_cmpint(write(fd, add, sizeof add), ==, sizeof add);
	read_exactly(fd, back, sizeof add);
	g_assert_cmpmem(back, sizeof add, add, sizeof add);
	g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0);
	read_exactly(fd, back, 3);
	g_assert_cmpmem(back, 3, "bye", 3);
	g_assert_cmpint(read(fd, back, 1), ==, 0);
	g_thread_join(t);
	g_assert_cmpint(s.agent.seen->len, ==, sizeof got + sizeof add);
	finish(&s);
	close(fd);
}

static void test_cancel(void)
{
	struct serving s;
	int fd;
	char byte;
	GThread *t = start(&s, &fd);
	g_assert_cmpint(write(fd, "x", 1), ==, 1);
	read_exactly(fd, &byte, 1); /* it serves, and then waits */
	cancel_set(s.cancel, ERROR_CANCELED, NULL);
	g_thread_join(t);
	finish(&s);
	close(fd);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/ssh-agent/look", test_look);
	g_test_add_func("/ssh-agent/serve", test_serve);
	g_test_add_func("/ssh-agent/cancel", test_cancel);
	return g_test_run();
}
