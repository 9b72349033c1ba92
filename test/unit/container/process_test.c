/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container: how they are run, their states and ends. */
#include "container_fixture.h"
#include "base/thread.h"
#include "lib/outcome.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define STREAMS " streams=pipe,pipe,pipe"

static container_process *start_command(struct fixture *f, struct watched *w, const struct container_command *command)
{
	g_autoptr(GError) error = NULL;
	container_process *p = container_start(f->c, command, &w->io, NULL, &error);
	g_assert_no_error(error);
	return p;
}

/* A running first process; ended by end_first. */
static container_process *start_first(struct fixture *f, struct watched *w)
{
	container_process *p = start_process(f, w, "first");
	fake_step_start(fake_steps_wait(0));
	watched_wait(w, &w->n_started);
	return p;
}

static void end_first(struct watched *w)
{
	fake_step_exit(fake_steps_wait(0), 0);
	watched_expect(w, 0, 0, NULL);
}

/* ---- how they are run */

/* The first process is the step, with all settings; a further one has its own of some of them. */
static void test_call(struct fixture *f, gconstpointer data)
{
	char *args[] = {(char *)"a", (char *)"b c"}, *env[] = {(char *)"A=b", (char *)"PATH=/mine"};
	Pb__HostIP host = PB__HOST_IP__INIT, *hosts[] = {&host};
	Pb__Ulimit limit = PB__ULIMIT__INIT, *limits[] = {&limit};
	Pb__Meta meta = PB__META__INIT;
	host.host = (char *)"some.host";
	host.ip = (char *)"192.0.2.1";
	limit.name = (char *)"nofile";
	limit.soft = 7;
	limit.hard = 8;
	meta.args = args;
	meta.n_args = 2;
	meta.env = env;
	meta.n_env = 2;
	meta.cwd = (char *)"/w";
	meta.user = (char *)"ann";
	meta.cgroupparent = (char *)"/g";
	meta.ulimit = limits;
	meta.n_ulimit = 1;
	meta.removemountstubsrecursive = true;
	f->options.hosts = hosts;
	f->options.n_hosts = 1;
	f->options.hostname = "box";
	f->options.network = PB__NET_MODE__NONE;
	f->options.allow_security_insecure = true;
	fixture_open(f);
	const struct container_command command = {.meta = &meta, .security = PB__SECURITY_MODE__INSECURE};
	scoped_watched w, further;
	watched_init(&w);
	watched_init(&further);
	w.io.wanted[1] = false;
	g_autoptr(container_process) p = start_command(f, &w, &command);
	g_assert_true(container_process_is_first(p));
	struct fake_step *s = fake_steps_wait(0);
	g_assert_cmpstr(
		s->call, ==,
		"run args=[a b c] env=[A=b PATH=/mine] cwd=/w user=ann cgroup=/g hostname=box "
		"some.host=192.0.2.1 nofile=7:8 network=2 insecure=1 mounts=1 recursive=1 streams=pipe,null,pipe");
	fake_step_start(s);
	g_autoptr(container_process) second = start_command(f, &further, &command);
	g_assert_false(container_process_is_first(second));
	g_assert_cmpstr(fake_steps_wait(1)->call, ==, "exec args=[a b c] env=[A=b PATH=/mine] cwd=/w user=ann" STREAMS);
	fake_step_exit(fake_steps_wait(1), 0);
	watched_expect(&further, 0, 0, NULL);
	end_first(&w);
}

