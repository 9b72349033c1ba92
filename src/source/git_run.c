/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_run.h"
#include "base/thread.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/process.h"
#include "progress/progress.h"
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OUTPUT_MAX MIB(16)
#define HIDDEN "xxxxx:xxxxx"
/* A transfer is ended when it moves less than 64 bytes per second for a minute, the same limit as for downloads. */
#define STALL_MS 60000
#define STALL_BYTES (64 * STALL_MS / 1000)

struct git_config {
	GPtrArray *pairs; /* owned strings: key, value, key, ... */
};

git_config *git_config_new(void)
{
	git_config *c = g_new0(git_config, 1);
	c->pairs = g_ptr_array_new_with_free_func(g_free);
	return c;
}

void git_config_free(git_config *c)
{
	if (!c)
		return;
	g_ptr_array_unref(c->pairs);
	g_free(c);
}

void git_config_add(git_config *c, const char *key, const char *value)
{
	g_ptr_array_add(c->pairs, g_strdup(key));
	g_ptr_array_add(c->pairs, g_strdup(value));
}

/* Repositories must not determine what runs: no hooks, no fsmonitor, no alternates on this host. */
static const char *const settings[][2] = {
	{"core.hooksPath", "/dev/null"},     {"core.fsmonitor", "false"},      {"protocol.ext.allow", "never"},
	{"submodule.fetchJobs", "1"},        {"init.defaultBranch", "master"}, {"gc.autoDetach", "false"},
	{"maintenance.autoDetach", "false"}, {"credential.helper", ""},
};
static const char *const passed_on[] = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
					"http_proxy", "https_proxy", "no_proxy", "all_proxy"};

static void put(GPtrArray *env, const char *name, const char *value)
{
	if (value)
		g_ptr_array_add(env, g_strconcat(name, "=", value, NULL));
}

static void put_setting(GPtrArray *env, unsigned n, const char *key, const char *value)
{
	g_ptr_array_add(env, g_strdup_printf("GIT_CONFIG_KEY_%u=%s", n, key));
	g_ptr_array_add(env, g_strdup_printf("GIT_CONFIG_VALUE_%u=%s", n, value));
}

static void put_settings(GPtrArray *env, const git_config *more)
{
	unsigned n = 0;
	for (; n < G_N_ELEMENTS(settings); n++)
		put_setting(env, n, settings[n][0], settings[n][1]);
	for (guint i = 0; more && i < more->pairs->len; i += 2)
		put_setting(env, n++, g_ptr_array_index(more->pairs, i), g_ptr_array_index(more->pairs, i + 1));
	g_ptr_array_add(env, g_strdup_printf("GIT_CONFIG_COUNT=%u", n));
}

static GPtrArray *environment(const struct git_how *how)
{
	GPtrArray *env = g_ptr_array_new_with_free_func(g_free);
	const char *path = g_getenv("PATH");
	put(env, "PATH", path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put(env, "HOME", "/dev/null");
	put(env, "LC_ALL", "C");
	put(env, "GIT_CONFIG_NOSYSTEM", "1");
	put(env, "GIT_CONFIG_GLOBAL", "/dev/null");
	put(env, "GIT_ATTR_NOSYSTEM", "1");
	put(env, "GIT_TERMINAL_PROMPT", "0");
	put(env, "GIT_ALLOW_PROTOCOL", how->protocols ? how->protocols : "none");
	put(env, "GIT_DIR", how->git_dir);
	put(env, "GIT_WORK_TREE", how->work_tree);
	put(env, "SSH_AUTH_SOCK", how->ssh_auth_sock);
	g_autofree char *ssh = how->known_hosts
				       ? g_strconcat("ssh -F /dev/null -o UserKnownHostsFile=", how->known_hosts, NULL)
				       : g_strdup("ssh -F /dev/null -o StrictHostKeyChecking=no");
	put(env, "GIT_SSH_COMMAND", ssh);
	for (size_t i = 0; i < G_N_ELEMENTS(passed_on); i++)
		put(env, passed_on[i], g_getenv(passed_on[i]));
	put_settings(env, how->config);
	g_ptr_array_add(env, NULL);
	return env;
}

/* ---- running */

struct run {
	const struct process_spec *spec;
	cancel *cancel;
	int status;
	GBytes *out, *err; /* owned */
	GError **error;
	bool ok;
};

/* Runs on a separate thread, because the umask is 022 for checkouts but 0 in the rest of the daemon. */
static void *run_thread(void *data)
{
	struct run *r = data;
	if (unshare(CLONE_FS) != 0) {
		r->ok = error_set_errno(r->error, errno, "unshare");
		return NULL;
	}
	umask(022);
	r->ok = process_run(r->spec, NULL, 0, OUTPUT_MAX, r->cancel, &r->status, &r->out, &r->err, r->error);
	return NULL;
}

/* Lines of --progress, which is requested so that a slow remote shows progress. */
static const char *const meters[] = {
	"Enumerating objects:", "Counting objects:",  "Compressing objects:", "Total ",
	"Receiving objects:",   "Unpacking objects:", "Resolving deltas:",    "Updating files:"};

static bool is_meter(const char *line)
{
	if (g_str_has_prefix(line, "remote: "))
		line += strlen("remote: ");
	for (size_t i = 0; i < G_N_ELEMENTS(meters); i++)
		if (g_str_has_prefix(line, meters[i]))
			return true;
	return false;
}

GString *git_text(const char *bytes, size_t n)
{
	GString *text = g_string_sized_new(n);
	for (const char *p = bytes, *end = bytes + n; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p)), *next = newline ? newline + 1 : end;
		g_autofree char *line = g_strndup(p, (size_t)(next - p));
		if (!is_meter(line))
			g_string_append_len(text, p, next - p);
		p = next;
	}
	return text;
}

