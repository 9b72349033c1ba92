/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSH: forwards the user's agents. For a raw agent, bytes are copied to its socket. For other agents, messages are
 * parsed, and only requests to list keys and to sign are passed on (draft-miller-ssh-agent, section 4), to an agent
 * socket or to a key_agent with keys from files.
 */
#include "api/guard.h"
#include "base/thread.h"
#include "base/limits.h"
#include "base/scope.h"
#include "client/services_internal.h"
#include "format/gotype.h"
#include "session/ssh_agent.h"
#include "ssh.pb-c.h"
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define DEFAULT_ID "default"
#define CHUNK_BYTES 32768
#define LENGTH_BYTES 4 /* length prefix of a message */

void service_agent_free(void *data)
{
	struct service_agent *agent = data;
	g_free(agent->socket);
	if (agent->keys)
		key_agent_free(agent->keys);
	g_free(agent);
}

/* ---- --ssh */

struct agent_spec {
	char *id;
	GPtrArray *paths; /* element type: char * */
	bool raw;
};

static bool spec_parse(const char *value, struct agent_spec *spec, GError **error)
{
	const char *equals = strchr(value, '=');
	spec->id = equals ? g_strndup(value, (gsize)(equals - value)) : g_strdup(value);
	g_auto(GStrv) parts = g_strsplit(equals ? equals + 1 : "", ",", -1);
	for (char **part = parts; *part; part++) {
		if (!g_str_has_prefix(*part, "raw=")) {
			g_ptr_array_add(spec->paths, g_strdup(*part));
		} else if (!bool_parse(*part + 4, &spec->raw, error)) {
			return error_prefix(error, "invalid value for 'raw': %s: ", *part + 4);
		}
	}
	if (!spec->raw || spec->paths->len == 1)
		return true;
	g_autofree char *quoted = go_quote(spec->id);
	return error_set(error, ERROR_INVALID_ARGUMENT, "raw mode must supply exactly one socket path for %s", quoted);
}

/* Adds a path: the socket of an agent, which must be the only path, or a key file. */
static bool add_path(struct service_agent *agent, const char *path, GError **error)
{
	struct stat st;
	if (agent->socket)
		return error_set(error, ERROR_INVALID_ARGUMENT, "only single socket allowed");
	if (stat(path, &st) < 0)
		return error_set_errno(error, errno, "stat %s", path);
	if (S_ISSOCK(st.st_mode)) {
		agent->socket = g_strdup(path);
		return !agent->keys ||
		       error_set(error, ERROR_INVALID_ARGUMENT, "invalid combination of keys and sockets");
	}
	if (agent->raw)
		return error_set(error, ERROR_INVALID_ARGUMENT, "raw mode only supported with socket paths");
	ssh_key *key = ssh_key_read(path, error);
	if (!key)
		return false;
	if (!agent->keys)
		agent->keys = key_agent_new();
	key_agent_take(agent->keys, key);
	return true;
}

static bool add_paths(struct service_agent *agent, const struct agent_spec *spec, GError **error)
{
	const char *first = spec->paths->len > 0 ? spec->paths->pdata[0] : "";
	if (!*first && spec->paths->len <= 1)
		first = g_getenv("SSH_AUTH_SOCK");
	if (!first || !*first)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
	if (!add_path(agent, first, error))
		return false;
	for (guint i = 1; i < spec->paths->len; i++)
		if (!add_path(agent, spec->paths->pdata[i], error))
			return false;
	return true;
}

static bool add_agent(services *s, const struct agent_spec *spec, GError **error)
{
	const char *id = *spec->id ? spec->id : DEFAULT_ID;
	g_autofree char *quoted = go_quote(id);
	if (g_hash_table_contains(s->agents, id))
		return error_set(error, ERROR_INVALID_ARGUMENT, "duplicate agent ID %s", quoted);
	struct service_agent *agent = g_new0(struct service_agent, 1);
	agent->raw = spec->raw;
	if (add_paths(agent, spec, error)) {
		g_hash_table_insert(s->agents, g_strdup(id), agent);
		return true;
	}
	service_agent_free(agent);
	return error_prefix(error, "failed to convert agent config for ID: %s: ", quoted);
}

