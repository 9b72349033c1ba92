/* SPDX-License-Identifier: Apache-2.0 */
/* A container: its mounts, files and release. */
#include "container_fixture.h"
#include "lib/outcome.h"

static void test_mounts(struct fixture *f, gconstpointer data)
{
	f->root.input = 0;
	f->other.input = -1;
	f->options.inputs = (cache_ref *const[]){NULL};
	f->options.n_inputs = 1;
	fixture_open(f);
	g_assert_cmpstr(fake_steps.mounts_call, ==, "owner=container c cwd=[] inputs=1 /=0 /tmp=-1");
	g_assert_cmpint(fake_steps.open_mounts, ==, 1);
	g_clear_pointer(&f->c, container_unref); /* releases it */
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
}

static void test_refused(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree Pb__Mount **many = g_new(Pb__Mount *, LIMIT_LLB_INPUTS + 1);
	Pb__HostIP host = PB__HOST_IP__INIT, *hosts[] = {&host};
	host.host = (char *)"h";
	host.ip = (char *)"300.1.1.1";
	for (size_t i = 0; i < LIMIT_LLB_INPUTS + 1; i++)
		many[i] = &f->other;
	struct container_options o = f->options;
	o.mounts = many;
	o.n_mounts = LIMIT_LLB_INPUTS + 1;
	g_assert_null(container_new(&o, f->stop, &error));
	expect_error(&error, ERROR_INVALID_ARGUMENT, "container has 10001 mounts, limit is 10000");
	o = f->options;
	o.mounts = (Pb__Mount *const[]){&f->root, &f->root};
	g_assert_null(container_new(&o, f->stop, &error));
	expect_error(&error, ERROR_INVALID_ARGUMENT, "invalid container with several mounts at /");
	o = f->options;
	o.network = (Pb__NetMode)7;
	g_assert_null(container_new(&o, f->stop, &error));
	expect_error(&error, ERROR_INVALID_ARGUMENT, "unknown network mode 7");
	o = f->options;
	o.hosts = hosts;
	o.n_hosts = 1;
	g_assert_null(container_new(&o, f->stop, &error));
	expect_error(&error, ERROR_INVALID_ARGUMENT, "failed to parse IP 300.1.1.1");
	g_assert_null(fake_steps.mounts_call);
	fake_steps.mounts_error = "no such mount";
	g_assert_null(container_new(&f->options, f->stop, &error));
	expect_error(&error, ERROR_NOT_FOUND, "no such mount");
}

static gpointer cancel_waiting(gpointer data)
{
	event_wait(&fake_steps.mounts_waiting, 1);
	cancel_set(data, ERROR_DEADLINE_EXCEEDED, "too late");
	return NULL;
}

/* Both the call and the build end the opening of the mounts. */
static void test_cancel_new(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(cancel) stop = cancel_new(NULL);
	fake_steps.mounts_wait = true;
	GThread *t = g_thread_new("cancel", cancel_waiting, stop);
	g_assert_null(container_new(&f->options, stop, &error));
	expect_error(&error, ERROR_CANCELED, "context canceled");
	g_thread_join(t);
	/* A call that is canceled already, with mounts that do not wait. */
	fake_steps.mounts_wait = false;
	g_assert_null(container_new(&f->options, stop, &error));
	expect_error(&error, ERROR_CANCELED, "context canceled");
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
	fake_steps.mounts_wait = true;
	fake_steps.mounts_waiting.count = 0;
	t = g_thread_new("cancel", cancel_waiting, f->build);
	g_assert_null(container_new(&f->options, f->stop, &error));
	expect_error(&error, ERROR_DEADLINE_EXCEEDED, "too late");
	g_thread_join(t);
}