/* Returns the output as text, with the credentials of the address masked. */
static GString *text_of(const struct git_how *how, GBytes *bytes)
{
	gsize n;
	const char *data = g_bytes_get_data(bytes, &n);
	GString *text = git_text(data, n);
	if (how->hide && *how->hide)
		g_string_replace(text, how->hide, HIDDEN, 0);
	return text;
}

static void show(const struct git_how *how, struct work *work, int stream, GBytes *bytes)
{
	if (how->quiet)
		return;
	GString *text = text_of(how, bytes);
	if (text->len > 0)
		progress_output(work->progress, stream, text->str, text->len);
	g_string_free(text, TRUE);
}

/* Missing programs, by git's error text, and the packages that contain them. */
static const char *missing_package(const char *text)
{
	if (strstr(text, "cannot run ssh"))
		return ": ssh is not installed where buildkitd runs: it is in the package openssh-client or "
		       "openssh-clients";
	if (strstr(text, "remote-http' is not a git command") || strstr(text, "remote-https' is not a git command"))
		return ": git cannot use http where buildkitd runs: install all of the package git";
	return "";
}

static bool not_started(GError **error)
{
	g_autofree char *git = g_find_program_in_path("git");
	if (error && *error && error_is(*error, ERROR_NOT_FOUND) && !git) {
		g_clear_error(error);
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "git is not installed where buildkitd runs: install the package git, and for ssh "
				 "addresses openssh-client");
	}
	return false;
}

static bool failed(const struct git_how *how, const struct run *r, GError **error)
{
	GString *text = text_of(how, r->err);
	const char *hint = missing_package(text->str);
	if (WIFEXITED(r->status))
		error_set(error, ERROR_UNKNOWN, "git stderr:\n%s: exit status %d%s", text->str, WEXITSTATUS(r->status),
			  hint);
	else
		error_set(error, ERROR_UNKNOWN, "git stderr:\n%s: signal: %s", text->str,
			  strsignal(WTERMSIG(r->status)));
	g_string_free(text, TRUE);
	return false;
}

bool git_run(const struct git_how *how, const char *const *args, struct work *work, GBytes **ret_output, GError **error)
{
	if (!cancel_check(work->cancel, error))
		return false;
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_ptr_array_add(argv, (gpointer) "git");
	for (; *args; args++)
		g_ptr_array_add(argv, (gpointer)*args);
	g_ptr_array_add(argv, NULL);
	g_autoptr(GPtrArray) env = environment(how);
	const char *dir = how->work_tree ? how->work_tree : how->git_dir ? how->git_dir : "/";
	scoped_fd cwd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cwd < 0)
		return error_set_errno(error, errno, "open %s", dir);
	struct process_spec spec = {
		.argv = (const char *const *)argv->pdata,
		.envp = (const char *const *)env->pdata,
		.cwd_fd = cwd,
		.has_cwd = true,
		.new_session = true,
		.kill_group = true,
	};
	if (how->protocols && strcmp(how->protocols, GIT_PROTOCOLS) == 0)
		spec.stall = (struct stall_rule){.bytes = STALL_BYTES, .window_ms = STALL_MS};
	struct run r = {.spec = &spec, .cancel = work->cancel, .error = error};
	GThread *thread = thread_start("git", run_thread, &r, error);
	if (!thread)
		return false;
	g_thread_join(thread);
	g_autoptr(GBytes) out = r.out, err = r.err;
	if (!r.ok)
		return not_started(error);
	show(how, work, 1, out);
	show(how, work, 2, err);
	if (r.status != 0)
		return failed(how, &r, error);
	if (ret_output)
		*ret_output = g_steal_pointer(&out);
	return true;
}

char *git_run_line(const struct git_how *how, const char *const *args, struct work *work, GError **error)
{
	g_autoptr(GBytes) out = NULL;
	if (!git_run(how, args, work, &out, error))
		return NULL;
	gsize n;
	const char *text = g_bytes_get_data(out, &n);
	const char *end = n ? memchr(text, '\n', n) : NULL;
	return g_strndup(text ? text : "", end ? (gsize)(end - text) : n);
}
