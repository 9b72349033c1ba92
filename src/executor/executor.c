/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step's way: entitlements, bundle directory with the root and mount sources attached, user, working directory,
 * mount stubs, spec, one run of the runtime, cgroup and state removed, stubs removed, bundle gone. The bundle exists
 * before anything else of a step does and goes last, so that what a crash left is found by the bundles alone.
 */
#include "executor/executor.h"
#include "executor/bundle.h"
#include "executor/cgroup.h"
#include "executor/names.h"
#include "executor/runtime.h"
#include "executor/seccomp.h"
#include "executor/spec.h"
#include "executor/step_log.h"
#include "executor/stubs.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/scope.h"
#include "format/json_writer.h"
#include "os/mount.h"
#include "os/passwd.h"
#include "os/path.h"
#include "os/tree.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define STATE_DIR "runc"
#define CGROUP_FILE "cgroup"

struct executor {
	char *path, *state_path; /* <root>/executor, its runtime state */
	int fd, state_fd;        /* owned */
	char *binary, *cgroup_parent, *apparmor_profile;
	char *seccomp; /* NULL: none */
	char **caps;
	char **nameservers, **dns_options, **dns_search;
	struct names_files names;
	struct cgroups cgroups;
	bool allow_network_host, allow_security_insecure;
};

/* ---- start and end */

static char *find_binary(const char *wanted, GError **error)
{
	static const char *const candidates[] = {"buildkit-runc", "runc", NULL};
	const char *const one[] = {wanted, NULL};
	const char *const *list = wanted != NULL && *wanted != '\0' ? one : candidates;
	const char *last = NULL;
	for (size_t i = 0; list[i] != NULL; i++) {
		char *path = g_find_program_in_path(list[i]);
		if (path != NULL)
			return path;
		last = list[i];
	}
	error_set(error, ERROR_NOT_FOUND, "failed to find %s binary", last);
	return NULL;
}

/* The cgroup of a step of an earlier life, as its bundle tells. */
static char *leftover_cgroup(int bundle_fd)
{
	g_autoptr(GBytes) bytes = path_read(bundle_fd, CGROUP_FILE, PATH_MAX, PATH_BENEATH, NULL);
	return bytes ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)) : NULL;
}

static void remove_leftover(executor *e, const char *id)
{
	scoped_fd fd = openat(e->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	g_autofree char *cgroup = leftover_cgroup(fd);
	if (cgroup != NULL)
		cgroup_remove(&e->cgroups, cgroup, 5000);
	tree_remove_at(e->fd, id, NULL);
}

/* Processes first: the mounts of their namespaces go with them. Then mounts of ours, then files. */
static void remove_leftovers(executor *e)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	int fd = openat(e->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.' && !g_str_equal(entry->d_name, STATE_DIR))
			g_ptr_array_add(ids, g_strdup(entry->d_name));
	}
	if (d != NULL)
		closedir(d);
	if (ids->len > 0)
		mount_sweep_below(e->path);
	for (guint i = 0; i < ids->len; i++)
		remove_leftover(e, g_ptr_array_index(ids, i));
	tree_remove_contents(e->state_fd, NULL);
}

static int open_directory(int parent_fd, const char *name, mode_t mode, GError **error)
{
	if (mkdirat(parent_fd, name, mode) != 0 && errno != EEXIST) {
		error_set_errno(error, errno, "mkdir %s", name);
		return -1;
	}
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", name);
	return fd;
}

static bool executor_open_directories(executor *e, const struct executor_options *o, GError **error)
{
	e->path = g_strconcat(o->root_path, "/executor", NULL);
	e->state_path = g_strconcat(e->path, "/" STATE_DIR, NULL);
	e->fd = open_directory(o->root_fd, "executor", 0711, error);
	if (e->fd < 0)
		return false;
	e->state_fd = open_directory(e->fd, STATE_DIR, 0700, error);
	return e->state_fd >= 0;
}

