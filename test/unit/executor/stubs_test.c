/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/stubs.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct fixture {
	char *path;
	int root_fd;
};

static void set_up(struct fixture *f, gconstpointer unused)
{
	f->path = g_dir_make_tmp("stubs-XXXXXX", NULL);
	f->root_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(mkdirat(f->root_fd, "etc", 0755), ==, 0);
	g_assert_cmpint(mknodat(f->root_fd, "etc/hosts", S_IFREG | 0644, 0), ==, 0);
	g_assert_cmpint(mkdirat(f->root_fd, "empty", 0755), ==, 0);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	assert_succeeds(tree_remove_at(AT_FDCWD, f->path, &failure));
	close(f->root_fd);
	g_free(f->path);
}

static bool exists(const struct fixture *f, const char *name)
{
	return faccessat(f->root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* As a step does it: its own files are there and empty, as mount points are. */
static bool plan_and_make(stubs *s, GError **error)
{
	return stubs_plan(s, "/etc/hosts", STUB_FILE, error) && stubs_plan(s, "/etc/resolv.conf", STUB_FILE, error) &&
	       stubs_plan(s, "/empty", STUB_DIRECTORY, error) && stubs_plan(s, "/run/secrets/x", STUB_FILE, error) &&
	       stubs_make(s, error);
}

static void assert_as_before(const struct fixture *f)
{
	g_assert_true(exists(f, "etc/hosts"));
	g_assert_true(exists(f, "empty"));
	g_assert_false(exists(f, "etc/resolv.conf"));
	g_assert_false(exists(f, "run"));
}

static void test_made_and_removed(struct fixture *f, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(stubs) s = stubs_new(f->root_fd, true);
	g_assert_true(plan_and_make(s, &error));
	g_assert_true(exists(f, "etc/resolv.conf"));
	g_assert_true(exists(f, "run/secrets/x"));
	g_assert_true(stubs_remove(s, &error));
	g_assert_no_error(error);
	assert_as_before(f);
}

/* A path that leads through a file is the runtime's to refuse. */
static void test_impossible_paths_are_passed_over(struct fixture *f, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(stubs) s = stubs_new(f->root_fd, true);
	g_assert_true(stubs_plan(s, "/etc/hosts/below", STUB_FILE, &error));
	g_assert_true(stubs_make(s, &error));
	g_assert_true(stubs_remove(s, &error));
	assert_as_before(f);
}

/* With few descriptors it works or it fails: a root's own file is never taken for a stub, and no stub stays. */
static void test_without_descriptors(struct fixture *f, gconstpointer unused)
{
	unsigned failed = 0, worked = 0;
	struct rlimit before;
	getrlimit(RLIMIT_NOFILE, &before);
	int highest = dup(STDERR_FILENO);
	close(highest);
	for (int room = 0; room < 24; room++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(stubs) s = stubs_new(f->root_fd, true);
		struct rlimit few = {(rlim_t)(highest + room), before.rlim_max};
		setrlimit(RLIMIT_NOFILE, &few);
		bool ok = plan_and_make(s, &error);
		setrlimit(RLIMIT_NOFILE, &before);
		if (ok)
			g_assert_true(exists(f, "etc/resolv.conf") && exists(f, "run/secrets/x"));
		else
			g_assert_true(g_str_has_suffix(error->message, ": too many open files"));
		failed += !ok;
		worked += ok;
		assert_succeeds(stubs_remove(s, &failure));
		assert_as_before(f);
	}
	g_assert_cmpuint(failed, >, 3);
	g_assert_cmpuint(worked, >, 3);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct fixture *f, gconstpointer unused);
	} tests[] = {
		{"made-and-removed", test_made_and_removed},
		{"impossible-paths-are-passed-over", test_impossible_paths_are_passed_over},
		{"without-descriptors", test_without_descriptors},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strdup_printf("/stubs/%s", tests[i].name);
		g_test_add(path, struct fixture, NULL, set_up, tests[i].fn, tear_down);
	}
	return g_test_run();
}
