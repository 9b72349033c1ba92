/* SPDX-License-Identifier: Apache-2.0 */
#include "network/users.h"
#include "base/ident.h"
#include "base/scope.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define OWNER "/owner"

struct network_users {
	char *bridge;
	char id[IDENT_SIZE];
	int user, owner; /* owned; -1: none */
};

static char *prefix_of(const char *bridge)
{
	return g_strdup_printf("buildkit-bridge/%s/", bridge);
}

static int bind_abstract(const char *name, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_return_val_if_fail(n < sizeof address.sun_path, -1);
	memcpy(address.sun_path + 1, name, n);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0)
		return fd_steal(&fd);
	error_set_errno(error, errno, "bind @%s", name);
	return -1;
}

network_users *network_users_join(const char *bridge, GError **error)
{
	network_users *u = g_new0(network_users, 1);
	ident_new(u->id);
	u->bridge = g_strdup(bridge);
	u->owner = -1;
	g_autofree char *prefix = prefix_of(bridge);
	g_autofree char *name = g_strconcat(prefix, u->id, NULL);
	u->user = bind_abstract(name, error);
	if (u->user >= 0)
		return u;
	network_users_leave(u);
	return NULL;
}

bool network_users_own(network_users *u, GError **error)
{
	g_autofree char *prefix = prefix_of(u->bridge);
	g_autofree char *name = g_strconcat(prefix, u->id, OWNER, NULL);
	u->owner = bind_abstract(name, error);
	return u->owner >= 0;
}

void network_users_leave(network_users *u)
{
	if (!u)
		return;
	fd_close(&u->user);
	fd_close(&u->owner);
	g_free(u->bridge);
	g_free(u);
}

/* Looks for an address with the suffix among those of the bridge, except those with the id. */
static bool find(const char *bridge, const char *suffix, const char *except)
{
	g_autofree char *prefix = prefix_of(bridge);
	char *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *file = fopen("/proc/self/net/unix", "re");
	while (file && !found && getline(&line, &size, file) >= 0) {
		const char *at = strchr(line, '@');
		g_strchomp(line);
		if (!at || !g_str_has_prefix(at + 1, prefix) || !g_str_has_suffix(at, suffix))
			continue;
		found = !except || !g_str_has_prefix(at + 1 + strlen(prefix), except);
	}
	if (file)
		fclose(file);
	free(line);
	return found;
}

bool network_users_have_owner(const network_users *u)
{
	return find(u->bridge, OWNER, u->id);
}

bool network_bridge_is_used(const char *bridge)
{
	return find(bridge, "", NULL);
}
