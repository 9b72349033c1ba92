/* SPDX-License-Identifier: Apache-2.0 */
#include "network/netns.h"
#include "base/scope.h"
#include "base/thread.h"
#include "network/rtnetlink.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* ---- threads in a namespace */

struct visit {
	int ns_fd; /* -1: a new namespace, which is returned here */
	bool (*fn)(void *data, GError **error);
	void *data;
	GError *error;
	bool ok;
};

static bool enter(struct visit *v)
{
	if (v->ns_fd >= 0)
		return setns(v->ns_fd, CLONE_NEWNET) == 0 ||
		       error_set_errno(&v->error, errno, "enter network namespace");
	if (unshare(CLONE_NEWNET) != 0)
		return error_set_errno(&v->error, errno, "create network namespace");
	v->ns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return v->ns_fd >= 0 || error_set_errno(&v->error, errno, "open network namespace");
}

static void *visit_run(void *data)
{
	struct visit *v = data;
	v->ok = enter(v) && v->fn(v->data, &v->error);
	return NULL;
}

/* Runs fn on a thread in the namespace. */
static bool visit(struct visit *v, GError **error)
{
	GThread *thread = thread_start("netns", visit_run, v, error);
	if (!thread)
		return false;
	g_thread_join(thread);
	return v->ok || (g_propagate_error(error, v->error), false);
}

/* ---- creation and removal */

static bool raise_loopback(GError **error)
{
	struct ifreq request = {.ifr_name = "lo"};
	scoped_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		return error_set_errno(error, errno, "find the loopback interface");
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ||
	       error_set_errno(error, errno, "bring up the loopback interface");
}

static bool set_up(void *data, GError **error)
{
	const char *path = data;
	return raise_loopback(error) && (mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) == 0 ||
					 error_set_errno(error, errno, "mount network namespace on %s", path));
}

int netns_create(const char *path, GError **error)
{
	scoped_fd file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file < 0) {
		error_set_errno(error, errno, "create %s", path);
		return -1;
	}
	struct visit v = {.ns_fd = -1, .fn = set_up, .data = (void *)(gsize)path};
	bool ok = visit(&v, error);
	scoped_fd fd = v.ns_fd;
	if (ok)
		return fd_steal(&fd);
	unlink(path);
	return -1;
}

int netns_open(const char *path, GError **error)
{
	struct statfs st;
	scoped_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstatfs(fd, &st) != 0) {
		error_set_errno(error, errno, "open network namespace %s", path);
		return -1;
	}
	if (st.f_type == NSFS_MAGIC)
		return fd_steal(&fd);
	error_set(error, ERROR_NOT_FOUND, "no network namespace is mounted on %s", path);
	return -1;
}

bool netns_remove(const char *path, GError **error)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT)
		return error_set_errno(error, errno, "unmount network namespace %s", path);
	return unlink(path) == 0 || errno == ENOENT || error_set_errno(error, errno, "remove %s", path);
}

/* ---- sockets */

#define BACKLOG 128

struct opening {
	const char *address; /* to listen on */
	int family, type, protocol;
	int fd; /* owned; the result */
	uint16_t port;
};

static bool open_socket(void *data, GError **error)
{
	struct opening *o = data;
	o->fd = socket(o->family, o->type | SOCK_CLOEXEC, o->protocol);
	return o->fd >= 0 || error_set_errno(error, errno, "socket");
}

/*
 * With an address that is not a loopback one, resolvers in the namespace consider IPv4 usable (getaddrinfo(3),
 * AI_ADDRCONFIG).
 */
static bool listen_in(void *data, GError **error)
{
	struct opening *o = data;
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t n = sizeof at;
	g_autofree char *with_prefix = g_strconcat(o->address, "/32", NULL);
	if (inet_pton(AF_INET, o->address, &at.sin_addr) != 1)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid address \"%s\"", o->address);
	if (!rtnetlink_add_address("lo", with_prefix, error))
		return false;
	scoped_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		return error_set_errno(error, errno, "listen on %s", o->address);
	o->port = ntohs(at.sin_port);
	o->fd = fd_steal(&fd);
	return true;
}

static int open_in(int ns_fd, bool (*fn)(void *data, GError **error), struct opening *o, GError **error)
{
	struct visit v = {.ns_fd = ns_fd, .fn = fn, .data = o};
	o->fd = -1;
	return visit(&v, error) ? o->fd : -1;
}

int netns_listen(int ns_fd, const char *address, uint16_t *ret_port, GError **error)
{
	struct opening o = {.address = address};
	int fd = open_in(ns_fd, listen_in, &o, error);
	if (fd >= 0)
		*ret_port = o.port;
	return fd;
}

int netns_socket(int ns_fd, int family, int type, int protocol, GError **error)
{
	struct opening o = {.family = family, .type = type, .protocol = protocol};
	return open_in(ns_fd, open_socket, &o, error);
}

/* ---- links */

struct interface {
	const char *name;
	const GPtrArray *addresses;
};

static bool make_interface(void *data, GError **error)
{
	const struct interface *i = data;
	if (!rtnetlink_add_veth(i->name, "peer", error))
		return false;
	for (guint k = 0; k < i->addresses->len; k++)
		if (!rtnetlink_add_address(i->name, g_ptr_array_index(i->addresses, k), error))
			return false;
	return true;
}

bool netns_add_interface(int ns_fd, const char *name, const GPtrArray *addresses, GError **error)
{
	struct interface i = {name, addresses};
	struct visit v = {.ns_fd = ns_fd, .fn = make_interface, .data = &i};
	return visit(&v, error);
}

bool netns_is_bridge(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (char *)&info};
	scoped_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || g_strlcpy(request.ifr_name, name, sizeof request.ifr_name) >= sizeof request.ifr_name)
		return false;
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && g_str_equal(info.driver, "bridge");
}

bool netns_remove_bridge(const char *name, GError **error)
{
	struct ifreq request = {0};
	scoped_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set_errno(error, errno, "socket");
	if (!netns_is_bridge(name))
		return error_set(error, ERROR_NOT_FOUND, "\"%s\" is not a bridge", name);
	/* A bridge that is up cannot be removed. */
	g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		return error_set_errno(error, errno, "find bridge \"%s\"", name);
	request.ifr_flags &= (short)~IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0 || ioctl(fd, SIOCBRDELBR, name) != 0)
		return error_set_errno(error, errno, "remove bridge \"%s\"", name);
	return true;
}
