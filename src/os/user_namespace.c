/* SPDX-License-Identifier: Apache-2.0 */
#include "os/user_namespace.h"
#include "base/scope.h"
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

bool user_namespace_map_is_limited(const char *map)
{
	unsigned long long inside, outside, count;
	if (sscanf(map, "%llu %llu %llu", &inside, &outside, &count) != 3)
		return *map != '\0'; /* empty: no id is mapped yet, which is so only before the daemon could run */
	return inside != 0 || outside != 0 || count != UINT32_MAX;
}

bool user_namespace_is_limited(void)
{
	static gint known; /* 1: no, 2: yes */
	gint value = g_atomic_int_get(&known);
	if (value == 0) {
		g_autofree char *map = NULL;
		/* A kernel without user namespaces has no such file. */
		bool limited = g_file_get_contents("/proc/self/uid_map", &map, NULL, NULL) &&
			       user_namespace_map_is_limited(map);
		value = limited ? 2 : 1;
		g_atomic_int_set(&known, value);
	}
	return value == 2;
}

bool user_namespace_owns_network(void)
{
	struct stat own, owner;
	scoped_fd user = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	scoped_fd network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (user < 0 || network < 0)
		return true;
	scoped_fd fd = ioctl(network, NS_GET_USERNS);
	/* EPERM: it belongs to a namespace above this one. */
	if (fd < 0)
		return errno != EPERM;
	return fstat(user, &own) != 0 || fstat(fd, &owner) != 0 || own.st_ino == owner.st_ino;
}

bool user_namespace_owner_error(GError **error, int errnum, uid_t uid, gid_t gid, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	if (errnum != EINVAL || !user_namespace_is_limited())
		return error_set_errno(error, errnum, "%s", what);
	return error_set(error, ERROR_INVALID_ARGUMENT,
			 "%s: uid %u or gid %u is not mapped in the user namespace (Hint: try increasing the number of "
			 "subordinate IDs in /etc/subuid and /etc/subgid)",
			 what, uid, gid);
}
