/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/labels.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static char *top;
static int top_fd;

static void put(const char *path, const char *text)
{
	g_autofree char *name = g_build_filename(top, path, NULL), *dir = g_path_get_dirname(name);
	g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
	assert_succeeds(g_file_set_contents(name, text, -1, &failure));
}

static void put_policy(const char *contexts)
{
	tree_remove_contents(top_fd, NULL);
	put("etc/selinux/config", "# SELINUXTYPE=commented\nSELINUX=enforcing\n SELINUXTYPE = some \n");
	put("etc/selinux/some/contexts/lxc_contexts", contexts);
}

#define DEBIAN                                                                                                         \
	"process = \"system_u:system_r:container_t:s0\"\ncontent = \"system_u:object_r:virt_var_lib_t:s0\"\n"          \
	"file = \"system_u:object_r:container_file_t:s0\"\nro_file = \"system_u:object_r:container_ro_file_t:s0\"\n"

static void check_level(const char *level)
{
	unsigned first, second;
	int end = 0;
	g_assert_cmpint(sscanf(level, "s0:c%u,c%u%n", &first, &second, &end), ==, 2);
	g_assert_cmpuint((size_t)end, ==, strlen(level));
	g_assert_cmpuint(first, <, second);
	g_assert_cmpuint(second, <, 1024);
	g_assert_cmpuint(first, <, 1022);
}

static void test_confined(void)
{
	put_policy(DEBIAN);
	labels *l = labels_new(top);
	struct step_labels s;
	assert_succeeds(labels_take(l, false, &s, &failure));
	check_level(s.level);
	g_autofree char *process = g_strconcat("system_u:system_r:container_t:", s.level, NULL);
	g_autofree char *mount = g_strconcat("system_u:object_r:container_file_t:", s.level, NULL);
	g_assert_cmpstr(s.process, ==, process);
	g_assert_cmpstr(s.mount, ==, mount);
	labels_release(l, &s);
	g_assert_null(s.process);
	labels_release(l, &s);
	labels_free(l);
}

static void test_insecure(void)
{
	put_policy(DEBIAN);
	labels *l = labels_new(top);
	struct step_labels s;
	assert_succeeds(labels_take(l, true, &s, &failure));
	g_assert_null(s.process);
	g_assert_null(s.level);
	g_assert_cmpstr(s.mount, ==, "system_u:object_r:container_file_t:s0:c1022,c1023");
	labels_release(l, &s);
	labels_free(l);
}

/* Running steps have different levels, also when they are many. */
static void test_unique(void)
{
	enum { N = 20000 };
	put_policy(DEBIAN);
	labels *l = labels_new(top);
	g_autofree struct step_labels *s = g_new0(struct step_labels, N);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (int i = 0; i < N; i++) {
		assert_succeeds(labels_take(l, false, &s[i], &failure));
		g_assert_true(g_hash_table_add(seen, s[i].level));
	}
	g_hash_table_remove_all(seen);
	for (int i = 0; i < N; i++)
		labels_release(l, &s[i]);
	labels_free(l);
}

/* A file of the distribution's engines comes first. A policy without levels has no categories. */
static void test_sources(void)
{
	put_policy(DEBIAN);
	put("usr/share/containers/selinux/contexts",
	    ";process = \"a:b:c\"\n  process=u:r:t  \nfile=\"u:object_r:f\"\r\n");
	labels *l = labels_new(top);
	struct step_labels s;
	assert_succeeds(labels_take(l, false, &s, &failure));
	g_assert_cmpstr(s.process, ==, "u:r:t");
	g_assert_cmpstr(s.mount, ==, "u:object_r:f");
	g_assert_null(s.level);
	labels_release(l, &s);
	labels_free(l);
}

static void test_refused(void)
{
	static const char *const contexts[] = {
		"",
		"file = \"system_u:object_r:container_file_t:s0\"\n",
		"process = \"system_u:system_r:container_t:s0\"\n",
		"process = \"two:parts\"\nfile = \"a:b:c\"\n",
		"process = \"a:b:\"\nfile = \"a:b:c\"\n",
		"process = \"a:b:c d\"\nfile = \"a:b:c\"\n",
		"process = \"a:b:c\"\nfile = \"a:b:c\\\"\n",
		"process = \"a:b:c\"\nfile = \"a:b:\303\244\"\n",
	};
	for (size_t i = 0; i <= G_N_ELEMENTS(contexts); i++) {
		put_policy(i < G_N_ELEMENTS(contexts) ? contexts[i] : DEBIAN);
		if (i == G_N_ELEMENTS(contexts))
			put("etc/selinux/config", "SELINUXTYPE=../selinux/some\n");
		labels *l = labels_new(top);
		struct step_labels s;
		g_autoptr(GError) error = NULL;
		g_assert_false(labels_take(l, false, &s, &error));
		g_assert_cmpstr(error->message, ==,
				"the SELinux policy has no labels for containers (install container-selinux)");
		g_assert_cmpint(error_get_code(error), ==, ERROR_FAILED_PRECONDITION);
		labels_free(l);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	top = g_dir_make_tmp("labels-XXXXXX", NULL);
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_test_add_func("/executor/labels/confined", test_confined);
	g_test_add_func("/executor/labels/insecure", test_insecure);
	g_test_add_func("/executor/labels/unique", test_unique);
	g_test_add_func("/executor/labels/sources", test_sources);
	g_test_add_func("/executor/labels/refused", test_refused);
	int result = g_test_run();
	tree_remove_contents(top_fd, NULL);
	close(top_fd);
	g_assert_cmpint(rmdir(top), ==, 0);
	g_free(top);
	return result;
}
