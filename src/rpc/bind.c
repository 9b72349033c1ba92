/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/bind.h"
#include "base/scope.h"
#include "rpc/address.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define UNIX_PATH_BYTES 104
#define BACKLOG 1024

/* A socket that accepts connections is in use; one that refuses them was left by a terminated daemon. */
static bool remove_stale(const char *path, const struct sockaddr_un *address, GError **error)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT || error_set_errno(error, errno, "stat %s", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(error, ERROR_ALREADY_EXISTS, "%s exists and is not a socket", path);
	scoped_fd probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return error_set_errno(error, errno, "socket");
	if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return error_set(error, ERROR_ALREADY_EXISTS, "listen unix %s: address already in use", path);
	if (errno == ECONNREFUSED && unlink(path) < 0)
		return error_set_errno(error, errno, "unlink %s", path);
	return true;
}

static bool make_parent(const char *path, const struct rpc_listen_options *options, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);
	if (g_file_test(parent, G_FILE_TEST_IS_DIR))
		return true;
	if (g_mkdir_with_parents(parent, 0770) < 0)
		return error_set_errno(error, errno, "mkdir %s", parent);
	if (options && chown(parent, options->uid, options->gid) < 0)
		return error_set_errno(error, errno, "chown %s", parent);
	return true;
}

static bool give_to(const char *path, const struct rpc_listen_options *options, GError **error)
{
	mode_t mode = options && options->socket_mode ? options->socket_mode : 0660;
	if (options && (options->uid != geteuid() || options->gid != getegid()) &&
	    lchown(path, options->uid, options->gid) < 0)
		return error_set_errno(error, errno, "chown %s", path);
	return chmod(path, mode) >= 0 || error_set_errno(error, errno, "chmod %s", path);
}

static bool bind_unix(const char *path, const struct rpc_listen_options *options, struct bound *ret, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) > UNIX_PATH_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "failed to create unix socket on %s: \"%s\": unix socket path too long (> %d)", path,
				 path, UNIX_PATH_BYTES);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!make_parent(path, options, error) || !remove_stale(path, &address, error))
		return false;
	scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(error, errno, "socket");
	/* Listens last, so that no client connects before mode and owner are set. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(error, errno, "listen unix %s: bind", path);
	if (!give_to(path, options, error))
		return false;
	if (listen(fd, BACKLOG) < 0)
		return error_set_errno(error, errno, "listen unix %s", path);
	if (lstat(path, &ret->made) < 0)
		return error_set_errno(error, errno, "stat %s", path);
	ret->fd = fd_steal(&fd);
	ret->path = g_strdup(path);
	return true;
}

/* Returns -1 and errno on failure. */
static int bind_one(const struct addrinfo *address)
{
	scoped_fd fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	int off = 0;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -1;
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return fd_steal(&fd);
}

static bool bind_host(const char *host_port, struct bound *ret, GError **error)
{
	struct addrinfo *list = address_resolve(host_port, true, error);
	if (!list)
		return false;
	/* Without a host it listens on all addresses, with an IPv6 socket if IPv6 is available. */
	scoped_fd fd = -1;
	for (const struct addrinfo *one = list; *host_port == ':' && one && fd < 0; one = one->ai_next)
		if (one->ai_family == AF_INET6)
			fd = bind_one(one);
	if (fd < 0)
		fd = bind_one(list);
	if (fd < 0)
		error_set_errno(error, errno, "listen tcp %s", host_port);
	freeaddrinfo(list);
	ret->fd = fd_steal(&fd);
	return ret->fd >= 0;
}

bool bind_address(const char *address, const struct rpc_listen_options *options, struct bound *ret, GError **error)
{
	const char *rest;
	*ret = (struct bound){.fd = -1};
	switch (address_parse(address, &rest, error)) {
	case ADDRESS_UNIX:
		return bind_unix(rest, options, ret, error);
	case ADDRESS_TCP:
		return bind_host(rest, ret, error);
	case ADDRESS_INVALID:
		break;
	}
	return false;
}

void bound_clear(struct bound *b)
{
	struct stat now;
	if (b->path && lstat(b->path, &now) == 0 && now.st_ino == b->made.st_ino && now.st_dev == b->made.st_dev)
		unlink(b->path);
	fd_close(&b->fd);
	g_clear_pointer(&b->path, g_free);
}