executor *executor_new(const struct executor_options *options, GError **error)
{
	executor *e = g_new0(executor, 1);
	e->fd = e->state_fd = -1;
	e->binary = find_binary(options->binary, error);
	if (e->binary == NULL || !executor_open_directories(e, options, error)) {
		executor_free(e);
		return NULL;
	}
	e->cgroup_parent = g_strdup(options->cgroup_parent);
	e->apparmor_profile = g_strdup(options->apparmor_profile);
	e->allow_network_host = options->allow_network_host;
	e->allow_security_insecure = options->allow_security_insecure;
	e->caps = spec_current_caps();
	e->nameservers = g_strdupv((char **)options->dns_nameservers);
	e->dns_options = g_strdupv((char **)options->dns_options);
	e->dns_search = g_strdupv((char **)options->dns_search);
	if (!options->no_seccomp && seccomp_is_supported())
		e->seccomp = seccomp_json(spec_default_caps);
	cgroups_init(&e->cgroups);
	remove_leftovers(e);
	cgroup_limit_parent(&e->cgroups, e->cgroup_parent);
	const struct names_overrides overrides = {
		.nameservers = (const char *const *)e->nameservers,
		.options = (const char *const *)e->dns_options,
		.search = (const char *const *)e->dns_search,
	};
	if (!names_files_init(&e->names, e->fd, &overrides, error)) {
		executor_free(e);
		return NULL;
	}
	return e;
}

void executor_free(executor *e)
{
	if (e == NULL)
		return;
	names_files_done(&e->names);
	cgroups_done(&e->cgroups);
	fd_close(&e->state_fd);
	fd_close(&e->fd);
	g_strfreev(e->caps);
	g_strfreev(e->nameservers);
	g_strfreev(e->dns_options);
	g_strfreev(e->dns_search);
	g_free(e->seccomp);
	g_free(e->apparmor_profile);
	g_free(e->cgroup_parent);
	g_free(e->binary);
	g_free(e->state_path);
	g_free(e->path);
	g_free(e);
}

const char *executor_binary(const executor *e)
{
	return e->binary;
}

/* ---- a step */

/* On every road to a running process, so asked here and not where requests are read (CVE-2024-23653). */
static bool check_step(const executor *e, const struct step *step, GError **error)
{
	switch (step->network) {
	case STEP_NETWORK_DEFAULT:
	case STEP_NETWORK_NONE:
		break;
	case STEP_NETWORK_HOST:
		if (!e->allow_network_host)
			return error_set(error, ERROR_PERMISSION_DENIED, "network.host is not allowed");
		break;
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "unknown network mode %d", (int)step->network);
	}
	if (step->insecure && !e->allow_security_insecure)
		return error_set(error, ERROR_PERMISSION_DENIED, "security.insecure is not allowed");
	if (step->args == NULL || step->args[0] == NULL)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid exec op with no args");
	return true;
}

static const char *attach_mount(bundle *b, const struct step_mount *m, bool *ret_directory, GError **error)
{
	const char *whole = m->shared ? bundle_bind(b, m->fd, ret_directory, error) :
					bundle_attach(b, m->fd, NULL, ret_directory, error);
	g_autofree char *rooted = g_strconcat("/", m->selector, NULL);
	g_autofree char *selector = path_clean(rooted);
	if (whole == NULL || g_str_equal(selector, "/"))
		return whole;
	/* What was looked up is what gets mounted: no name is resolved twice (CVE-2024-23651). */
	scoped_fd fd = path_open_errno(m->fd, selector, O_PATH | O_CLOEXEC, PATH_IN_ROOT);
	if (fd < 0) {
		error_set_errno(error, -fd, "open %s", m->selector);
		return NULL;
	}
	return bundle_bind(b, fd, ret_directory, error);
}

static bool is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);
	return strncmp(path, directory, n) == 0 && path[n] == '/';
}

/* Is the mount point in the root itself, not in something mounted there before? */
static bool is_in_root(const struct step *step, size_t index)
{
	static const char *const kernel[] = {"/proc", "/dev", "/sys"};
	const char *dest = step->mounts[index].dest;
	for (size_t i = 0; i < G_N_ELEMENTS(kernel); i++) {
		if (g_str_equal(dest, kernel[i]) || is_below(dest, kernel[i]))
			return false;
	}
	for (size_t i = 0; i < index; i++) {
		if (is_below(dest, step->mounts[i].dest))
			return false;
	}
	return true;
}

