/* SPDX-License-Identifier: Apache-2.0 */
/* The state of containers on disk, and whether their processes live. */
#include "container.h"
#include "fail.h"
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char *dir, *root; /* the root does not exist yet */
};

static jmp_buf refused;
static struct runner_report report;

static void note(const struct runner_report *r)
{
	report = *r;
	longjmp(refused, 1);
}

static void setup(struct fixture *f, gconstpointer data)
{
	f->dir = g_dir_make_tmp("container-XXXXXX", NULL);
	f->root = g_build_filename(f->dir, "a", "b", NULL);
	fail_by(note);
}

static void teardown(struct fixture *f, gconstpointer data)
{
	g_autofree char *parent = g_path_get_dirname(f->root);
	json_release();
	g_rmdir(f->root);
	g_rmdir(parent);
	g_assert_cmpint(g_rmdir(f->dir), ==, 0);
	g_free(f->root);
	g_free(f->dir);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static void reap(pid_t pid)
{
	kill(pid, SIGKILL);
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

static void make(struct fixture *f, struct container *c, pid_t pid)
{
	container_make(c, f->root, "c1");
	c->pid = pid;
	c->started = container_start_time(pid);
	c->bundle = "/bundle";
	c->rootfs = "/bundle/rootfs";
	c->cgroup = "/cg";
	c->annotations = json_pack("{s:s}", "k", "v");
	container_save(c);
	json_decref(c->annotations);
}

static void test_state(struct fixture *f, gconstpointer data)
{
	struct container made, c, none;
	struct stat st;
	pid_t pid = sleeper();
	g_assert_false(container_try_load(&none, f->root, "c1"));
	make(f, &made, pid);
	g_assert_cmpint(fstat(made.dir_fd, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 07777, ==, 0711);
	g_assert_cmpuint(made.started, >, 0);
	g_assert_true(container_try_load(&c, f->root, "c1"));
	g_assert_cmpint(c.pid, ==, pid);
	g_assert_cmpuint(c.started, ==, made.started);
	g_assert_cmpstr(c.bundle, ==, "/bundle");
	g_assert_cmpstr(c.rootfs, ==, "/bundle/rootfs");
	g_assert_cmpstr(c.cgroup, ==, "/cg");
	g_assert_cmpstr(c.created, ==, made.created);
	g_assert_cmpuint(strlen(c.created), ==, strlen("2026-11-30T20:44:29.000000000Z"));
	g_assert_cmpstr(json_string_value(json_object_get(c.annotations, "k")), ==, "v");
	g_assert_cmpstr(container_status(&c), ==, "running");
	c.started++; /* another process has the pid now */
	g_assert_cmpstr(container_status(&c), ==, "stopped");
	c.started--;
	reap(pid);
	g_assert_cmpstr(container_status(&c), ==, "stopped");
	close(made.dir_fd);
	container_remove(&c);
	g_assert_false(container_try_load(&none, f->root, "c1"));
}

/* A dead process that its parent has not reaped is not alive. */
static void test_zombie(struct fixture *f, gconstpointer data)
{
	siginfo_t info;
	pid_t pid = sleeper();
	g_assert_cmpuint(container_start_time(pid), >, 0);
	kill(pid, SIGKILL);
	g_assert_cmpint(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), ==, 0);
	g_assert_cmpuint(container_start_time(pid), ==, 0);
	reap(pid);
	g_assert_cmpuint(container_start_time(pid), ==, 0);
	g_assert_cmpuint(container_start_time(0), ==, 0);
}

static void test_start(struct fixture *f, gconstpointer data)
{
	struct container c;
	char byte = 'x';
	pid_t pid = sleeper();
	make(f, &c, pid);
	g_assert_false(container_start(&c)); /* nothing waits */
	int fifo = container_make_start_fifo(&c);
	g_assert_cmpstr(container_status(&c), ==, "created");
	g_assert_true(container_start(&c));
	g_assert_cmpint(read(fifo, &byte, 1), ==, 1);
	g_assert_cmpint(byte, ==, 0);
	g_assert_cmpstr(container_status(&c), ==, "running");
	g_assert_false(container_start(&c)); /* once */
	close(fifo);
	reap(pid);
	container_remove(&c);
}

static void expect_failure(const char *text)
{
	g_assert_cmpstr(report.text, ==, text);
	g_assert_cmpint(report.phase, ==, PHASE_PLAN);
	report = (struct runner_report){0};
}

static void test_refused(struct fixture *f, gconstpointer data)
{
	static const char *const ids[] = {"", ".", "..", "a/b", "a b", "\xc3\xa4"};
	static struct container c, second;
	volatile size_t i = 0;
	for (i = 0; i < G_N_ELEMENTS(ids); i++) {
		g_autofree char *text = g_strdup_printf("invalid id format: \"%s\"", ids[i]);
		if (setjmp(refused) == 0) {
			container_check_id(ids[i]);
			g_assert_not_reached();
		}
		expect_failure(text);
	}
	container_check_id("aZ09_+-.");
	if (setjmp(refused) == 0) {
		container_load(&c, f->root, "c1");
		g_assert_not_reached();
	}
	expect_failure("container does not exist");
	make(f, &c, 1);
	if (setjmp(refused) == 0) {
		container_make(&second, f->root, "c1");
		g_assert_not_reached();
	}
	expect_failure("container with given ID already exists");
	container_remove(&c);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/container/state", struct fixture, NULL, setup, test_state, teardown);
	g_test_add("/container/zombie", struct fixture, NULL, setup, test_zombie, teardown);
	g_test_add("/container/start", struct fixture, NULL, setup, test_start, teardown);
	g_test_add("/container/refused", struct fixture, NULL, setup, test_refused, teardown);
	return g_test_run();
}
