/* SPDX-License-Identifier: Apache-2.0 */
#include "session/ssh_socket.h"
#include "base/thread.h"
#include "api/guard.h"
#include "base/limits.h"
#include "base/scope.h"
#include "ssh.pb-c.h"
#include "os/user_namespace.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MAX_CONNECTIONS 32
#define CHUNK_BYTES 32768
#define ACCEPT_RETRY_MS 100

struct ssh_socket {
	session *session; /* ref */
	char *id;
	int listen_fd;  /* owned */
	cancel *cancel; /* ref; set when it is freed */
	GThread *acceptor;
	GPtrArray *threads; /* of GThread *, used by the acceptor */
};
struct connection {
	ssh_socket *socket; /* borrowed: outlives the thread */
	int fd;             /* owned */
};

/* ---- connections */

/* False when c is set. */
static bool wait_ready(int fd, short events, cancel *c)
{
	struct pollfd p = {.fd = fd, .events = events};
	return cancel_poll(c, &p, 1, -1, NULL) > 0;
}

static bool write_all(int fd, const void *bytes, size_t n, cancel *c)
{
	const uint8_t *at = bytes;
	while (n > 0) {
		ssize_t written = send(fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (written >= 0) {
			at += written;
			n -= (size_t)written;
			continue;
		}
		if ((errno != EAGAIN && errno != EINTR) || !wait_ready(fd, POLLOUT, c))
			return false;
	}
	return true;
}

/* ---- one thread per direction */

struct back {
	int fd; /* borrowed */
	const struct ssh_pipe *agent;
	cancel *cancel;
};

/* From the agent to the step. The end of the agent's bytes becomes end of input for the step, which may still send. */
static void *back_thread(void *data)
{
	const struct back *b = data;
	g_autoptr(GError) error = NULL;
	bool sent = true;
	while (sent) {
		g_autoptr(GBytes) bytes = b->agent->recv(b->agent->data, &error);
		gsize n = 0;
		const void *p = bytes != NULL ? g_bytes_get_data(bytes, &n) : NULL;
		if (bytes == NULL)
			break;
		sent = write_all(b->fd, p, n, b->cancel);
	}
	shutdown(b->fd, sent && error == NULL ? SHUT_WR : SHUT_RDWR);
	return NULL;
}

/* From the step to the agent, until the step stops sending. False: the connection is broken. */
static bool forward(int fd, const struct ssh_pipe *agent, cancel *c)
{
	uint8_t chunk[CHUNK_BYTES];
	while (wait_ready(fd, POLLIN, c)) {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n == 0;
		if (!agent->send(agent->data, chunk, (size_t)n, NULL))
			return false;
	}
	return false;
}

void ssh_socket_serve(int fd, const struct ssh_pipe *agent, cancel *c)
{
	struct back back = {fd, agent, c};
	GThread *thread = thread_start("ssh-back", back_thread, &back, NULL);
	bool whole = thread != NULL && forward(fd, agent, c);
	agent->end(agent->data, whole);
	if (thread != NULL)
		g_thread_join(thread);
}

static bool call_send(void *data, const uint8_t *bytes, size_t n, GError **error)
{
	Ssh__BytesMessage m = SSH__BYTES_MESSAGE__INIT;
	m.data = (ProtobufCBinaryData){.data = (uint8_t *)bytes, .len = n};
	return rpc_call_send_message(data, &m, error);
}

static GBytes *call_recv(void *data, GError **error)
{
	Ssh__BytesMessage *m = rpc_call_recv_message(data, &ssh__bytes_message__descriptor, error);
	if (m == NULL)
		return NULL;
	GBytes *bytes = g_bytes_new(m->data.data, m->data.len);
	guard_free(m);
	return bytes;
}

static void call_end(void *data, bool whole)
{
	if (!whole || !rpc_call_close_send(data, NULL))
		rpc_call_abort(data);
}

static void *connection_thread(void *data)
{
	struct connection *c = data;
	g_autoptr(rpc_call) call = session_ssh_forward(c->socket->session, c->socket->id, c->socket->cancel, NULL);
	if (call != NULL) {
		const struct ssh_pipe agent = {call_send, call_recv, call_end, call};
		ssh_socket_serve(c->fd, &agent, c->socket->cancel);
		rpc_call_abort(call);
	}
	close(c->fd);
	g_free(c);
	return NULL;
}

/* ---- the socket */

static void *acceptor_thread(void *data)
{
	ssh_socket *s = data;
	while (wait_ready(s->listen_fd, POLLIN, s->cancel)) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) { /* without a descriptor the connection stays in the backlog: later again */
			cancel_sleep(s->cancel, ACCEPT_RETRY_MS, NULL);
			continue;
		}
		if (s->threads->len >= MAX_CONNECTIONS) {
			/* A step that opens many connections has usually closed the first: waits for the oldest. */
			g_thread_join(g_ptr_array_index(s->threads, 0));
			g_ptr_array_remove_index(s->threads, 0);
		}
		struct connection *c = g_new0(struct connection, 1);
		*c = (struct connection){s, fd};
		GThread *thread = thread_start("ssh-agent", connection_thread, c, NULL);
		if (thread) {
			g_ptr_array_add(s->threads, thread);
		} else { /* the step's program sees a closed connection */
			close(fd);
			g_free(c);
		}
	}
	for (guint i = 0; i < s->threads->len; i++)
		g_thread_join(g_ptr_array_index(s->threads, i));
	return NULL;
}

