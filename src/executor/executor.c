/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/executor_internal.h"
#include "base/text.h"
#include "executor/bundle.h"
#include "executor/seccomp.h"
#include "executor/spec.h"
#include "executor/step_log.h"
#include "executor/step_route.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/mount.h"
#include "os/passwd.h"
#include "os/dirlist.h"
#include "os/path.h"
#include "os/process.h"
#include "os/tree.h"
#include "os/user_namespace.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#define STATE_DIR "runc"
#define OWN_RUNNER "buildkit-runc"
#define VERSION_WORD "buildkit-runc version" /* runc installed under our name prints something else */

/* ---- creation and release */

/* Looks for the program in the daemon's directory, by the name it was started with or its real path. */
static char *find_beside(const char *name)
{
	g_autofree char *file = g_file_read_link("/proc/self/exe", NULL);
	const char *started = (const char *)getauxval(AT_EXECFN);
	const char *const programs[] = {started, file};
	for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
		if (!programs[i] || !strchr(programs[i], '/'))
			continue;
		g_autofree char *directory = g_path_get_dirname(programs[i]);
		g_autofree char *relative = g_build_filename(directory, name, NULL);
		if (access(relative, X_OK) == 0)
			return g_canonicalize_filename(relative, NULL);
	}
	return NULL;
}

/* Some distributions install runc as buildkit-runc: the version output distinguishes them. */
static bool is_own_runner(const char *path)
{
	const char *argv[] = {path, "--version", NULL};
	struct process_spec spec = {.argv = argv};
	g_autoptr(GBytes) out = NULL;
	int status;
	g_autofree char *name = g_path_get_basename(path);
	if (!g_str_equal(name, OWN_RUNNER) || !process_run(&spec, NULL, 0, KIB(4), NULL, &status, &out, NULL, NULL) ||
	    status != 0)
		return false;
	gsize n;
	const char *text = g_bytes_get_data(out, &n);
	return n > strlen(VERSION_WORD) && strncmp(text, VERSION_WORD, strlen(VERSION_WORD)) == 0;
}

char *executor_find_binary(const char *wanted)
{
	static const char *const candidates[] = {OWN_RUNNER, "runc", NULL};
	const char *const one[] = {wanted, NULL};
	bool any = !wanted || *wanted == '\0';
	const char *const *list = any ? candidates : one;
	char *path = any ? find_beside(OWN_RUNNER) : NULL;
	for (size_t i = 0; !path && list[i]; i++)
		path = g_find_program_in_path(list[i]);
	return path;
}

static char *find_binary(const char *wanted, bool *ret_own, GError **error)
{
	char *path = executor_find_binary(wanted);
	if (path)
		*ret_own = is_own_runner(path);
	else
		error_set(error, ERROR_NOT_FOUND, "failed to find %s binary",
			  wanted && *wanted != '\0' ? wanted : "runc");
	return path;
}

/* Reads the cgroup of a leftover step from its bundle. */
static char *leftover_cgroup(int bundle_fd)
{
	g_autoptr(GBytes) bytes = path_read(bundle_fd, BUNDLE_CGROUP_FILE, PATH_MAX, PATH_BENEATH, NULL);
	return bytes && g_bytes_get_size(bytes) > 0 ? text_from_bytes(bytes) : NULL;
}