/* The files of a tree in which a file "f" and a link to it are. */
static void test_files(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct fssync_stat stat;
	scoped_fd fd = openat(fake_steps.tree_fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	g_assert_cmpint(write(fd, "0123456789", 10), ==, 10);
	g_assert_cmpint(symlinkat("/f", fake_steps.tree_fd, "link"), ==, 0);
	fixture_open(f);
	g_autoptr(GBytes) all = container_read_file(f->c, 0, "/f", 0, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(g_bytes_get_data(all, NULL), g_bytes_get_size(all), "0123456789", 10);
	g_autoptr(GBytes) part = container_read_file(f->c, 0, "/f", 2, 3, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(g_bytes_get_data(part, NULL), g_bytes_get_size(part), "234", 3);
	g_autoptr(GPtrArray) entries = container_read_dir(f->c, 0, "/", "l*", &error);
	g_assert_no_error(error);
	g_assert_cmpuint(entries->len, ==, 1);
	g_assert_cmpstr(((struct fssync_stat *)entries->pdata[0])->path, ==, "link");
	bool found = container_stat_file(f->c, 0, "/link", &stat, &error);
	g_assert_no_error(error);
	g_assert_true(found);
	g_assert_cmpstr(stat.linkname, ==, "/f"); /* absolute links are not followed */
	fssync_stat_clear(&stat);
}

static void test_files_refused(struct fixture *f, gconstpointer data)
{
	static const struct {
		int64_t mount;
		const char *path;
		enum error_code code;
		const char *text;
	} cases[] = {
		{0, "f", ERROR_UNKNOWN, "can't make f relative to /"},
		{0, "", ERROR_UNKNOWN, "can't make  relative to /"},
		{1, "/f", ERROR_UNKNOWN, "mountable 1 not found"},
		{2, "/f", ERROR_UNKNOWN, "mount index 2 is out of bounds (2 available)"},
		{-1, "/f", ERROR_UNKNOWN, "mount index -1 is out of bounds (2 available)"},
		{INT64_MAX, "/f", ERROR_UNKNOWN, "mount index 9223372036854775807 is out of bounds (2 available)"},
		{0, "/f", ERROR_FAILED_PRECONDITION, "container c is released"}, /* the last one, after release */
	};
	g_autoptr(GError) error = NULL;
	struct fssync_stat stat;
	fixture_open(f);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		if (cases[i].code == ERROR_FAILED_PRECONDITION) {
			bool ok = container_release(f->c, &error);
			g_assert_no_error(error);
			g_assert_true(ok);
		}
		g_assert_null(container_read_file(f->c, cases[i].mount, cases[i].path, 0, 0, &error));
		expect_error(&error, cases[i].code, cases[i].text);
		g_assert_null(container_read_dir(f->c, cases[i].mount, cases[i].path, "", &error));
		expect_error(&error, cases[i].code, cases[i].text);
		g_assert_false(container_stat_file(f->c, cases[i].mount, cases[i].path, &stat, &error));
		expect_error(&error, cases[i].code, cases[i].text);
	}
}

static gpointer release_thread(gpointer data)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(container_release(data, &error));
	expect_error(&error, ERROR_CANCELED, "exit code: 137: context canceled");
	return NULL;
}

/* Concurrent releases kill the processes and all wait for their ends. */
static void test_release(struct fixture *f, gconstpointer data)
{
	fixture_open(f);
	scoped_watched w, w2;
	container_process *p = start_process(f, &w, "first");
	fake_step_start(fake_steps_wait(0));
	container_process *p2 = start_process(f, &w2, "second");
	fake_step_start(fake_steps_wait(1));
	GThread *threads[4];
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("release", release_thread, f->c);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
		g_thread_join(threads[i]);
		g_assert_cmpuint(w.n_ended + w2.n_ended, ==, 2);
		g_assert_cmpint(fake_steps.open_mounts, ==, 0);
	}
	watched_expect(&w, 137, ERROR_CANCELED, "exit code: 137: context canceled");
	watched_expect(&w2, 137, ERROR_CANCELED, "exit code: 137: context canceled");
	container_process_unref(p);
	container_process_unref(p2);
}

/* The first failure of a process is that of the release, also when that process has ended before others. */
static void test_release_failure(struct fixture *f, gconstpointer data)
{
	static const int codes[] = {0, 7, 9};
	g_autoptr(GError) error = NULL;
	fixture_open(f);
	scoped_watched first;
	g_autoptr(container_process) p G_GNUC_UNUSED = start_process(f, &first, "first");
	fake_step_start(fake_steps_wait(0));
	for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
		scoped_watched w;
		container_process_unref(start_process(f, &w, "further"));
		fake_step_exit(fake_steps_wait(1 + i), codes[i]);
		watched_wait(&w, &w.n_ended);
	}
	fake_step_exit(fake_steps_wait(0), 0);
	watched_expect(&first, 0, 0, NULL);
	g_assert_false(container_release(f->c, &error));
	g_assert_true(error_has_detail(error, "gatewayapi.ExitMessage"));
	expect_error(&error, ERROR_UNKNOWN, "exit code: 7");
	g_assert_false(container_release(f->c, NULL)); /* without a place for the error */
}

/* The end of the build ends the processes; the container still has to be released. */
static void test_build_ends(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	fixture_open(f);
	scoped_watched w;
	g_autoptr(container_process) p G_GNUC_UNUSED = start_process(f, &w, "first");
	fake_step_start(fake_steps_wait(0));
	cancel_set(f->build, ERROR_CANCELED, NULL);
	watched_expect(&w, 137, ERROR_CANCELED, "exit code: 137: context canceled");
	g_assert_cmpint(fake_steps.open_mounts, ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/container/" name, struct fixture, NULL, fixture_setup, fn, fixture_teardown)
	ADD("mounts", test_mounts);
	ADD("refused", test_refused);
	ADD("cancel-new", test_cancel_new);
	ADD("files", test_files);
	ADD("files-refused", test_files_refused);
	ADD("release", test_release);
	ADD("release-failure", test_release_failure);
	ADD("build-ends", test_build_ends);
	return g_test_run();
}
