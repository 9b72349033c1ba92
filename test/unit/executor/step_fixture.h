/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_fixture: an executor and a small root for steps, for tests that run each step with buildkit-runc and, if
 * installed, with runc and crun.
 *
 *	int main(int argc, char **argv)
 *	{
 *		g_test_init(&argc, &argv, NULL);
 *		return run_step_tests("executor", tests, G_N_ELEMENTS(tests));
 *	}
 *
 * Tests are skipped without root or without a static busybox.
 */
#pragma once
#include "executor/executor.h"
#include "base/scope.h"
#include "lib/detached.h"
#include "lib/outcome.h"
#include "os/mount.h"
#include "os/tree.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define BUSYBOX "/bin/busybox"

struct fixture {
	char *path; /* temporary directory: root/ (of the daemon), image/ (of the step) */
	int root_fd, image_fd;
	executor *e;
	GString *out, *err;
	cancel *cancel_at_output; /* borrowed */
};
struct variant {
	const char *binary; /* NULL: not installed */
	bool own, grants;
	/*
	 * Refuses hybrid cgroups whose unified hierarchy has controllers, and may drop what is written last on a terminal.
	 */
	bool is_crun;
};

struct step_test {
	const char *name;
	bool grants;
	void (*fn)(struct fixture *f, gconstpointer data);
};

static const char *const default_env[] = {"PATH=/bin", NULL};
static const char *unavailable;
/* Unique to this run: others of the same test may run at the same time, and an executor removes steps with its name. */
static char instance[32];

static void make_image(const char *path)
{
	static const char *const directories[] = {"", "/bin", "/etc", "/tmp", NULL};
	for (size_t i = 0; directories[i] != NULL; i++) {
		g_autofree char *directory = g_strconcat(path, directories[i], NULL);
		g_assert_cmpint(mkdir(directory, 0755), ==, 0);
	}
	g_autofree char *busybox = g_strconcat(path, "/bin/busybox", NULL);
	g_autofree char *sh = g_strconcat(path, "/bin/sh", NULL);
	g_autofree char *passwd = g_strconcat(path, "/etc/passwd", NULL);
	g_autofree char *group = g_strconcat(path, "/etc/group", NULL);
	g_autofree char *bytes = NULL;
	gsize n;
	assert_succeeds(g_file_get_contents(BUSYBOX, &bytes, &n, &failure));
	assert_succeeds(g_file_set_contents_full(busybox, bytes, (gssize)n, G_FILE_SET_CONTENTS_NONE, 0755, &failure));
	g_assert_cmpint(chmod(busybox, 0755), ==, 0);
	g_assert_cmpint(symlink("busybox", sh), ==, 0);
	assert_succeeds(g_file_set_contents(passwd, "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
					    -1, &failure));
	assert_succeeds(g_file_set_contents(group, "root:x:0:\nann:x:1000:\nstaff:x:50:ann\n", -1, &failure));
	chmod(passwd, 0644);
	chmod(group, 0644);
}

static executor *new_executor(struct fixture *f, const struct variant *v)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *root = g_strconcat(f->path, "/root", NULL);
	const struct executor_options options = {
		.root_fd = f->root_fd,
		.root_path = root,
		.binary = v->binary,
		.instance = instance,
		.allow_network_host = v->grants,
		.allow_security_insecure = v->grants,
	};
	executor *e = executor_new(&options, &error);
	g_assert_no_error(error);
	return e;
}