static void remove_leftover(executor *e, const char *id)
{
	scoped_fd fd = openat(e->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	g_autofree char *cgroup = leftover_cgroup(fd);
	if (cgroup)
		cgroup_remove(&e->cgroups, cgroup, 5000);
	tree_remove_at(e->fd, id, NULL);
}

/* Processes first: the mounts of their namespaces end with them. Then our mounts, then files. */
static void remove_leftovers(executor *e)
{
	scoped_dirlist list = {0};
	bool swept = false;
	dirlist_read_at(&list, e->fd, ".", NULL);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		if (name[0] == '.' || g_str_equal(name, STATE_DIR))
			continue;
		if (!swept)
			mount_sweep_below(e->path);
		swept = true;
		remove_leftover(e, name);
	}
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

bool executor_seccomp_program(executor *e, GBytes **ret, GError **error)
{
	*ret = NULL;
	if (!e->confines)
		return true;
	g_mutex_lock(&e->seccomp_mu);
	if (!e->seccomp_program)
		e->seccomp_program = seccomp_program(spec_default_caps, error);
	*ret = e->seccomp_program;
	g_mutex_unlock(&e->seccomp_mu);
	return *ret != NULL;
}

/* Also in a container (upstream: not): the kernel refuses a profile that cannot be set there. */
static bool has_apparmor(void)
{
	g_autofree char *enabled = NULL;
	return g_file_get_contents("/sys/module/apparmor/parameters/enabled", &enabled, NULL, NULL) && *enabled == 'Y';
}

executor *executor_new(const struct executor_options *options, GError **error)
{
	executor *e = g_new0(executor, 1);
	e->fd = e->state_fd = -1;
	g_mutex_init(&e->seccomp_mu);
	bool own = false;
	e->bundle_runner = options->bundle_runner;
	e->binary = e->bundle_runner ? g_strdup(e->bundle_runner->name) : find_binary(options->binary, &own, error);
	/* It takes mounts as descriptors; without that it is an OCI runtime as others are. */
	own = own && !mount_is_old();
	if (!e->binary || !executor_open_directories(e, options, error)) {
		executor_free(e);
		return NULL;
	}
	e->cgroup_parent = g_strdup(options->cgroup_parent);
	e->instance = g_strdup(options->instance ? options->instance : "unnamed");
	e->apparmor_profile = g_strdup(options->apparmor_profile);
	e->provider = options->network;
	e->network = options->network && !network_is_host(options->network) ? options->network : NULL;
	e->trace_fd = options->trace_fd;
	e->allow_network_host = options->allow_network_host;
	e->allow_security_insecure = options->allow_security_insecure;
	e->lacks_apparmor = e->apparmor_profile && *e->apparmor_profile && !has_apparmor();
	e->labels = options->selinux ? labels_new("/") : NULL;
	e->lacks_selinux = e->labels && !labels_are_supported();
	e->rootless = options->rootless;
	e->no_process_sandbox = options->no_process_sandbox;
	e->no_devices = user_namespace_is_limited();
	e->caps = spec_current_caps();
	e->nameservers = g_strdupv((char **)options->dns_nameservers);
	e->dns_options = g_strdupv((char **)options->dns_options);
	e->dns_search = g_strdupv((char **)options->dns_search);
	if (!options->no_seccomp && seccomp_is_supported()) {
		e->confines = own;
		if (!own)
			e->seccomp = seccomp_json(spec_default_caps);
	}
	cgroups_init(&e->cgroups);
	e->usage = resource_sampler_new(RESOURCE_INTERVAL_US);
	e->parents = parents_new(&e->cgroups, e->fd, e->cgroup_parent, own);
	remove_leftovers(e);
	parents_recover(e->parents, e->instance);
	const struct names_overrides overrides = {
		.nameservers = (const char *const *)e->nameservers,
		.options = (const char *const *)e->dns_options,
		.search = (const char *const *)e->dns_search,
	};
	if (!names_files_init(&e->names, e->fd, &overrides, error)) {
		executor_free(e);
		return NULL;
	}
	if (own)
		e->runner = runner_new(e->binary, e->instance, e->cgroup_parent, !e->no_process_sandbox);
	return e;
}

void executor_free(executor *e)
{
	if (!e)
		return;
	runner_free(e->runner);
	names_files_done(&e->names);
	labels_free(e->labels);
	resource_sampler_free(e->usage);
	parents_free(e->parents);
	cgroups_done(&e->cgroups);
	fd_close(&e->state_fd);
	fd_close(&e->fd);
	g_strfreev(e->caps);
	g_strfreev(e->nameservers);
	g_strfreev(e->dns_options);
	g_strfreev(e->dns_search);
	g_free(e->seccomp);
	g_clear_pointer(&e->seccomp_program, g_bytes_unref);
	g_mutex_clear(&e->seccomp_mu);
	g_free(e->instance);
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

resource_sampler *executor_usage(const executor *e)
{
	return e->usage;
}

void executor_usage_begin(executor *e, const struct step *step, const char *cgroup)
{
	const char *path;
	int fd = cgroup_counting_hierarchy(&e->cgroups, cgroup, &path);
	if (step->usage)
		resource_sampler_begin(e->usage, step->usage, fd, path);
}

/* ---- a step */

/* Of the first and of each further process of a step. */
static bool check_process(const char *const *args, const char *cwd, GError **error)
{
	if (!args || !args[0])
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid exec op with no args");
	return !cwd || *cwd == '\0' || *cwd == '/' ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "working directory \"%s\" is not an absolute path", cwd);
}

/* Every start path comes through here, so check once (CVE-2024-23653). */
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
	if (!step->insecure && e->lacks_apparmor)
		return error_set(error, ERROR_UNKNOWN,
				 "AppArmor is not supported on this host, but the profile '%s' was specified",
				 e->apparmor_profile);
	if (e->lacks_selinux)
		return error_set(error, ERROR_UNKNOWN, "selinux is not available");
	if (step->insecure && !e->allow_security_insecure)
		return error_set(error, ERROR_PERMISSION_DENIED, "security.insecure is not allowed");
	if (step->n_hooks > 0 && e->runner)
		return error_set(error, ERROR_UNIMPLEMENTED,
				 "hooks of devices (%s) need an OCI runtime such as runc: set \"binary\" of the worker",
				 step->hooks[0].path);
	return check_process(step->args, step->cwd, error);
}