bool services_add_ssh(services *s, const char *value, GError **error)
{
	struct agent_spec spec = {.paths = g_ptr_array_new_with_free_func(g_free)};
	bool ok = spec_parse(value, &spec, error) && add_agent(s, &spec, error);
	g_free(spec.id);
	g_ptr_array_unref(spec.paths);
	return ok;
}

/* ---- reading and writing */

static bool write_all(int fd, const uint8_t *p, size_t n, GError **error)
{
	while (n > 0) {
		ssize_t written = send(fd, p, n, MSG_NOSIGNAL);
		if (written < 0 && errno != EINTR)
			return error_set_errno(error, errno, "write to agent");
		if (written > 0) {
			p += written;
			n -= (size_t)written;
		}
	}
	return true;
}

static bool read_all(int fd, uint8_t *p, size_t n, GError **error)
{
	while (n > 0) {
		ssize_t got = recv(fd, p, n, 0);
		if (got == 0)
			return error_set(error, ERROR_UNAVAILABLE, "agent closed the connection");
		if (got < 0 && errno != EINTR)
			return error_set_errno(error, errno, "read from agent");
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return true;
}

static int agent_dial(const struct service_agent *agent, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (g_strlcpy(address.sun_path, agent->socket, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
		error_set(error, ERROR_INVALID_ARGUMENT, "%s: path too long for a socket", agent->socket);
		return -1;
	}
	scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		error_set_errno(error, errno, "dial unix %s", agent->socket);
		return -1;
	}
	return fd_steal(&fd);
}

static bool send_bytes(rpc_call *call, const uint8_t *bytes, size_t n, GError **error)
{
	Ssh__BytesMessage m = SSH__BYTES_MESSAGE__INIT;
	m.data = (ProtobufCBinaryData){n, (uint8_t *)bytes};
	return rpc_call_send_message(call, &m, error);
}

/* ---- filtered forwarding */

/* Sends one request (complete, with its length) to the agent and its answer to the peer. */
static bool ask_socket(rpc_call *call, int fd, const uint8_t *message, size_t n, GError **error)
{
	uint8_t head[LENGTH_BYTES];
	if (!write_all(fd, message, n, error) || !read_all(fd, head, sizeof(head), error))
		return false;
	size_t length = ssh_agent_message_len(head, sizeof(head));
	if (length == SIZE_MAX)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "invalid length of an agent answer");
	g_autofree uint8_t *answer = g_malloc(length);
	memcpy(answer, head, sizeof(head));
	return read_all(fd, answer + sizeof(head), length - sizeof(head), error) &&
	       send_bytes(call, answer, length, error);
}

/* Same with a key_agent. */
static bool ask_keys(rpc_call *call, const key_agent *keys, const uint8_t *message, size_t n, GError **error)
{
	struct slice request = {message + LENGTH_BYTES, n - LENGTH_BYTES};
	g_autoptr(GByteArray) answer = key_agent_answer(keys, request);
	uint32_t length = GUINT32_TO_BE(answer->len);
	g_byte_array_prepend(answer, (const uint8_t *)&length, sizeof(length));
	return send_bytes(call, answer->data, answer->len, error);
}

/* Handles all complete requests at the start of buffer. fd: socket of the agent, if it has one. */
static bool serve_requests(rpc_call *call, const struct service_agent *agent, int fd, GByteArray *buffer,
			   GError **error)
{
	size_t n;
	bool ok = true;
	while (ok) {
		switch (ssh_agent_look(buffer->data, buffer->len, &n)) {
		case SSH_AGENT_MORE:
			return true;
		case SSH_AGENT_INVALID:
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid length of an agent request");
		case SSH_AGENT_REFUSE:
			ok = send_bytes(call, (const uint8_t *)SSH_AGENT_FAILURE_MESSAGE, SSH_AGENT_FAILURE_LEN, error);
			break;
		case SSH_AGENT_PASS:
			ok = agent->keys ? ask_keys(call, agent->keys, buffer->data, n, error)
					 : ask_socket(call, fd, buffer->data, n, error);
			break;
		}
		if (ok)
			g_byte_array_remove_range(buffer, 0, (guint)n);
	}
	return false;
}

