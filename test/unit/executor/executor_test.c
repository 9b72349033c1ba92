/* SPDX-License-Identifier: Apache-2.0 */
/* Runs steps in a small root (step_fixture.h). */
#include "step_fixture.h"
#include "executor/runtime.h"
#include "lib/outcome.h"
#include <sys/prctl.h>
#include <sys/wait.h>

static void collect(void *data, int stream, const void *bytes, size_t n)
{
	struct fixture *f = data;
	g_string_append_len(stream == 1 ? f->out : f->err, bytes, (gssize)n);
	if (f->cancel_at_output != NULL)
		cancel_set(f->cancel_at_output, ERROR_CANCELED, NULL);
}

static bool run_step(struct fixture *f, struct step *step, struct work *work, struct step_exit *ret, GError **error)
{
	scoped_fd root = mount_clone(f->image_fd, false, error);
	g_assert_cmpint(root, >=, 0);
	struct work none = {0};
	step->root_fd = root;
	step->output = collect;
	step->output_data = f;
	if (step->env == NULL)
		step->env = default_env;
	if (step->cwd == NULL)
		step->cwd = "/";
	g_string_truncate(f->out, 0);
	g_string_truncate(f->err, 0);
	return executor_run(f->e, step, work != NULL ? work : &none, ret, error);
}