/* Reports whether the mount point is in the root itself rather than in an earlier mount. */
bool executor_is_in_root(const struct step *step, size_t index)
{
	static const char *const kernel[] = {"/proc", "/dev", "/sys"};
	const char *dest = step->mounts[index].dest;
	for (size_t i = 0; i < G_N_ELEMENTS(kernel); i++)
		if (g_str_equal(dest, kernel[i]) || path_is_below(dest, kernel[i]))
			return false;
	for (size_t i = 0; i < index; i++)
		if (path_is_below(dest, step->mounts[i].dest))
			return false;
	return true;
}

enum stub_kind executor_stub_kind(const struct step_mount *m, bool directory)
{
	if (m->type == STEP_MOUNT_TMPFS)
		return STUB_TMPFS;
	return directory ? STUB_DIRECTORY : STUB_FILE;
}

char *executor_selector(const struct step_mount *m)
{
	g_autofree char *rooted = g_strconcat("/", m->selector, NULL);
	char *selector = path_clean(rooted);
	if (g_str_equal(selector, "/"))
		g_clear_pointer(&selector, g_free);
	return selector;
}

bool executor_ensure_cwd(const struct step *step, const struct passwd_user *user, GError **error)
{
	const char *cwd = step->cwd && *step->cwd != '\0' ? step->cwd : "/";
	scoped_fd fd = path_open_errno(step->root_fd, cwd, O_PATH | O_CLOEXEC, PATH_IN_ROOT);
	if (fd >= 0)
		return true;
	if (fd != -ENOENT)
		return error_set_errno(error, -fd, "working dir %s points to invalid target", cwd);
	fd = path_make_dirs(step->root_fd, cwd, 0755, user->uid, user->gid, -1, error);
	if (fd < 0)
		return error_prefix(error, "failed to create working directory %s: ", cwd);
	return true;
}

bool executor_needs_own_hosts(const struct step *step)
{
	bool default_name =
		!step->hostname || *step->hostname == '\0' || g_str_equal(step->hostname, NAMES_DEFAULT_HOSTNAME);
	return step->n_hosts > 0 || !default_name;
}

/*
 * Runtimes create device links by path: with a link in place of /dev they would create them outside (CVE-2026-41579).
 */