/* Reads more bytes of the peer. Returns false at the end or on error. */
static bool receive_bytes(rpc_call *call, Ssh__BytesMessage **ret, GError **error)
{
	*ret = rpc_call_recv_message(call, &ssh__bytes_message__descriptor, error);
	return *ret != NULL;
}

static bool serve_agent(rpc_call *call, const struct service_agent *agent, int fd, GError **error)
{
	g_autoptr(GByteArray) buffer = g_byte_array_new();
	GError *failure = NULL;
	Ssh__BytesMessage *m;
	while (!failure && receive_bytes(call, &m, &failure)) {
		g_byte_array_append(buffer, m->data.data, (guint)m->data.len);
		guard_free(m);
		serve_requests(call, agent, fd, buffer, &failure);
	}
	return !failure || error_propagate(error, failure);
}

/* ---- raw forwarding */

struct pipe {
	rpc_call *call;
	int fd;
	GError *error;
};

static void *pipe_to_agent(void *data)
{
	struct pipe *p = data;
	Ssh__BytesMessage *m;
	while (!p->error && receive_bytes(p->call, &m, &p->error)) {
		write_all(p->fd, m->data.data, m->data.len, &p->error);
		guard_free(m);
	}
	/* The peer may still read after its half-close. */
	shutdown(p->fd, p->error ? SHUT_RDWR : SHUT_WR);
	return NULL;
}

static bool pipe_from_agent(struct pipe *p, GError **error)
{
	g_autofree uint8_t *chunk = g_malloc(CHUNK_BYTES);
	for (;;) {
		ssize_t n = recv(p->fd, chunk, CHUNK_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read from agent");
		if (n == 0)
			return true;
		if (!send_bytes(p->call, chunk, (size_t)n, error))
			return false;
	}
}

static bool serve_raw(rpc_call *call, int fd, GError **error)
{
	struct pipe p = {.call = call, .fd = fd};
	GThread *thread = thread_start("ssh-forward", pipe_to_agent, &p, error);
	if (!thread)
		return false;
	bool ok = pipe_from_agent(&p, error);
	if (!ok)
		rpc_call_abort(call);
	g_thread_join(thread);
	g_clear_error(&p.error);
	return ok;
}

/* ---- service */

static const struct service_agent *find_agent(services *s, const char *id, GError **error)
{
	const char *key = id && *id ? id : DEFAULT_ID;
	const struct service_agent *agent = g_hash_table_lookup(s->agents, key);
	if (!agent)
		error_set(error, ERROR_UNKNOWN, "unset ssh forward key %s", key);
	return agent;
}

static ProtobufCMessage *check_agent(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	Ssh__CheckAgentResponse reply = SSH__CHECK_AGENT_RESPONSE__INIT;
	return find_agent(data, ((const Ssh__CheckAgentRequest *)(const void *)request)->id, error)
		       ? message_copy(&reply)
		       : NULL;
}

static bool forward_agent(rpc_call *call, void *data, GError **error)
{
	const char *id = rpc_metadata_get(rpc_call_metadata(call), "buildkit.ssh.id");
	const struct service_agent *agent = find_agent(data, id, error);
	if (!agent)
		return false;
	scoped_fd fd = agent->socket ? agent_dial(agent, error) : -1;
	if (agent->socket && fd < 0)
		return error_prefix(error, "failed to dial agent %s: ", id && *id ? id : DEFAULT_ID);
	return agent->raw ? serve_raw(call, fd, error) : serve_agent(call, agent, fd, error);
}

static const struct rpc_method methods[] = {
	{.path = "/moby.sshforward.v1.SSH/CheckAgent",
	 .request = &ssh__check_agent_request__descriptor,
	 .unary = check_agent},
	{.path = "/moby.sshforward.v1.SSH/ForwardAgent", .stream = forward_agent},
};
const struct rpc_method_table service_ssh_table = {methods, G_N_ELEMENTS(methods)};