/* From now on, this process sees only the v1 hierarchies, if the system is hybrid. */
static void hide_unified_cgroup(void)
{
	static bool hidden;
	static const char point[] = "/sys/fs/cgroup";
	if (hidden || access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) != 0)
		return;
	hidden = true;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	GDir *d = g_dir_open(point, 0, NULL);
	const char *name;
	while ((name = g_dir_read_name(d)) != NULL)
		if (!g_str_equal(name, "unified"))
			g_ptr_array_add(names, g_strdup(name));
	g_dir_close(d);
	scoped_fd old = open(point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	scoped_fd tmpfs = mount_tmpfs(0, 0755, &error);
	g_assert_true(mount_attach(tmpfs, old, "", &error));
	for (guint i = 0; i < names->len; i++) {
		name = g_ptr_array_index(names, i);
		scoped_fd one = openat(old, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		scoped_fd clone = mount_clone(one, false, &error);
		g_assert_cmpint(mkdirat(tmpfs, name, 0755), ==, 0);
		g_assert_true(mount_attach(clone, tmpfs, name, &error));
	}
}

static bool is_unavailable(const struct variant *v)
{
	return unavailable != NULL || v->binary == NULL;
}

static void setup(struct fixture *f, gconstpointer data)
{
	const struct variant *v = data;
	if (is_unavailable(v))
		return;
	if (v->is_crun)
		hide_unified_cgroup();
	f->path = g_dir_make_tmp("executor-XXXXXX", NULL);
	chmod(f->path, 0755);
	g_autofree char *root = g_strconcat(f->path, "/root", NULL);
	g_autofree char *image = g_strconcat(f->path, "/image", NULL);
	g_assert_cmpint(mkdir(root, 0755), ==, 0);
	make_image(image);
	f->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->image_fd = open(image, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->out = g_string_new(NULL);
	f->err = g_string_new(NULL);
	f->e = new_executor(f, data);
}

static int count_entries(const char *path)
{
	GDir *d = g_dir_open(path, 0, NULL);
	int n = 0;
	while (d != NULL && g_dir_read_name(d) != NULL)
		n++;
	if (d != NULL)
		g_dir_close(d);
	return n;
}

/* Only the executor's own files remain beneath it, and no step in /buildkit of the first hierarchy. */
static void assert_nothing_left(const struct fixture *f)
{
	g_autofree char *own = g_strconcat(f->path, "/root/executor", NULL);
	g_autofree char *state = g_strconcat(own, "/runc", NULL);
	g_autofree char *mounts = NULL;
	g_assert_cmpint(count_entries(state), ==, 0);
	GDir *d = g_dir_open(own, 0, NULL);
	const char *name;
	while ((name = g_dir_read_name(d)) != NULL)
		g_assert_true(g_str_equal(name, "runc") || g_str_has_prefix(name, "hosts") ||
			      g_str_has_prefix(name, "resolv"));
	g_dir_close(d);
	assert_succeeds(g_file_get_contents("/proc/self/mounts", &mounts, NULL, &failure));
	g_assert_null(strstr(mounts, f->path));
}

static void teardown(struct fixture *f, gconstpointer data)
{
	if (is_unavailable(data))
		return;
	assert_nothing_left(f);
	executor_free(f->e);
	close(f->root_fd);
	close(f->image_fd);
	g_string_free(f->out, TRUE);
	g_string_free(f->err, TRUE);
	g_autofree char *name = g_path_get_basename(f->path);
	scoped_fd tmp = open(g_get_tmp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_remove_at(tmp, name, NULL);
	g_free(f->path);
}

#define SKIP_IF_UNAVAILABLE()                                                                                          \
	do {                                                                                                           \
		if (is_unavailable(data)) {                                                                            \
			g_test_skip(unavailable != NULL ? unavailable : "needs this runtime");                         \
			return;                                                                                        \
		}                                                                                                      \
	} while (0)

static const char *why_unavailable(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (access(BUSYBOX, X_OK) != 0)
		return "needs a static busybox";
	return NULL;
}

static int run_step_tests(const char *group, const struct step_test *tests, size_t n)
{
	g_snprintf(instance, sizeof instance, "executortest%d", (int)getpid());
	/* Checked before the mount namespace exists: in a chroot the link would refer to a place outside of it. */
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *directory = g_path_get_dirname(self);
	g_autofree char *own = g_build_filename(directory, "../cmd/buildkit-runc/buildkit-runc", NULL);
	unavailable = why_unavailable();
	if (unavailable == NULL && !mount_make_private_namespace(NULL))
		unavailable = "needs a mount namespace";
	char *detached = unavailable == NULL ? detached_open() : NULL;
	g_autofree char *runc = g_find_program_in_path("runc");
	g_autofree char *crun = g_find_program_in_path("crun");
	g_assert_cmpint(access(own, X_OK), ==, 0);
	const struct {
		const char *name, *binary;
		bool own, is_crun;
	} runtimes[] = {{"own", own, true, false}, {"runc", runc, false, false}, {"crun", crun, false, true}};
	struct variant variants[G_N_ELEMENTS(runtimes)][2];
	for (size_t k = 0; k < G_N_ELEMENTS(runtimes); k++) {
		for (size_t i = 0; i < 2; i++)
			variants[k][i] = (struct variant){
				.binary = runtimes[k].binary,
				.own = runtimes[k].own,
				.grants = i == 1,
				.is_crun = runtimes[k].is_crun,
			};
		for (size_t i = 0; i < n; i++) {
			g_autofree char *path = g_strdup_printf("/%s/%s/%s", group, runtimes[k].name, tests[i].name);
			g_test_add(path, struct fixture, &variants[k][tests[i].grants], setup, tests[i].fn, teardown);
		}
	}
	int status = g_test_run();
	detached_close(detached);
	return status;
}