/* What is not given: a working directory, PATH, TERM of a terminal; the message may end before the process. */
static void test_defaults(struct fixture *f, gconstpointer data)
{
	bool windows = data != NULL;
	f->options.windows = windows;
	fixture_open(f);
	char *args[] = {g_strdup("sh")};
	Pb__Meta meta = PB__META__INIT;
	meta.args = args;
	meta.n_args = 1;
	scoped_watched w, further;
	watched_init(&w);
	watched_init(&further);
	w.io.terminal = true;
	g_autoptr(container_process) p G_GNUC_UNUSED = start_command(f, &w, &(struct container_command){.meta = &meta});
	g_clear_pointer(&args[0], g_free);
	const char *path =
		windows ? "PATH=c:\\Windows\\System32;c:\\Windows;C:\\Windows\\System32\\WindowsPowerShell\\v1.0"
			: DEFAULT_PATH;
	g_autofree char *expected = g_strdup_printf(
		"run args=[sh] env=[%s TERM=xterm] cwd=/ user= cgroup= hostname= network=0 insecure=0 mounts=1 "
		"recursive=0" STREAMS " terminal",
		path);
	g_assert_cmpstr(fake_steps_wait(0)->call, ==, expected);
	fake_step_start(fake_steps_wait(0));
	g_autoptr(container_process) second G_GNUC_UNUSED = start_process(f, &further, "x");
	g_autofree char *expected_further = g_strdup_printf("exec args=[x] env=[%s] cwd=/ user=" STREAMS, path);
	g_assert_cmpstr(fake_steps_wait(1)->call, ==, expected_further);
	fake_step_exit(fake_steps_wait(1), 0);
	watched_expect(&further, 0, 0, NULL);
	end_first(&w);
}

/* Modes that the build does not allow; the container goes on without a first process. */
static void test_modes(struct fixture *f, gconstpointer data)
{
	static const struct {
		Pb__NetMode network;
		Pb__SecurityMode security;
		bool host_allowed, insecure_allowed;
		enum error_code code;
		const char *text;
	} cases[] = {
		{PB__NET_MODE__HOST, PB__SECURITY_MODE__SANDBOX, false, true, ERROR_PERMISSION_DENIED,
		 "network.host is not allowed"},
		{PB__NET_MODE__UNSET, PB__SECURITY_MODE__INSECURE, true, false, ERROR_PERMISSION_DENIED,
		 "security.insecure is not allowed"},
		{PB__NET_MODE__UNSET, (Pb__SecurityMode)9, true, true, ERROR_INVALID_ARGUMENT,
		 "invalid security mode 9"},
		{PB__NET_MODE__HOST, PB__SECURITY_MODE__INSECURE, true, true, 0, NULL},
	};
	Pb__Meta meta = PB__META__INIT;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		scoped_watched w;
		watched_init(&w);
		f->options.network = cases[i].network;
		f->options.allow_network_host = cases[i].host_allowed;
		f->options.allow_security_insecure = cases[i].insecure_allowed;
		fixture_open(f);
		const struct container_command command = {.meta = &meta, .security = cases[i].security};
		container_process_unref(start_command(f, &w, &command));
		if (cases[i].text) {
			scoped_watched further;
			watched_expect(&w, 255, cases[i].code, cases[i].text);
			g_assert_cmpuint(fake_steps_count(), ==, 0);
			watched_init(&further);
			container_process_unref(start_command(f, &further, &(struct container_command){.meta = &meta}));
			bool host = cases[i].network == PB__NET_MODE__HOST;
			watched_expect(&further, 255, host ? cases[i].code : ERROR_UNKNOWN,
				       host ? cases[i].text : "container c not found");
		} else {
			g_assert_nonnull(strstr(fake_steps_wait(0)->call, "network=1 insecure=1"));
			fake_step_exit(fake_steps_wait(0), 0);
			watched_expect(&w, 0, 0, NULL);
		}
		g_clear_pointer(&f->c, container_unref);
	}
}

static void test_secrets(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__SecretEnv secret = PB__SECRET_ENV__INIT, *secrets[] = {&secret};
	Pb__Meta meta = PB__META__INIT;
	secret.name = (char *)"X";
	fixture_open(f);
	struct watched w;
	watched_init(&w);
	const struct container_command command = {.meta = &meta, .secrets = secrets, .n_secrets = 1};
	g_assert_null(container_start(f->c, &command, &w.io, NULL, &error));
	expect_error(&error, ERROR_INVALID_ARGUMENT, "secret ID missing for \"X\" environment variable");
	g_assert_cmpuint(w.n_ended, ==, 0); /* nothing is reported of what was not started */
	g_mutex_clear(&w.mu);
	g_cond_clear(&w.changed);
}

/* ---- their ends */