static bool attach_mounts(const struct step *step, bundle *b, stubs *s, const char **ret_sources, GError **error)
{
	for (size_t i = 0; i < step->n_mounts; i++) {
		const struct step_mount *m = &step->mounts[i];
		bool directory = true;
		if (m->type == STEP_MOUNT_TREE) {
			ret_sources[i] = attach_mount(b, m, &directory, error);
			if (ret_sources[i] == NULL)
				return false;
		}
		if (is_in_root(step, i))
			stubs_make(s, m->dest, directory);
	}
	return true;
}

/* A missing working directory is made, belongs to the user and stays in the result. */
static bool ensure_cwd(const struct step *step, const struct passwd_user *user, GError **error)
{
	const char *cwd = step->cwd != NULL && *step->cwd != '\0' ? step->cwd : "/";
	scoped_fd fd = path_open_errno(step->root_fd, cwd, O_PATH | O_CLOEXEC, PATH_IN_ROOT);
	if (fd >= 0)
		return true;
	if (fd != -ENOENT)
		return error_set_errno(error, -fd, "working dir %s points to invalid target", cwd);
	fd = path_make_dirs(step->root_fd, cwd, 0755, user->uid, user->gid, -1, error);
	if (fd < 0) {
		g_prefix_error(error, "failed to create working directory %s: ", cwd);
		return false;
	}
	return true;
}

static bool needs_own_hosts(const struct step *step)
{
	bool default_name = step->hostname == NULL || *step->hostname == '\0' ||
			    g_str_equal(step->hostname, NAMES_DEFAULT_HOSTNAME);
	return step->n_hosts > 0 || !default_name;
}

static char *hosts_path(const executor *e, const struct step *step, const bundle *b, GError **error)
{
	if (!needs_own_hosts(step))
		return g_strconcat(e->path, "/" NAMES_HOSTS_FILE, NULL);
	g_autofree char *text = names_hosts_text(step->hostname, step->hosts, step->n_hosts);
	if (!names_write_file(bundle_fd(b), "hosts", text, error))
		return NULL;
	return g_strconcat(bundle_path(b), "/hosts", NULL);
}

