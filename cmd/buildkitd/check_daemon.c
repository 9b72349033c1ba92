/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what the daemon itself needs, as root or as root of a user namespace. */
#include "check.h"
#include "base/scope.h"
#include "format/platform.h"
#include "os/ca_roots.h"
#include "os/mount.h"
#include "os/user_namespace.h"
#include "rpc/bind.h"
#include "snapshot/overlay.h"
#include "worker/platforms.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

static enum check_status check_identity(const struct config *config, GString *found, GString *fix)
{
	g_string_append(found, user_namespace_is_limited() ? "root of a user namespace (rootless mode)" : "root");
	return CHECK_OK;
}

static enum check_status check_kernel(const struct config *config, GString *found, GString *fix)
{
	struct utsname name;
	int major = 0, minor = 0;
	uname(&name);
	g_string_append_printf(found, "Linux %s", name.release);
	if (sscanf(name.release, "%d.%d", &major, &minor) != 2 || major * 1000 + minor >= 4018)
		return CHECK_OK;
	g_string_append(fix, "Linux 4.18 or later is needed");
	return CHECK_MISSING;
}

/* Returns the directory itself, or the nearest one above it that exists. */
static char *existing(const char *path)
{
	char *at = g_canonicalize_filename(path, NULL);
	while (strcmp(at, "/") != 0 && !g_file_test(at, G_FILE_TEST_IS_DIR)) {
		char *parent = g_path_get_dirname(at);
		g_free(at);
		at = parent;
	}
	return at;
}