static bool check_kernel_directories(const struct step *step, GError **error)
{
	static const char *const names[] = {"dev", "proc", "sys"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct stat st;
		if (fstatat(step->root_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			return error_set(error, ERROR_FAILED_PRECONDITION,
					 "/%s of the root file system is %s, not a directory", names[i],
					 S_ISLNK(st.st_mode) ? "a symbolic link" : "a file");
	}
	return true;
}

/* A runtime that opens a FIFO in place of a user table would wait for a writer forever. */
static bool check_tables(const struct step *step, GError **error)
{
	static const char *const paths[] = {"/etc/passwd", "/etc/group"};
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		scoped_fd fd = path_open_errno(step->root_fd, paths[i], O_PATH | O_CLOEXEC, PATH_IN_ROOT);
		struct stat st;
		if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			return error_set(error, ERROR_FAILED_PRECONDITION,
					 "%s of the root file system is not a regular file", paths[i]);
	}
	return true;
}

/* ---- running */

static void output_to_log(void *data, int stream, const void *bytes, size_t n)
{
	step_log_write(data, stream, bytes, n);
}

static bool run_in(executor *e, const struct step *step, const network_namespace *network, struct work *work,
		   struct step_exit *ret_exit, GError **error)
{
	g_autofree char *parent = parents_enter(e->parents, step->cgroup_parent, error);
	if (!parent)
		return false;
	struct step_labels own = {0};
	if (e->labels && !labels_take(e->labels, step->insecure, &own, error)) {
		parents_leave(e->parents, parent);
		return false;
	}
	struct step_log log;
	step_log_init(&log, work->progress);
	g_autoptr(step_process) handle = step_process_new();
	const struct step_run run = {
		.step = step,
		.io = step->io,
		.cgroup_parent = parent,
		.network = network,
		.labels = &own,
		.work = work,
		.output = step->output ? step->output : output_to_log,
		.output_data = step->output ? step->output_data : &log,
		.process = handle,
	};
	bool ran = e->runner ? runner_step_run(e, &run, ret_exit, error) : runtime_step_run(e, &run, ret_exit, error);
	if (!ran || ret_exit->code != 0)
		step_log_flush_tail(&log);
	step_log_done(&log);
	if (e->labels)
		labels_release(e->labels, &own);
	parents_leave(e->parents, parent);
	return ran;
}

static bool run_traced(executor *e, const struct step *step, const network_namespace *network, struct work *work,
		       struct step_exit *ret_exit, GError **error)
{
	struct traced_step traced;
	const struct step *own = traced_step_init(&traced, step, e->trace_fd);
	trace_event(trace_current(), "Container created");
	bool ran = run_in(e, own, network, work, ret_exit, error);
	if (ran)
		trace_event_int(trace_current(), "Container exited", "exit.code", ret_exit->code);
	traced_step_clear(&traced);
	return ran;
}

bool executor_run(executor *e, const struct step *step, struct work *work, struct step_exit *ret_exit, GError **error)
{
	struct step_route n;
	if (!check_step(e, step, error) || !cancel_check(work->cancel, error) ||
	    !check_kernel_directories(step, error) || !check_tables(step, error) ||
	    !step_route_open(&n, e->provider, e->network, step, work->cancel, error))
		return false;
	bool ran = run_traced(e, &n.step, n.namespace, work, ret_exit, error);
	/* Insecure steps can change the namespace. */
	return step_route_close(&n, ran && !step->insecure, ran ? error : NULL) && ran;
}

static bool is_given(const char *text)
{
	return text && *text != '\0';
}

static bool exec_in(executor *e, void *first, const struct step_command *c, struct work *work,
		    struct step_exit *ret_exit, GError **error)
{
	struct step step = *(e->runner ? runner_step_of(first) : runtime_step_of(first));
	struct step_log log;
	g_autoptr(GPtrArray) env = step.proxy && c->env && c->env[0] ? step_route_env(&step, c->env) : NULL;
	step.args = c->args;
	step.env = env ? (const char *const *)env->pdata : c->env && c->env[0] ? c->env : step.env;
	step.cwd = is_given(c->cwd) ? c->cwd : step.cwd;
	step.user = is_given(c->user) ? c->user : step.user;
	step_log_init(&log, work->progress);
	g_autoptr(step_process) handle = step_process_new();
	const struct step_run run = {
		.step = &step,
		.io = c->io,
		.work = work,
		.output = c->output ? c->output : output_to_log,
		.output_data = c->output ? c->output_data : &log,
		.process = handle,
	};
	bool ran = e->runner ? runner_step_exec(e, first, &run, ret_exit, error)
			     : runtime_step_exec(e, first, &run, ret_exit, error);
	step_log_done(&log);
	return ran;
}

bool executor_exec(executor *e, step_process *first, const struct step_command *command, struct work *work,
		   struct step_exit *ret_exit, GError **error)
{
	if (!check_process(command->args, command->cwd, error) || !cancel_check(work->cancel, error))
		return false;
	void *self = step_process_enter(first);
	if (!self)
		return error_set(error, ERROR_FAILED_PRECONDITION, "the step has exited");
	bool ran = exec_in(e, self, command, work, ret_exit, error);
	step_process_leave(first);
	return ran;
}

/* ---- mounts shared by several steps */

char *executor_hold(executor *e, int mount_fd, GError **error)
{
	char id[IDENT_SIZE];
	ident_new(id);
	if (mkdirat(e->fd, id, 0700) != 0)
		return error_null_errno(error, errno, "mkdir %s/%s", e->path, id);
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