static void test_ends(struct fixture *f, gconstpointer data)
{
	fixture_open(f);
	scoped_watched first;
	g_autoptr(container_process) p G_GNUC_UNUSED = start_first(f, &first);
	static const struct {
		int exit; /* -1: no memory, -2: it cannot be run */
		int code;
		enum error_code failure;
		const char *text, *detail;
	} cases[] = {
		{0, 0, 0, NULL, NULL},
		{3, 3, ERROR_UNKNOWN, "exit code: 3", "{\"Code\":3}"},
		{255, 255, ERROR_UNKNOWN, "exit code: 255", "{\"Code\":255}"},
		{-1, 137, ERROR_RESOURCE_EXHAUSTED, "cannot allocate memory", "{\"Code\":137}"},
		{-2, 255, ERROR_NOT_FOUND, "no such program", NULL},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		scoped_watched w;
		container_process_unref(start_process(f, &w, "further"));
		struct fake_step *s = fake_steps_wait(1 + i);
		fake_step_start(s);
		if (cases[i].exit >= 0)
			fake_step_exit(s, cases[i].exit);
		else if (cases[i].exit == -1)
			fake_step_oom(s);
		else
			fake_step_fail(s, ERROR_NOT_FOUND, "no such program");
		watched_wait(&w, &w.n_ended);
		const GPtrArray *details = w.failure ? error_get_details(w.failure) : NULL;
		g_assert_cmpuint(details ? details->len : 0, ==, cases[i].detail ? 1 : 0);
		if (cases[i].detail)
			g_assert_cmpstr(((struct error_detail *)details->pdata[0])->json, ==, cases[i].detail);
		watched_expect(&w, cases[i].code, cases[i].failure, cases[i].text);
	}
	end_first(&first);
}

/* Further processes wait for the start of the first one; there is none after its end. */
static void test_further_waits(struct fixture *f, gconstpointer data)
{
	enum { MANY = 20 }; /* so that some wait when the first one starts */
	fixture_open(f);
	scoped_watched first, late;
	struct watched further[MANY];
	g_autoptr(container_process) p G_GNUC_UNUSED = start_process(f, &first, "first");
	fake_steps_wait(0);
	for (guint i = 0; i < MANY; i++)
		container_process_unref(start_process(f, &further[i], "further"));
	g_assert_cmpuint(fake_steps_count(), ==, 1);
	fake_step_start(fake_steps_wait(0));
	for (guint i = 0; i < MANY; i++)
		fake_step_exit(fake_steps_wait(i + 1), 0);
	for (guint i = 0; i < MANY; i++) {
		watched_expect(&further[i], 0, 0, NULL);
		watched_clear(&further[i]);
	}
	end_first(&first);
	container_process_unref(start_process(f, &late, "late"));
	watched_expect(&late, 255, ERROR_UNKNOWN, "container c not found");
	g_assert_cmpuint(fake_steps_count(), ==, MANY + 1);
}

/* The first process cannot be run: what waits for it ends, too. */
static void test_first_fails(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	fixture_open(f);
	scoped_watched first, second;
	g_autoptr(container_process) p G_GNUC_UNUSED = start_process(f, &first, "first");
	fake_steps_wait(0);
	g_autoptr(container_process) q G_GNUC_UNUSED = start_process(f, &second, "second");
	fake_step_fail(fake_steps_wait(0), ERROR_NOT_FOUND, "no root");
	watched_expect(&first, 255, ERROR_NOT_FOUND, "no root");
	watched_expect(&second, 255, ERROR_UNKNOWN, "container c not found");
	g_assert_cmpuint(first.n_started + second.n_started, ==, 0);
	g_assert_false(container_release(f->c, &error));
	expect_error(&error, ERROR_NOT_FOUND, "no root");
}