/* Runs a shell line, which must start; returns its exit status. */
static int sh(struct fixture *f, struct step *step, const char *line)
{
	g_autoptr(GError) error = NULL;
	const char *args[] = {"/bin/sh", "-c", line, NULL};
	struct step_exit code = {-1, false};
	step->args = args;
	bool ok = run_step(f, step, NULL, &code, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
	return code.code;
}

static void test_output_and_exit(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {0};
	g_assert_cmpint(sh(f, &step, "echo out; echo err >&2; exit 3"), ==, 3);
	g_assert_cmpstr(f->out->str, ==, "out\n");
	g_assert_cmpstr(f->err->str, ==, "err\n");
	g_assert_cmpint(sh(f, &step, "busybox sh -c 'kill -TERM $$'; exit $?"), ==, 128 + 15);
	g_assert_cmpint(sh(f, &step, "yes | busybox head -c 3000000"), ==, 0);
	g_assert_cmpint(f->out->len, ==, 3000000);
	g_assert_cmpint(sh(f, &step, "read x; echo \"[$x]\""), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "[]\n");
	/* A child that keeps the pipe open does not outlive the step. */
	g_assert_cmpint(sh(f, &step, "busybox sleep 1000 & echo done"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "done\n");
}

static void test_missing_program(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autoptr(GError) error = NULL;
	const char *args[] = {"/no/such/program", NULL};
	struct step step = {.args = args};
	struct step_exit code = {0};
	g_assert_true(run_step(f, &step, NULL, &code, &error));
	g_assert_cmpint(code.code, ==, 1);
	g_assert_nonnull(strstr(f->err->str, "/no/such/program"));
	g_assert_null(strstr(f->err->str, "level="));
}

static void test_sandbox(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {0};
	g_assert_cmpint(sh(f, &step, "busybox grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status"), ==, 0);
	g_assert_cmpstr(f->out->str, ==,
			"CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"
			"CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n");
	g_assert_cmpint(sh(f, &step, "echo $$; busybox hostname; busybox ls /proc/self/fd | busybox wc -l; busybox id"),
			==, 0);
	g_assert_cmpstr(f->out->str, ==, "1\nbuildkitsandbox\n4\nuid=0(root) gid=0(root) groups=0(root)\n");
	g_assert_cmpint(sh(f, &step, "busybox mount -t tmpfs x /tmp"), !=, 0);
	g_assert_cmpint(sh(f, &step, "echo 1 > /proc/sys/kernel/hostname"), !=, 0);
	g_assert_cmpint(sh(f, &step, "busybox mkdir /sys/fs/cgroup/*/x || busybox mkdir /sys/fs/cgroup/x/x"), !=, 0);
	g_assert_cmpint(sh(f, &step, "busybox unshare -m true"), !=, 0);
	g_assert_cmpint(sh(f, &step, "busybox [ -s /proc/kcore ]"), !=, 0);
	g_assert_cmpint(sh(f, &step, "busybox grep -v Seccomp /proc/keys; ulimit -c"), ==, 0);
}

static void test_mount_table(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {0};
	static const char *const wanted[] = {
		"/proc proc rw,nosuid,nodev,noexec",
		"/dev tmpfs rw,nosuid",
		"/dev/pts devpts rw,nosuid,noexec",
		"/dev/shm tmpfs rw,nosuid,nodev,noexec",
		"/dev/mqueue mqueue rw,nosuid,nodev,noexec",
		"/sys sysfs ro,nosuid,nodev,noexec",
		"/etc/hosts ",
		"/etc/resolv.conf ",
		"/sys/fs/cgroup ",
	};
	g_assert_cmpint(sh(f, &step, "busybox cut -d' ' -f2-4 /proc/mounts"), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
		if (strstr(f->out->str, wanted[i]) == NULL)
			g_error("no \"%s\" in %s", wanted[i], f->out->str);
	}
	g_assert_null(strstr(f->out->str, "/run "));
}

static void test_hosts(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {0};
	g_assert_cmpint(sh(f, &step, "busybox cat /etc/hosts; echo x >> /etc/hosts"), !=, 0);
	g_assert_cmpstr(f->out->str, ==,
			"127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	const struct step_host hosts[] = {{"db", "10.0.0.1"}, {"six", "fe80::1"}};
	step = (struct step){.hosts = hosts, .n_hosts = 2, .hostname = "box"};
	g_assert_cmpint(sh(f, &step, "busybox cat /etc/hosts; busybox hostname"), ==, 0);
	g_assert_cmpstr(f->out->str, ==,
			"127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost "
			"ip6-loopback\n10.0.0.1\tdb\nfe80::1\tsix\nbox\n");
	/* The stubs are removed. */
	g_assert_cmpint(faccessat(f->image_fd, "etc/hosts", F_OK, AT_SYMLINK_NOFOLLOW), ==, -1);
	g_assert_cmpint(faccessat(f->image_fd, "etc/resolv.conf", F_OK, AT_SYMLINK_NOFOLLOW), ==, -1);
}

static void test_stub_times(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	const struct timespec old[2] = {{1000000, 5}, {2000000, 7}};
	struct step step = {0};
	struct stat st;
	g_assert_cmpint(utimensat(f->image_fd, "etc", old, 0), ==, 0);
	g_assert_cmpint(sh(f, &step, "true"), ==, 0);
	g_assert_cmpint(fstatat(f->image_fd, "etc", &st, 0), ==, 0);
	g_assert_cmpint(st.st_mtim.tv_sec, ==, 2000000);
	g_assert_cmpint(st.st_mtim.tv_nsec, ==, 7);
	/* Changes by the step are kept. */
	g_assert_cmpint(utimensat(f->image_fd, "etc", old, 0), ==, 0);
	g_assert_cmpint(sh(f, &step, "echo > /etc/new"), ==, 0);
	g_assert_cmpint(fstatat(f->image_fd, "etc", &st, 0), ==, 0);
	g_assert_cmpint(st.st_mtim.tv_sec, >, 2000000);
}

static void test_users(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {.user = "ann", .cwd = "/home/ann/src"};
	g_assert_cmpint(
		sh(f, &step, "busybox id; echo $HOME; busybox pwd; busybox stat -c '%a %u:%g' . ..; echo > file"), ==,
		0);
	g_assert_cmpstr(f->out->str, ==,
			"uid=1000(ann) gid=1000(ann) groups=50(staff),1000(ann)\n/home/ann\n/home/ann/src\n"
			"755 1000:1000\n755 1000:1000\n");
	step = (struct step){.user = "1234:5678"};
	g_assert_cmpint(sh(f, &step, "busybox id; echo $HOME"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "uid=1234 gid=5678 groups=5678\n/\n");
	/* An empty HOME is set, too. */
	const char *env[] = {"PATH=/bin", "HOME=", NULL};
	step.user = "ann";
	step.env = env;
	g_assert_cmpint(sh(f, &step, "busybox env | busybox grep HOME"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "HOME=/home/ann\n");
	step.env = NULL;
	/* The user owns the output: /dev/stdout can be opened again. */
	g_assert_cmpint(sh(f, &step, "echo again > /dev/stdout"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "again\n");

	g_autoptr(GError) error = NULL;
	const char *args[] = {"/bin/sh", NULL};
	struct step_exit code;
	step = (struct step){.args = args, .user = "ghost"};
	g_assert_false(run_step(f, &step, NULL, &code, &error));
	g_assert_cmpstr(error->message, ==, "unable to find user ghost: no matching entries in passwd file");
}

static void test_mounts(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autofree char *source = g_strconcat(f->path, "/source", NULL);
	g_autofree char *inner = g_strconcat(source, "/inner", NULL);
	g_autofree char *file = g_strconcat(inner, "/file", NULL);
	g_autofree char *link = g_strconcat(source, "/link", NULL);
	g_assert_cmpint(mkdir(source, 0755) | mkdir(inner, 0755), ==, 0);
	assert_succeeds(g_file_set_contents(file, "hello\n", -1, &failure));
	g_assert_cmpint(symlink("/inner/file", link), ==, 0);
	scoped_fd directory = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	scoped_fd detached = mount_clone(directory, false, NULL);
	scoped_fd again = mount_clone(directory, false, NULL);
	const struct step_mount mounts[] = {
		{.type = STEP_MOUNT_TREE, .fd = directory, .dest = "/made/here/dir", .readonly = true},
		{.type = STEP_MOUNT_TREE,
		 .fd = again,
		 .selector = "../../link",
		 .dest = "/run/secrets/one",
		 .readonly = true,
		 .noexec = true},
		{.type = STEP_MOUNT_TMPFS, .dest = "/t", .tmpfs_size = 1 << 20},
		{.type = STEP_MOUNT_TREE, .fd = detached, .selector = "inner", .dest = "/t/in"},
	};
	struct step step = {.mounts = mounts, .n_mounts = G_N_ELEMENTS(mounts), .remove_stubs_recursive = true};
	g_assert_cmpint(sh(f, &step,
			   "busybox cat /made/here/dir/inner/file /run/secrets/one /t/in/file; busybox ls /t; "
			   "busybox grep -c '^tmpfs /t tmpfs.*size=1024k' /proc/mounts; "
			   "echo > /made/here/dir/x; echo > /run/secrets/one; echo written > /t/in/new"),
			==, 0);
	g_assert_cmpstr(f->out->str, ==, "hello\nhello\nhello\nin\n1\n");
	g_autofree char *made = g_strconcat(inner, "/new", NULL);
	g_assert_true(g_file_test(made, G_FILE_TEST_EXISTS));
	for (const char *const *name = (const char *const[]){"made", "run", "t", NULL}; *name != NULL; name++)
		g_assert_cmpint(faccessat(f->image_fd, *name, F_OK, 0), ==, -1);
	/* Without the recursive flag only the mount point itself is removed. */
	step = (struct step){.mounts = mounts, .n_mounts = 1};
	g_assert_cmpint(sh(f, &step, "true"), ==, 0);
	g_assert_cmpint(faccessat(f->image_fd, "made/here", F_OK, 0), ==, 0);
	g_assert_cmpint(faccessat(f->image_fd, "made/here/dir", F_OK, 0), ==, -1);
}

/* A tmpfs over a missing directory is open to all; over an existing one it has that directory's mode. */
static void test_tmpfs_mode(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	const struct step_mount mounts[] = {
		{.type = STEP_MOUNT_TMPFS, .dest = "/deep/in/missing"},
		{.type = STEP_MOUNT_TMPFS, .dest = "/missing"},
		{.type = STEP_MOUNT_TMPFS, .dest = "/missing/again"},
		{.type = STEP_MOUNT_TMPFS, .dest = "/private"},
	};
	struct step step = {.user = "ann", .mounts = mounts, .n_mounts = G_N_ELEMENTS(mounts)};
	g_assert_cmpint(mkdirat(f->image_fd, "private", 0700), ==, 0);
	g_assert_cmpint(sh(f, &step,
			   "busybox stat -c '%a %u %n' /missing /missing/again /deep/in/missing /deep/in /private; "
			   "echo > /missing/x"),
			==, 0);
	g_assert_cmpstr(
		f->out->str, ==,
		"1777 0 /missing\n1777 0 /missing/again\n1777 0 /deep/in/missing\n755 0 /deep/in\n700 0 /private\n");
	g_assert_cmpint(faccessat(f->image_fd, "missing", F_OK, 0), ==, -1);
	g_assert_cmpint(faccessat(f->image_fd, "private", F_OK, 0), ==, 0);
}

/* The working directory is created before the mount points: its parents belong to the user. */
static void test_cwd_below_mount_points(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	scoped_fd tree = mount_tmpfs(1 << 20, 0755, NULL);
	const struct step_mount mounts[] = {
		{.type = STEP_MOUNT_TREE, .fd = tree, .dest = "/home/ann/src"},
		{.type = STEP_MOUNT_TMPFS, .dest = "/work"},
	};
	struct step step = {.user = "ann", .cwd = "/home/ann/src/deep", .mounts = mounts, .n_mounts = 1};
	struct stat st;
	g_assert_cmpint(mkdirat(tree, "deep", 0755), ==, 0);
	g_assert_cmpint(sh(f, &step, "busybox pwd"), ==, 0);
	static const char *const made[] = {"home", "home/ann", "home/ann/src", "home/ann/src/deep"};
	for (size_t i = 0; i < G_N_ELEMENTS(made); i++) {
		g_assert_cmpint(fstatat(f->image_fd, made[i], &st, 0), ==, 0);
		g_assert_cmpint(st.st_uid, ==, 1000);
		g_assert_cmpint(st.st_mode & 07777, ==, 0755);
	}
	/* A working directory that is a mount point itself is removed with the mount points. */
	step = (struct step){.user = "ann", .cwd = "/work", .mounts = &mounts[1], .n_mounts = 1};
	g_assert_cmpint(sh(f, &step, "busybox stat -c '%a %u' ."), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "755 0\n");
	g_assert_cmpint(faccessat(f->image_fd, "work", F_OK, 0), ==, -1);
}

static void test_selector_missing(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autoptr(GError) error = NULL;
	const char *args[] = {"/bin/sh", NULL};
	const struct step_mount mount = {.fd = f->image_fd, .selector = "no/such", .dest = "/x"};
	struct step step = {.args = args, .mounts = &mount, .n_mounts = 1};
	struct step_exit code;
	g_assert_false(run_step(f, &step, NULL, &code, &error));
	g_assert_cmpstr(error->message, ==, "open no/such: no such file or directory");
}

static void test_held_mount(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	scoped_fd tmpfs = mount_tmpfs(1 << 20, 0755, NULL);
	g_autoptr(GError) error = NULL;
	char *name = executor_hold(f->e, tmpfs, &error);
	g_assert_no_error(error);
	const struct step_mount mounts[] = {{.fd = tmpfs, .shared = true, .dest = "/a"},
					    {.fd = tmpfs, .shared = true, .dest = "/b"}};
	struct step step = {.mounts = mounts, .n_mounts = 2, .remove_stubs_recursive = true};
	g_assert_cmpint(sh(f, &step, "echo x > /a/file; busybox cat /b/file"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "x\n");
	g_assert_cmpint(sh(f, &step, "busybox cat /a/file"), ==, 0);
	executor_release(f->e, name);
}

static void test_network(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {.network = STEP_NETWORK_NONE};
	g_assert_cmpint(sh(f, &step, "busybox ls /sys/class/net; busybox ifconfig lo | busybox grep -c UP"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "lo\n1\n");
	g_autoptr(GError) error = NULL;
	const char *args[] = {"/bin/sh", NULL};
	struct step_exit code;
	step = (struct step){.args = args, .network = STEP_NETWORK_HOST};
	g_assert_false(run_step(f, &step, NULL, &code, &error));
	g_assert_cmpstr(error->message, ==, "network.host is not allowed");
	g_clear_error(&error);
	step = (struct step){.args = args, .insecure = true};
	g_assert_false(run_step(f, &step, NULL, &code, &error));
	g_assert_cmpstr(error->message, ==, "security.insecure is not allowed");
	g_clear_error(&error);
	step = (struct step){.args = args, .network = (enum step_network)7};
	g_assert_false(run_step(f, &step, NULL, &code, &error));
	g_assert_cmpstr(error->message, ==, "unknown network mode 7");
}

static void test_insecure(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {.insecure = true, .network = STEP_NETWORK_HOST};
	g_assert_cmpint(sh(f, &step,
			   "busybox mount -t tmpfs x /tmp && busybox ls /dev/fuse /dev/loop-control && "
			   "busybox grep -E '^Seccomp:' /proc/self/status && : > /sys/fs/cgroup/x || echo $?"),
			==, 0);
	g_assert_nonnull(strstr(f->out->str, "/dev/fuse\n"));
	/* The filter of old_kernel.py stays. */
	g_autofree char *line = g_strdup_printf("Seccomp:\t%d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	g_assert_nonnull(strstr(f->out->str, line));
}

static void test_limits(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	const struct step_limit limits[] = {{"nofile", 123, 456}, {"core", 0, -1}};
	struct step step = {.limits = limits, .n_limits = 2};
	g_assert_cmpint(sh(f, &step, "ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hc"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "123\n456\n0\nunlimited\n");
}

static void test_oom(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autoptr(GError) error = NULL;
	const char *args[] = {"/bin/busybox", "tail", "/dev/zero", NULL};
	struct step step = {.args = args, .resources = {.memory = 32 << 20, .memory_swap = 32 << 20}};
	struct step_exit code = {0};
	bool ok = run_step(f, &step, NULL, &code, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
	g_assert_cmpint(code.code, ==, 137);
	/* A runtime that removes the cgroup itself removes the count, too. */
	const struct variant *v = data;
	bool keeps = true;
	g_assert_true(v->own || runtime_knows_keep(v->binary, NULL, &keeps, &error));
	g_assert_cmpint(code.oom_killed, ==, keeps);
}

static void test_cancel(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autoptr(GError) error = NULL;
	g_autoptr(cancel) c = cancel_new(NULL);
	const char *args[] = {"/bin/sh", "-c", "trap '' TERM INT; echo up; busybox sleep 1000 & busybox sleep 1000",
			      NULL};
	struct step step = {.args = args};
	struct step_exit code = {0};
	struct work work = {.cancel = c};
	f->cancel_at_output = c;
	bool ran = run_step(f, &step, &work, &code, &error);
	if (ran)
		g_test_message("exit code %d, out of memory %d: %s", code.code, code.oom_killed, f->err->str);
	g_assert_false(ran);
	g_assert_cmpstr(error->message, ==, "exit code: 137: context canceled");
	g_assert_cmpint(error_get_code(error), ==, ERROR_CANCELED);
	/* Canceled before the start. */
	g_clear_error(&error);
	g_assert_false(run_step(f, &step, &work, &code, &error));
	g_assert_cmpint(error_get_code(error), ==, ERROR_CANCELED);
}

/* Reports whether a process has this word in its command line. */
static bool is_running(const char *word)
{
	bool found = false;
	const char *name;
	GDir *proc = g_dir_open("/proc", 0, NULL);
	while (!found && (name = g_dir_read_name(proc)) != NULL) {
		g_autofree char *path = g_strconcat("/proc/", name, "/cmdline", NULL);
		g_autofree char *line = NULL;
		gsize n = 0;
		found = g_ascii_isdigit(*name) && g_file_get_contents(path, &line, &n, NULL) &&
			memmem(line, n, word, strlen(word)) != NULL;
	}
	g_dir_close(proc);
	return found;
}

struct killer {
	const char *word, *command;
};

/* Called once the step runs. */
static void *kill_runner(void *data)
{
	const struct killer *k = data;
	/* What tells that a program has replaced the runner is its command line only. */
	for (int i = 0; i < 1000 && !is_running(k->word); i++)
		g_usleep(10 * 1000);
	g_assert_true(is_running(k->word));
	assert_succeeds(g_spawn_command_line_sync(k->command, NULL, NULL, NULL, &failure));
	return NULL;
}

static void tell_output(void *data, int stream, const void *bytes, size_t n)
{
	g_assert_cmpint(write(*(const int *)data, bytes, n), ==, (ssize_t)n);
}

/* A process that is killed while it runs a step; the next executor cleans up. */
static void test_killed_daemon(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autofree char *seconds = g_strdup_printf("1%08d", (int)getpid());
	g_autofree char *line_of_step = g_strconcat("echo up; busybox sleep ", seconds, NULL);
	int up[2];
	g_assert_cmpint(pipe2(up, O_CLOEXEC), ==, 0);
	pid_t child = fork();
	if (child == 0) {
		const char *args[] = {"/bin/sh", "-c", line_of_step, NULL};
		struct step step = {.args = args, .env = default_env, .cwd = "/"};
		struct step_exit code;
		struct work none = {0};
		close(up[0]);
		step.output = tell_output;
		step.output_data = &up[1];
		step.root_fd = mount_clone(f->image_fd, false, NULL);
		alarm(60);
		executor_run(f->e, &step, &none, &code, NULL);
		_exit(1);
	}
	close(up[1]);
	char byte = 0;
	g_assert_cmpint(read(up[0], &byte, 1), ==, 1); /* its output has come: it runs */
	g_assert_cmpint(byte, ==, 'u');
	close(up[0]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	executor_free(f->e);
	f->e = new_executor(f, data);
	g_assert_false(is_running(seconds));
}

/* The pids controller's directory of a cgroup, or NULL if there is none. Owned. */
static char *pids_directory(const char *path)
{
	static const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
	for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
		g_autofree char *directory = g_strconcat(roots[i], path, NULL);
		g_autofree char *limit = g_strconcat(directory, "/pids.max", NULL);
		if (access(limit, F_OK) == 0)
			return g_steal_pointer(&directory);
	}
	return NULL;
}

static int count_cgroups(const char *name)
{
	g_autofree char *line = g_strdup_printf("find /sys/fs/cgroup -name '%s' -type d 2> /dev/null | wc -l", name);
	const char *argv[] = {"/bin/sh", "-c", line, NULL};
	g_autofree char *out = NULL;
	assert_succeeds(g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &out, NULL, NULL, &failure));
	return (int)g_ascii_strtoll(out, NULL, 10);
}

struct looker {
	struct fixture *f;
	const char *parent;
	char *pids_max; /* owned */
};

static void look_at_limit(void *data, int stream, const void *bytes, size_t n)
{
	struct looker *l = data;
	g_autofree char *path = g_strconcat("/", l->parent, "/buildkit", NULL);
	g_autofree char *directory = pids_directory(path);
	g_autofree char *limit = directory != NULL ? g_strconcat(directory, "/pids.max", NULL) : NULL;
	if (limit != NULL && l->pids_max == NULL)
		g_file_get_contents(limit, &l->pids_max, NULL, NULL);
	collect(l->f, stream, bytes, n);
}

/* A parent that a build chooses is limited, and removed with its last step; a parent that existed before is kept. */
static void test_cgroup_parent(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autofree char *parent = g_strdup_printf("parent%s", instance);
	struct looker l = {f, parent, NULL};
	const char *args[] = {"/bin/sh", "-c", "echo up; busybox cat /proc/self/cgroup", NULL};
	struct step_exit code = {-1, false};
	struct work none = {0};
	for (int i = 0; i < 2; i++) {
		g_autoptr(GError) error = NULL;
		scoped_fd root = mount_clone(f->image_fd, false, NULL);
		struct step step = {.args = args,
				    .env = default_env,
				    .cwd = "/",
				    .root_fd = root,
				    .cgroup_parent = parent,
				    .output = look_at_limit,
				    .output_data = &l};
		g_string_truncate(f->out, 0);
		executor_run(f->e, &step, &none, &code, &error);
		g_assert_no_error(error);
		g_assert_cmpint(code.code, ==, 0);
		g_assert_nonnull(strstr(f->out->str, parent));
		/* On v1 it exists in every hierarchy that the host has mounted. */
		g_assert_null(strstr(f->out->str, ":cpuset:/\n"));
		g_assert_null(strstr(f->out->str, ":freezer:/\n"));
		g_assert_cmpstr(l.pids_max, ==, "32768\n");
		g_clear_pointer(&l.pids_max, g_free);
		g_assert_cmpint(count_cgroups(parent), ==, 0);
	}
	/* A directory that the administrator created. */
	g_autofree char *usual = pids_directory("/buildkit");
	g_autofree char *kept = g_path_get_dirname(usual);
	g_autofree char *directory = g_strconcat(kept, "/", parent, NULL);
	g_assert_cmpint(mkdir(directory, 0755), ==, 0);
	struct step step = {.cgroup_parent = parent};
	g_assert_cmpint(sh(f, &step, "true"), ==, 0);
	g_assert_cmpint(count_cgroups(parent), ==, 1);
	g_assert_cmpint(rmdir(directory), ==, 0);
	/* Invalid directory names. */
	g_autoptr(GError) error = NULL;
	step = (struct step){.args = args, .cgroup_parent = "a\nb"};
	g_assert_false(run_step(f, &step, NULL, &code, &error));
	g_assert_cmpint(error_get_code(error), ==, ERROR_INVALID_ARGUMENT);
}

/* A set-user-ID program has no parent-death signal: if its runner exits, the daemon kills it. */
static void test_dead_runner(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	const struct variant *v = data;
	if (!v->own || mount_is_old()) {
		g_test_skip("only our own runner, as a server");
		return;
	}
	g_autofree char *seconds = g_strdup_printf("2%08d", (int)getpid());
	g_autofree char *line = g_strdup_printf("pkill -KILL -P %d -x buildkit-runc", (int)getpid());
	g_autoptr(GError) error = NULL;
	const char *args[] = {"/sleep", seconds, NULL};
	struct step step = {.args = args, .user = "ann"};
	struct step_exit code;
	g_autofree char *sleep = g_strconcat(f->path, "/image/sleep", NULL);
	g_autofree char *busybox = g_strconcat(f->path, "/image" BUSYBOX, NULL);
	g_autofree char *bytes = NULL;
	gsize n;
	assert_succeeds(g_file_get_contents(busybox, &bytes, &n, &failure));
	assert_succeeds(g_file_set_contents(sleep, bytes, (gssize)n, &failure));
	g_assert_cmpint(chmod(sleep, 04755), ==, 0);
	struct killer k = {seconds, line};
	GThread *t = g_thread_new("kill", kill_runner, &k);
	g_assert_false(run_step(f, &step, NULL, &code, &error));
	g_thread_join(t);
	g_assert_cmpint(error_get_code(error), ==, ERROR_UNAVAILABLE);
	g_assert_false(is_running(seconds));
}

static void test_readonly_root(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct step step = {.root_readonly = true};
	g_assert_cmpint(sh(f, &step, "echo > /x"), !=, 0);
	g_assert_cmpint(sh(f, &step, "busybox cat /etc/hosts > /dev/null"), ==, 0);
}

static void test_wrong_process(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	static const char *const none[] = {NULL}, *const sh_args[] = {"/bin/sh", NULL};
	static const struct {
		const char *const *args;
		const char *cwd, *text;
	} cases[] = {
		{NULL, "/", "invalid exec op with no args"},
		{none, "/", "invalid exec op with no args"},
		{sh_args, "tmp", "working directory \"tmp\" is not an absolute path"},
		{sh_args, "../tmp", "working directory \"../tmp\" is not an absolute path"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct step step = {.args = cases[i].args, .cwd = cases[i].cwd};
		struct step_exit code;
		g_assert_false(run_step(f, &step, NULL, &code, &error));
		g_assert_cmpstr(error->message, ==, cases[i].text);
		g_assert_cmpint(error_get_code(error), ==, ERROR_INVALID_ARGUMENT);
	}
	g_assert_cmpint(sh(f, &(struct step){.cwd = ""}, "busybox pwd"), ==, 0);
	g_assert_cmpstr(f->out->str, ==, "/\n");
}

/* More arguments than a plan can have: our runner's limit; runc has the kernel's, which is lower for these. */
static void test_many_arguments(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	enum { MANY = 300000 };
	const struct variant *v = data;
	g_autofree const char **args = g_new(const char *, MANY + 1);
	g_autoptr(GError) error = NULL;
	struct step_exit code = {0};
	for (size_t i = 0; i < MANY; i++)
		args[i] = i > 0 ? "x" : "/bin/busybox";
	args[MANY] = NULL;
	bool ran = run_step(f, &(struct step){.args = args}, NULL, &code, &error);
	if (v->own && !mount_is_old()) {
		g_assert_false(ran);
		g_assert_cmpstr(error->message, ==, "the step has 300000 arguments, limit is 65536");
		g_assert_cmpint(error_get_code(error), ==, ERROR_INVALID_ARGUMENT);
	} else {
		g_assert_no_error(error);
		g_assert_cmpint(code.code, !=, 0);
		g_assert_nonnull(strstr(f->err->str, "rgument list too long"));
	}
	g_assert_cmpint(sh(f, &(struct step){0}, "echo next"), ==, 0);
}

static const struct step_test step_tests[] = {
	{"output-and-exit", false, test_output_and_exit},
	{"missing-program", false, test_missing_program},
	{"sandbox", false, test_sandbox},
	{"mount-table", false, test_mount_table},
	{"hosts", false, test_hosts},
	{"stub-times", false, test_stub_times},
	{"users", false, test_users},
	{"mounts", false, test_mounts},
	{"tmpfs-mode", false, test_tmpfs_mode},
	{"cwd-below-mount-points", false, test_cwd_below_mount_points},
	{"selector-missing", false, test_selector_missing},
	{"held-mount", false, test_held_mount},
	{"network", false, test_network},
	{"insecure", true, test_insecure},
	{"limits", false, test_limits},
	{"oom", false, test_oom},
	{"cancel", false, test_cancel},
	{"killed-daemon", false, test_killed_daemon},
	{"readonly-root", false, test_readonly_root},
	{"cgroup-parent", false, test_cgroup_parent},
	{"dead-runner", false, test_dead_runner},
	{"wrong-process", false, test_wrong_process},
	{"many-arguments", false, test_many_arguments},
};

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	return run_step_tests("executor", step_tests, G_N_ELEMENTS(step_tests));
}