/* Creates a socket file at a path of any length: named through the directory's descriptor. */
static bool listen_beneath(ssh_socket *s, const struct ssh_socket_file *file, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	g_snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", file->dir_fd, file->name);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&address, sizeof address) != 0)
		return error_set_errno(error, errno, "create ssh agent socket");
	if (fchownat(file->dir_fd, file->name, file->uid, file->gid, AT_SYMLINK_NOFOLLOW) != 0)
		return user_namespace_owner_error(error, errno, file->uid, file->gid, "set owner of ssh agent socket");
	if (fchmodat(file->dir_fd, file->name, file->mode & 0777, 0) != 0 || listen(s->listen_fd, 64) != 0)
		return error_set_errno(error, errno, "create ssh agent socket");
	return true;
}

session *ssh_socket_find_session(session_group *g, const char *id, cancel *c, GError **error)
{
	session *found = NULL;
	GError *why = NULL;
	if (session_ssh_check(g, id, c, &found, &why))
		return found;
	if (error_is(why, ERROR_UNIMPLEMENTED)) {
		g_error_free(why);
		error_set(error, ERROR_NOT_FOUND, "no SSH key \"%s\" forwarded from the client", id);
	} else {
		g_propagate_error(error, why);
	}
	return NULL;
}

ssh_socket *ssh_socket_new(session *from, const char *id, const struct ssh_socket_file *file, cancel *c, GError **error)
{
	ssh_socket *s = g_new0(ssh_socket, 1);
	s->session = session_ref(from);
	s->id = g_strdup(*id != '\0' ? id : "default");
	s->listen_fd = -1;
	s->threads = g_ptr_array_new();
	s->cancel = cancel_new(c);
	if (!listen_beneath(s, file, error)) {
		ssh_socket_free(s);
		return NULL;
	}
	s->acceptor = thread_start("ssh-accept", acceptor_thread, s, error);
	if (s->acceptor)
		return s;
	ssh_socket_free(s);
	return NULL;
}

void ssh_socket_free(ssh_socket *s)
{
	if (s == NULL)
		return;
	cancel_set(s->cancel, ERROR_CANCELED, NULL);
	if (s->acceptor != NULL)
		g_thread_join(s->acceptor);
	fd_close(&s->listen_fd);
	g_ptr_array_unref(s->threads);
	cancel_unref(s->cancel);
	session_unref(s->session);
	g_free(s->id);
	g_free(s);
}