/* Runtimes make device links by path: through a link in place of /dev they would make them outside (CVE-2026-41579). */
static bool check_kernel_directories(const struct step *step, GError **error)
{
	static const char *const names[] = {"dev", "proc", "sys"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct stat st;
		if (fstatat(step->root_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			return error_set(error, ERROR_FAILED_PRECONDITION, "/%s of the root is %s, not a directory", names[i],
					 S_ISLNK(st.st_mode) ? "a symbolic link" : "a file");
	}
	return true;
}

/* A runtime that opens a FIFO in place of a user table waits for a writer for ever. */
static bool check_tables(const struct step *step, GError **error)
{
	static const char *const paths[] = {"/etc/passwd", "/etc/group"};
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		scoped_fd fd = path_open_errno(step->root_fd, paths[i], O_PATH | O_CLOEXEC, PATH_IN_ROOT);
		struct stat st;
		if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			return error_set(error, ERROR_FAILED_PRECONDITION, "%s of the root is not a regular file", paths[i]);
	}
	return true;
}

static bool prepare(executor *e, const struct step *step, bundle *b, stubs *s, const char *cgroup_path, GError **error)
{
	__attribute__((cleanup(passwd_user_clear))) struct passwd_user user = {0};
	g_autofree const char **sources = g_new0(const char *, step->n_mounts + 1);
	const char *resolv = names_files_resolv(&e->names, step->network == STEP_NETWORK_HOST, error);
	if (resolv == NULL || !check_kernel_directories(step, error) || !check_tables(step, error) ||
	    !passwd_resolve(step->root_fd, step->user != NULL ? step->user : "", &user, error))
		return false;
	stubs_make(s, "/etc/resolv.conf", false);
	stubs_make(s, "/etc/hosts", false);
	if (!attach_mounts(step, b, s, sources, error) || !ensure_cwd(step, &user, error))
		return false;
	g_autofree char *hosts = hosts_path(e, step, b, error);
	if (hosts == NULL)
		return false;
	g_autofree char *resolv_path = g_strconcat(e->path, "/", resolv, NULL);
	const struct spec_input input = {
		.step = step,
		.user = &user,
		.cgroup_path = cgroup_path,
		.resolv_path = resolv_path,
		.hosts_path = hosts,
		.sources = sources,
		.seccomp = e->seccomp,
		.apparmor_profile = e->apparmor_profile,
		.all_caps = (const char *const *)e->caps,
		.cgroup_namespace = e->cgroups.v2,
		.free_loop = step->insecure ? spec_free_loop() : 0,
	};
	size_t n;
	g_autofree char *json = spec_json(&input, &n);
	/* The file names the cgroup to a later daemon; config.json holds secrets of the environment, so no disk sees it. */
	return names_write_file(bundle_fd(b), CGROUP_FILE, cgroup_path, error) &&
	       bundle_write_secret(b, "config.json", json, n, error);
}

static void output_to_log(void *data, int stream, const void *bytes, size_t n)
{
	step_log_write(data, stream, bytes, n);
}

static bool run_prepared(executor *e, const struct step *step, const struct runtime_call *call,
			 struct step_exit *ret_exit, GError **error)
{
	struct step_exit result = {0};
	bool ran = runtime_run(call, &result.code, error);
	if (ran && result.code != 0)
		result.oom_killed = cgroup_oom_killed(&e->cgroups, call->cgroup_path);
	cgroup_remove(&e->cgroups, call->cgroup_path, 2000);
	tree_remove_at(e->state_fd, call->id, NULL);
	if (ran)
		*ret_exit = result;
	return ran;
}

bool executor_run(executor *e, const struct step *step, struct work *work, struct step_exit *ret_exit, GError **error)
{
	char id[IDENT_SIZE];
	if (!check_step(e, step, error) || !cancel_check(work->cancel, error))
		return false;
	ident_new(id);
	g_autoptr(bundle) b = bundle_new(e->fd, e->path, id, error);
	if (b == NULL || bundle_attach(b, step->root_fd, BUNDLE_ROOT, NULL, error) == NULL)
		return false;
	g_autoptr(stubs) s = stubs_new(step->root_fd, step->remove_stubs_recursive);
	const char *parent = step->cgroup_parent != NULL && *step->cgroup_parent != '\0' ? step->cgroup_parent : e->cgroup_parent;
	g_autofree char *cgroup_path = cgroup_path_for(parent, id);
	if (!prepare(e, step, b, s, cgroup_path, error))
		return false;

	struct step_log log;
	step_log_init(&log, work->progress);
	const struct runtime_call call = {
		.binary = e->binary,
		.state_root = e->state_path,
		.bundle = bundle_path(b),
		.id = id,
		.stdin_fd = step->stdin_fd,
		.output = step->output != NULL ? step->output : output_to_log,
		.output_data = step->output != NULL ? step->output_data : &log,
		.cgroups = &e->cgroups,
		.cgroup_path = cgroup_path,
		.cancel = work->cancel,
	};
	bool ran = run_prepared(e, step, &call, ret_exit, error);
	if (!ran || ret_exit->code != 0)
		step_log_flush_tail(&log);
	step_log_done(&log);
	return ran;
}

/* ---- mounts that several steps share */

char *executor_hold(executor *e, int mount_fd, GError **error)
{
	char id[IDENT_SIZE];
	ident_new(id);
	if (mkdirat(e->fd, id, 0700) != 0) {
		error_set_errno(error, errno, "mkdir %s/%s", e->path, id);
		return NULL;
	}
	if (!mount_attach(mount_fd, e->fd, id, error)) {
		unlinkat(e->fd, id, AT_REMOVEDIR);
		return NULL;
	}
	return g_strdup(id);
}

void executor_release(executor *e, char *name)
{
	mount_detach(e->fd, name, NULL);
	unlinkat(e->fd, name, AT_REMOVEDIR);
	g_free(name);
}
