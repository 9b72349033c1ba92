/* SPDX-License-Identifier: Apache-2.0 */
/* The decisions, on files named as the kernel's; e2e/cgroup_root uses real cgroups. */
#include "executor/cgroup_root.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <sys/stat.h>

struct fixture {
	char *root;
	char *own_path;
};

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	assert_succeeds(g_file_set_contents(path, text, -1, &failure));
}

static void expect_file(const struct fixture *f, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	g_autofree char *found = NULL;
	assert_succeeds(g_file_get_contents(path, &found, NULL, &failure));
	g_assert_cmpstr(found, ==, text);
}

static bool exists(const struct fixture *f, const char *name)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* The root of a cgroup namespace with the processes 12 and 34, and one of another pid namespace. */
static void set_up(struct fixture *f, gconstpointer unused)
{
	f->root = g_dir_make_tmp("cgroup-XXXXXX", NULL);
	f->own_path = g_build_filename(f->root, "own", NULL);
	write_file(f, "own", "0::/\n");
	write_file(f, "cgroup.type", "domain\n");
	write_file(f, "cgroup.controllers", "pids\n");
	write_file(f, "cgroup.subtree_control", "");
	write_file(f, "cgroup.procs", "12\n0\n34\n");
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	assert_succeeds(tree_remove_at(AT_FDCWD, f->root, &failure));
	g_free(f->root);
	g_free(f->own_path);
}

static void make_init(const struct fixture *f)
{
	g_autofree char *path = g_build_filename(f->root, "init", NULL);
	g_assert_cmpint(mkdir(path, 0755), ==, 0);
	write_file(f, "init/cgroup.procs", "");
}

static void prepare(const struct fixture *f)
{
	g_autoptr(GError) error = NULL;
	g_assert_true(cgroup_root_prepare(f->root, f->own_path, &error));
	g_assert_no_error(error);
}

static void test_moved(struct fixture *f, gconstpointer unused)
{
	make_init(f);
	prepare(f);
	expect_file(f, "init/cgroup.procs", "34"); /* 34 replaced 12; 0 was not written */
	expect_file(f, "cgroup.subtree_control", "+pids");
}

static void test_only_others(struct fixture *f, gconstpointer unused)
{
	make_init(f);
	write_file(f, "cgroup.procs", "0\n");
	prepare(f);
	expect_file(f, "init/cgroup.procs", "");
	expect_file(f, "cgroup.subtree_control", "+pids");
}

static void test_started_again(struct fixture *f, gconstpointer unused)
{
	make_init(f);
	write_file(f, "own", "1:name=systemd:/x\n0::/init\n");
	write_file(f, "cgroup.procs", "");
	prepare(f);
	expect_file(f, "cgroup.subtree_control", "+pids");
}

static void test_nothing_to_do(struct fixture *f, gconstpointer name)
{
	g_autofree char *path = g_build_filename(f->root, name, NULL);
	g_assert_cmpint(unlink(path), ==, 0);
	write_file(f, "own", "0::/elsewhere\n");
	prepare(f);
	g_assert_false(exists(f, "init"));
}

static void test_other_cgroup(struct fixture *f, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;
	write_file(f, "own", "0::/docker/x\n");
	g_assert_false(cgroup_root_prepare(f->root, f->own_path, &error));
	g_assert_true(error_is(error, ERROR_FAILED_PRECONDITION));
	g_assert_cmpstr(error->message, ==, "the daemon's cgroup /docker/x is not the root of a cgroup namespace");
	g_assert_false(exists(f, "init"));
}

static void test_cannot_move(struct fixture *f, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;
	/* The kernel would have made cgroup.procs in the new directory. */
	g_assert_false(cgroup_root_prepare(f->root, f->own_path, &error));
	g_autofree char *text =
		g_strdup_printf("move process 12 to cgroup %s/init: no such file or directory", f->root);
	g_assert_cmpstr(error->message, ==, text);
	expect_file(f, "cgroup.subtree_control", "");
}

/* The files of the cgroup decide, because a process may be in a cgroup that belongs to another user. */
static void test_delegated(struct fixture *f, gconstpointer unused)
{
	g_autofree char *directory = g_build_filename(f->root, "unit", NULL);
	g_assert_null(cgroup_root_delegated(f->root, f->own_path)); /* "/" */
	write_file(f, "own", "1:pids:/other\n0::/unit\n");
	g_assert_null(cgroup_root_delegated(f->root, f->own_path));
	g_assert_cmpint(mkdir(directory, 0755), ==, 0);
	write_file(f, "unit/cgroup.procs", "");
	g_assert_null(cgroup_root_delegated(f->root, f->own_path));
	write_file(f, "unit/cgroup.subtree_control", "");
	g_autofree char *own = cgroup_root_delegated(f->root, f->own_path);
	g_assert_cmpstr(own, ==, "/unit");
	write_file(f, "own", "0::/unit/init\n");
	g_autofree char *again = cgroup_root_delegated(f->root, f->own_path);
	g_assert_cmpstr(again, ==, "/unit");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(path, data, fn) g_test_add(path, struct fixture, data, set_up, fn, tear_down)
	ADD("/cgroup_root/moved", NULL, test_moved);
	ADD("/cgroup_root/only-others", NULL, test_only_others);
	ADD("/cgroup_root/started-again", NULL, test_started_again);
	ADD("/cgroup_root/no-v2", "cgroup.controllers", test_nothing_to_do);
	ADD("/cgroup_root/hierarchy-root", "cgroup.type", test_nothing_to_do);
	ADD("/cgroup_root/other-cgroup", NULL, test_other_cgroup);
	ADD("/cgroup_root/cannot-move", NULL, test_cannot_move);
	ADD("/cgroup_root/delegated", NULL, test_delegated);
	return g_test_run();
}
