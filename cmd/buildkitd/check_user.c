/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a user other than root: what rootlesskit needs to create a user namespace. */
#include "check.h"
#include "check_ids.h"
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static enum check_status check_namespaces(const struct config *config, GString *found, GString *fix)
{
	int64_t max = check_number("/proc/sys/user/max_user_namespaces", 0);
	if (max <= 0) {
		g_string_append(found, "user namespaces are disabled (user.max_user_namespaces is 0)");
		g_string_append(fix, "sysctl -w user.max_user_namespaces=28633");
		return CHECK_MISSING;
	}
	if (check_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0) {
		g_string_append(found, "user namespaces are reserved for root (kernel.unprivileged_userns_clone is 0)");
		g_string_append(fix, "sysctl -w kernel.unprivileged_userns_clone=1");
		return CHECK_MISSING;
	}
	if (check_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) != 0) {
		g_string_append(found, "AppArmor restricts user namespaces "
				       "(kernel.apparmor_restrict_unprivileged_userns is 1)");
		g_string_append(fix, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile "
				     "of rootlesskit with \"userns,\"");
		return CHECK_MISSING;
	}
	g_string_append_printf(found, "at most %" G_GINT64_FORMAT, max);
	return CHECK_OK;
}

static const char *user_name(void)
{
	const struct passwd *row = getpwuid(getuid());
	return row ? row->pw_name : NULL;
}

static enum check_status check_subuid(const struct config *config, GString *found, GString *fix)
{
	const struct check_ids ids = {"/etc/subuid", "subuids", user_name(), getuid()};
	return check_ids(&ids, found, fix);
}

static enum check_status check_subgid(const struct config *config, GString *found, GString *fix)
{
	const struct check_ids ids = {"/etc/subgid", "subgids", user_name(), getgid()};
	return check_ids(&ids, found, fix);
}

/* The programs write id maps of other users' ids, with privileges of their file. */
static enum check_status check_privileged(const char *name, GString *found, GString *fix)
{
	struct stat st;
	if (check_program(name, "uidmap", CHECK_MISSING, found, fix) != CHECK_OK)
		return CHECK_MISSING;
	bool privileged = stat(found->str, &st) == 0 && (((st.st_mode & S_ISUID) != 0 && st.st_uid == 0) ||
							 getxattr(found->str, "security.capability", NULL, 0) > 0);
	if (!privileged) {
		g_string_append(found, " is neither setuid root nor has file capabilities");
		g_string_append_printf(fix, "as root: chmod u+s %s", name);
		return CHECK_MISSING;
	}
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
		g_string_append(found, " cannot gain privileges: no_new_privs is set");
		g_string_append(fix, "allow it in the container (Kubernetes: allowPrivilegeEscalation: true) or unit "
				     "(NoNewPrivileges=no)");
		return CHECK_MISSING;
	}
	return CHECK_OK;
}

static enum check_status check_newuidmap(const struct config *config, GString *found, GString *fix)
{
	return check_privileged("newuidmap", found, fix);
}

static enum check_status check_newgidmap(const struct config *config, GString *found, GString *fix)
{
	return check_privileged("newgidmap", found, fix);
}

static enum check_status check_rootlesskit(const struct config *config, GString *found, GString *fix)
{
	return check_program("rootlesskit", "rootlesskit", CHECK_MISSING, found, fix);
}

/* rootlesskit --net=host needs none of them. */
static enum check_status check_network(const struct config *config, GString *found, GString *fix)
{
	enum check_status status = check_program("slirp4netns", "slirp4netns", CHECK_NOTE, found, fix);
	if (status != CHECK_OK)
		g_string_append(found, ": only the network of the host (--net=host) can be used");
	else if (access("/dev/net/tun", R_OK | W_OK) != 0) {
		g_string_append_printf(found, ", but /dev/net/tun cannot be used: %s", g_strerror(errno));
		g_string_append(fix, "as root: modprobe tun; chmod 666 /dev/net/tun");
		return CHECK_NOTE;
	}
	return status;
}

static enum check_status check_ping(const struct config *config, GString *found, GString *fix)
{
	g_autofree char *text = NULL;
	long long first = 1, last = 0;
	if (g_file_get_contents("/proc/sys/net/ipv4/ping_group_range", &text, NULL, NULL))
		sscanf(text, "%lld %lld", &first, &last);
	if (first <= getgid() && getgid() <= last) {
		g_string_append(found, "allowed");
		return CHECK_OK;
	}
	g_string_append(found, "steps in the network of the host cannot ping");
	g_string_append(fix, "as root: sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"");
	return CHECK_NOTE;
}

static enum check_status check_runtime_dir(const struct config *config, GString *found, GString *fix)
{
	const char *path = g_getenv("XDG_RUNTIME_DIR");
	if (path && *path != '\0' && access(path, W_OK | X_OK) == 0) {
		g_string_append(found, path);
		return CHECK_OK;
	}
	if (path && *path != '\0')
		g_string_append_printf(found, "XDG_RUNTIME_DIR is %s: %s", path, g_strerror(errno));
	else
		g_string_append(found, "XDG_RUNTIME_DIR is not set");
	g_string_append(fix, "log in through PAM (as root: loginctl enable-linger USER), or set XDG_RUNTIME_DIR to a "
			     "directory of the user");
	return CHECK_MISSING;
}

static enum check_status check_name(const struct config *config, GString *found, GString *fix)
{
	const char *name = g_getenv("USER");
	g_string_append_printf(found, "uid %u, USER=%s", getuid(), name ? name : "");
	if (name && *name != '\0' && strcmp(name, "root") != 0)
		return CHECK_OK;
	g_string_append(found, ": the default paths are those of root");
	g_string_append(fix, "set USER to the name of the user, or give --root, --addr and --config");
	return CHECK_NOTE;
}

const struct check check_user[] = {
	{"user", check_name},
	{"user-namespaces", check_namespaces},
	{"subuid", check_subuid},
	{"subgid", check_subgid},
	{"newuidmap", check_newuidmap},
	{"newgidmap", check_newgidmap},
	{"rootlesskit", check_rootlesskit},
	{"network", check_network},
	{"ping", check_ping},
	{"runtime-dir", check_runtime_dir},
	{NULL, NULL},
};