/* Canceling one process leaves the container and the others. */
static void test_cancel(struct fixture *f, gconstpointer data)
{
	fixture_open(f);
	scoped_watched first, second, waiting;
	g_autoptr(container_process) p = start_process(f, &first, "first");
	fake_steps_wait(0);
	g_autoptr(container_process) q = start_process(f, &waiting, "waiting");
	container_process_cancel(q); /* while it waits for the first one */
	watched_expect(&waiting, 255, ERROR_CANCELED, "context canceled");
	fake_step_start(fake_steps_wait(0));
	g_autoptr(container_process) r = start_process(f, &second, "second");
	fake_step_start(fake_steps_wait(1));
	container_process_cancel(r);
	watched_expect(&second, 137, ERROR_CANCELED, "exit code: 137: context canceled");
	g_assert_cmpuint(first.n_ended, ==, 0);
	container_process_cancel(p);
	watched_expect(&first, 137, ERROR_CANCELED, "exit code: 137: context canceled");
	container_process_cancel(p); /* after its end */
}

/* A further process whose namespace ends before its token is looked at. */
static void die_with_namespace(struct fake_step *s, cancel *stop)
{
	if (!s->further)
		return;
	fake_step_start(s);
	cancel_poll(stop, NULL, 0, -1, NULL);
	fake_step_exit(s, 137);
}

/* A release kills the first process, and the kernel the others: all are canceled. */
static void test_release_kills(struct fixture *f, gconstpointer data)
{
	fixture_open(f);
	fake_steps.behave = die_with_namespace;
	scoped_watched first, second;
	g_autoptr(container_process) p G_GNUC_UNUSED = start_process(f, &first, "first");
	fake_step_start(fake_steps_wait(0));
	g_autoptr(container_process) q G_GNUC_UNUSED = start_process(f, &second, "second");
	fake_steps_wait(1);
	assert_fails(container_release(f->c, &failure), "exit code: 137: context canceled");
	watched_expect(&first, 137, ERROR_CANCELED, "exit code: 137: context canceled");
	watched_expect(&second, 137, ERROR_CANCELED, "exit code: 137: context canceled");
}

/* ---- limits */