static bool is_locked(const char *root)
{
	g_autofree char *path = g_build_filename(root, "buildkitd.lock", NULL);
	scoped_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static enum check_status check_state(const struct config *config, GString *found, GString *fix)
{
	g_autofree char *there = existing(config->root);
	struct statvfs fs;
	struct stat st;
	bool is_root = g_file_test(config->root, G_FILE_TEST_IS_DIR);
	g_string_append(found, config->root);
	if (access(there, W_OK | X_OK) != 0 || stat(there, &st) != 0 || statvfs(there, &fs) != 0) {
		g_string_append_printf(found, ": %s: %s", there, g_strerror(errno));
		g_string_append(fix, "give the directory to the user of the daemon, or choose another one with --root");
		return CHECK_MISSING;
	}
	if (is_root && st.st_uid != geteuid()) {
		g_string_append_printf(found, " is owned by uid %u", st.st_uid);
		g_string_append_printf(fix, "chown it, or choose another directory with --root");
		return CHECK_MISSING;
	}
	double free_gb = (double)fs.f_bavail * (double)fs.f_frsize / 1e9;
	g_string_append_printf(found, ", %.1f GB free%s", free_gb,
			       is_root && is_locked(config->root) ? ", used by a running daemon" : "");
	if (free_gb >= 1)
		return CHECK_OK;
	g_string_append(fix, "free disk space, or choose another directory with --root");
	return CHECK_NOTE;
}

/* ---- addresses */

static bool answers(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	g_strlcpy(address.sun_path, path, sizeof address.sun_path);
	scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

static enum check_status check_unix(const char *path, GString *found, GString *fix)
{
	g_autofree char *parent = g_path_get_dirname(path);
	g_autofree char *there = existing(parent);
	if (answers(path)) {
		g_string_append(found, " (a process listens there)");
		return CHECK_NOTE;
	}
	if (access(there, W_OK | X_OK) == 0)
		return CHECK_OK;
	g_string_append_printf(found, ": %s: %s", there, g_strerror(errno));
	g_string_append(fix, "choose another address with --addr");
	return CHECK_MISSING;
}

static enum check_status check_tcp(const char *address, GString *found, GString *fix)
{
	struct bound bound;
	g_autoptr(GError) error = NULL;
	if (bind_address(address, NULL, &bound, &error)) {
		bound_clear(&bound);
		return CHECK_OK;
	}
	g_string_append_printf(found, ": %s", error->message);
	g_string_append(fix, "end the process that uses the port, or choose another address with --addr");
	return CHECK_MISSING;
}

static enum check_status check_address(const char *address, GString *found, GString *fix)
{
	g_string_append_printf(found, "%s%s", found->len > 0 ? ", " : "", address);
	if (g_str_has_prefix(address, "unix://"))
		return check_unix(address + strlen("unix://"), found, fix);
	if (g_str_has_prefix(address, "tcp://"))
		return check_tcp(address, found, fix);
	if (strcmp(address, "fd://") == 0)
		return CHECK_OK;
	g_string_append(found, ": not an address");
	g_string_append(fix, "use unix://PATH, tcp://HOST:PORT or fd://");
	return CHECK_MISSING;
}

static enum check_status check_addresses(const struct config *config, GString *found, GString *fix)
{
	enum check_status worst = CHECK_OK;
	for (char **a = config->addresses; a && *a; a++) {
		enum check_status one = check_address(*a, found, fix);
		worst = MAX(worst, one);
	}
	return worst;
}

static enum check_status check_tls(const struct config *config, GString *found, GString *fix)
{
	const char *const files[] = {config->tls_cert, config->tls_key, config->tls_ca};
	size_t n = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		if (*files[i] == '\0')
			continue;
		n++;
		if (access(files[i], R_OK) != 0) {
			g_string_append_printf(found, "%s: %s", files[i], g_strerror(errno));
			g_string_append(fix, "see --tlscert, --tlskey and --tlscacert");
			return CHECK_MISSING;
		}
	}
	g_string_append_printf(found, n > 0 ? "%zu files" : "not configured", n);
	return CHECK_OK;
}

/* ---- storage */

static bool overlay_works(const struct config *config, GError **error)
{
	g_autofree char *there = existing(config->root);
	char *mounts = NULL;
	bool can_clone, works = !mount_is_old() || check_mounts_begin(&mounts, error);
	scoped_fd fd = works ? open(there, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (works && fd < 0)
		works = error_set_errno(error, errno, "open %s", there);
	works = works && overlay_probe(fd, &can_clone, error);
	check_mounts_end(mounts);
	return works;
}

static enum check_status check_overlay(const struct config *config, GString *found, GString *fix)
{
	g_autoptr(GError) error = NULL;
	if (overlay_works(config, &error)) {
		g_string_append(found, "works on the file system of the state directory");
		return CHECK_OK;
	}
	g_string_append(found, error->message);
	g_string_append(fix, "use ext4, xfs or btrfs for the state directory (in a container: a volume); in a user "
			     "namespace Linux 5.11 or later is needed. Without overlay, trees are copied");
	return strcmp(config->oci.options.snapshotter, "overlayfs") == 0 ? CHECK_MISSING : CHECK_NOTE;
}

/* ---- processes */

static enum check_status check_runtime(const struct config *config, GString *found, GString *fix)
{
	const char *binary = config->oci.options.executor.binary;
	g_autofree char *path = executor_find_binary(binary);
	if (config->oci.enabled == TRISTATE_FALSE) {
		g_string_append(found, "not required: the OCI worker is disabled");
		return CHECK_OK;
	}
	if (path) {
		g_string_append(found, path);
		return CHECK_OK;
	}
	g_string_append_printf(found, "%s is not in PATH", *binary != '\0' ? binary : "neither buildkit-runc nor runc");
	g_string_append(fix, "install buildkit-runc beside buildkitd, or the package runc");
	return CHECK_MISSING;
}

/* Returns the cgroup of this process in the unified hierarchy, or NULL. */
static char *own_cgroup(void)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL))
		return NULL;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i]; i++)
		if (g_str_has_prefix(lines[i], "0::"))
			return g_strdup(lines[i] + 3);
	return NULL;
}