static void test_many(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	enum { MOST = 64 };
	struct watched w[MOST], more;
	container_process *processes[MOST];
	Pb__Meta meta = PB__META__INIT;
	g_assert_cmpint(LIMIT_CONTAINER_PROCESSES, ==, MOST);
	fixture_open(f);
	for (guint i = 0; i < MOST; i++) {
		processes[i] = start_process(f, &w[i], "x");
		if (i == 0)
			fake_step_start(fake_steps_wait(0));
	}
	watched_init(&more);
	g_assert_null(container_start(f->c, &(struct container_command){.meta = &meta}, &more.io, NULL, &error));
	expect_error(&error, ERROR_RESOURCE_EXHAUSTED, "container c has 64 processes, the maximum");
	/* One that has ended makes room. It has not started, so that a signal waits for its end. */
	container_process_cancel(processes[MOST - 1]);
	bool ok = container_process_signal(processes[MOST - 1], SIGTERM, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
	container_process_unref(start_command(f, &more, &(struct container_command){.meta = &meta}));
	fake_steps_wait(MOST);
	assert_fails(container_release(f->c, &failure), "exit code: 137: context canceled");
	for (guint i = 0; i < MOST; i++) {
		watched_clear(&w[i]);
		container_process_unref(processes[i]);
	}
	watched_clear(&more);
}

static void test_after_release(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__Meta meta = PB__META__INIT;
	struct container_io io = {0};
	fixture_open(f);
	bool ok = container_release(f->c, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
	g_assert_null(container_start(f->c, &(struct container_command){.meta = &meta}, &io, NULL, &error));
	expect_error(&error, ERROR_FAILED_PRECONDITION, "container c is released");
}

static gpointer wait_thread(gpointer data)
{
	event_wait(data, 1);
	return NULL;
}

/* No thread can be started: an error of the call, and the next process is still the first one. */
static void test_no_thread(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__Meta meta = PB__META__INIT;
	fixture_open(f);
	scoped_watched w;
	watched_init(&w);
	struct event end = {0};
	GThread *other = thread_start("other", wait_thread, &end, &error);
	g_assert_no_error(error);
	thread_set_limit(1);
	g_assert_null(container_start(f->c, &(struct container_command){.meta = &meta}, &w.io, NULL, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	thread_set_limit(0);
	event_raise(&end);
	g_thread_join(other);
	container_process *p = start_process(f, &w, "first");
	g_assert_true(container_process_is_first(p));
	fake_step_start(fake_steps_wait(0));
	end_first(&w);
	container_process_unref(p);
}

/* ---- signals and sizes */

struct request {
	container_process *p;
	cancel *stop;
	struct event begun;
	bool ok;
	GError *error;
};

static gpointer signal_thread(gpointer data)
{
	struct request *r = data;
	event_raise(&r->begun);
	r->ok = container_process_signal(r->p, SIGHUP, r->stop, &r->error) &&
		container_process_resize(r->p, (struct step_size){24, 80}, r->stop, &r->error);
	return NULL;
}

/* Both wait for the start. */
static void test_signal(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	fixture_open(f);
	scoped_watched w;
	g_autoptr(container_process) p = start_process(f, &w, "first");
	struct request r = {.p = p};
	GThread *t = g_thread_new("signal", signal_thread, &r);
	event_wait(&r.begun, 1);
	struct fake_step *s = fake_steps_wait(0);
	g_assert_cmpstr(s->seen->str, ==, "");
	fake_step_start(s);
	g_thread_join(t);
	g_assert_no_error(r.error);
	g_assert_true(r.ok);
	g_assert_cmpstr(s->seen->str, ==, "signal 1\nresize 24x80\n");
	g_assert_false(container_process_signal(p, 0, NULL, &error));
	expect_error(&error, ERROR_INVALID_ARGUMENT, "unknown signal 0");
	s->refusal = "it refuses";
	g_assert_false(container_process_signal(p, SIGTERM, NULL, &error));
	expect_error(&error, ERROR_UNKNOWN, "it refuses");
	g_assert_false(container_process_resize(p, (struct step_size){1, 2}, NULL, &error));
	expect_error(&error, ERROR_UNKNOWN, "it refuses");
	end_first(&w);
	/* No effect after the end. */
	bool ok = container_process_signal(p, SIGTERM, NULL, &error) &&
		  container_process_resize(p, (struct step_size){1, 2}, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
}

/* Their callers are not kept by a process that does not start, or ends before it has started. */
static void test_signal_stops(struct fixture *f, gconstpointer data)
{
	fixture_open(f);
	scoped_watched w;
	g_autoptr(container_process) p = start_process(f, &w, "first");
	g_autoptr(cancel) stop = cancel_new(NULL);
	struct request r = {.p = p, .stop = stop}, waits = {.p = p};
	GThread *t = g_thread_new("signal", signal_thread, &r), *u = g_thread_new("signal", signal_thread, &waits);
	event_wait(&r.begun, 1);
	event_wait(&waits.begun, 1);
	cancel_set(stop, ERROR_CANCELED, NULL);
	g_thread_join(t);
	g_assert_false(r.ok);
	expect_error(&r.error, ERROR_CANCELED, "context canceled");
	fake_step_fail(fake_steps_wait(0), ERROR_UNKNOWN, "no");
	g_thread_join(u);
	g_assert_no_error(waits.error);
	g_assert_true(waits.ok);
	watched_expect(&w, 255, ERROR_UNKNOWN, "no");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, data, fn) g_test_add("/process/" name, struct fixture, data, fixture_setup, fn, fixture_teardown)
	ADD("call", NULL, test_call);
	ADD("defaults", NULL, test_defaults);
	ADD("defaults-windows", "windows", test_defaults);
	ADD("modes", NULL, test_modes);
	ADD("secrets", NULL, test_secrets);
	ADD("ends", NULL, test_ends);
	ADD("further-waits", NULL, test_further_waits);
	ADD("first-fails", NULL, test_first_fails);
	ADD("cancel", NULL, test_cancel);
	ADD("many", NULL, test_many);
	ADD("release-kills", NULL, test_release_kills);
	ADD("after-release", NULL, test_after_release);
	ADD("no-thread", NULL, test_no_thread);
	ADD("signal", NULL, test_signal);
	ADD("signal-stops", NULL, test_signal_stops);
	return g_test_run();
}