static enum check_status check_cgroup(const struct config *config, GString *found, GString *fix)
{
	bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	bool limited = user_namespace_is_limited();
	const char *parent = config->oci.options.executor.cgroup_parent;
	g_autofree char *own = own_cgroup();
	g_autofree char *path = g_strconcat("/sys/fs/cgroup/", v2 ? "" : "pids/",
					    limited && v2 && own && !(parent && *parent) ? own
					    : parent                                     ? parent
											 : "",
					    NULL);
	g_autofree char *there = existing(path);
	g_string_append_printf(found, "v%d", v2 ? 2 : 1);
	if (access("/sys/fs/cgroup", F_OK) != 0)
		g_string_assign(found, "not mounted");
	else if (access(there, W_OK | X_OK) == 0 && (!limited || strcmp(there, path) == 0 || !v2)) {
		g_string_append_printf(found, ", %s can be used", there);
		return CHECK_OK;
	}
	g_string_append_printf(found, ", %s cannot be used: steps have no limits of memory and processes", there);
	g_string_append(fix, limited ? "delegate a cgroup: a unit of systemd with Delegate=yes (see docs/rootless.md)"
				     : "mount /sys/fs/cgroup writable");
	return CHECK_NOTE;
}

static enum check_status check_containerd(const struct config *config, GString *found, GString *fix)
{
	const char *address = config->containerd.options.containerd.address;
	if (config->containerd.enabled != TRISTATE_TRUE) {
		g_string_append(found, "not required");
		return CHECK_OK;
	}
	g_string_append(found, address);
	if (g_str_has_prefix(address, "tcp://") || answers(address))
		return CHECK_OK;
	g_string_append(found, ": no process listens there");
	g_string_append(fix, "start containerd, or give its socket with --containerd-worker-addr");
	return CHECK_MISSING;
}

/* ---- programs and files of sources */

static enum check_status check_git(const struct config *config, GString *found, GString *fix)
{
	enum check_status status = check_program("git", "git", CHECK_NOTE, found, fix);
	if (status != CHECK_OK)
		g_string_append(found, ": no git sources");
	return status;
}

static enum check_status check_gpgv(const struct config *config, GString *found, GString *fix)
{
	enum check_status status = check_program("gpgv", "gpgv", CHECK_NOTE, found, fix);
	if (status != CHECK_OK)
		g_string_append(found, ": OpenPGP signatures of sources cannot be verified");
	return status;
}

static enum check_status check_ssh_keygen(const struct config *config, GString *found, GString *fix)
{
	enum check_status status = check_program("ssh-keygen", "openssh-client", CHECK_NOTE, found, fix);
	if (status != CHECK_OK)
		g_string_append(found, ": SSH signatures of git sources cannot be verified");
	return status;
}

static enum check_status check_certificates(const struct config *config, GString *found, GString *fix)
{
	if (!ca_roots_is_empty(ca_roots_system())) {
		g_string_append(found, "found");
		return CHECK_OK;
	}
	g_string_append(found, "no certificate authorities: registries with TLS cannot be verified");
	g_string_append(fix, "install the package ca-certificates");
	return CHECK_NOTE;
}

static enum check_status check_platforms(const struct config *config, GString *found, GString *fix)
{
	size_t n;
	platform_list *detected = platform_list_new(PLATFORMS_BINFMT, NULL, 0, -1);
	const struct platform *list = platform_list_get(detected, &n);
	for (size_t i = 0; i < n; i++) {
		g_autofree char *text = platform_format(&list[i]);
		g_string_append_printf(found, "%s%s", i > 0 ? " " : "", text);
	}
	platform_list_free(detected);
	return CHECK_OK;
}

/* The step is last: it moves the process to another mount namespace. */
const struct check check_daemon[] = {
	{"user", check_identity},
	{"kernel", check_kernel},
	{"state-directory", check_state},
	{"addresses", check_addresses},
	{"tls", check_tls},
	{"overlay", check_overlay},
	{"runtime", check_runtime},
	{"cgroup", check_cgroup},
	{"containerd", check_containerd},
	{"git", check_git},
	{"gpgv", check_gpgv},
	{"ssh-keygen", check_ssh_keygen},
	{"certificates", check_certificates},
	{"platforms", check_platforms},
	{"step", check_step},
	{NULL, NULL},
};
