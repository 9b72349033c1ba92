/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/step_trust.h"
#include "base/scope.h"
#include "os/tree.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define BLOCK "\n# buildkit proxy CA begin\n" PEM "# buildkit proxy CA end\n"
#define LIST "etc/ssl/certs/ca-certificates.crt"

struct rig {
	char *root, *list;
	int fd;
};

static void rig_init(struct rig *r, const char *text)
{
	r->root = g_dir_make_tmp("step-trust-XXXXXX", NULL);
	r->list = g_build_filename(r->root, LIST, NULL);
	g_autofree char *dir = g_path_get_dirname(r->list);
	g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
	if (text)
		g_assert_true(g_file_set_contents(r->list, text, -1, NULL));
	r->fd = open(r->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void rig_clear(struct rig *r)
{
	close(r->fd);
	tree_remove_at(AT_FDCWD, r->root, NULL);
	g_free(r->list);
	g_free(r->root);
}

static char *content(const struct rig *r)
{
	char *text = NULL;
	g_assert_true(g_file_get_contents(r->list, &text, NULL, NULL));
	return text;
}

static step_trust *add(const struct rig *r)
{
	g_autoptr(GError) error = NULL;
	step_trust *b = NULL;
	g_assert_true(step_trust_add(r->fd, PEM, &b, &error));
	g_assert_no_error(error);
	return b;
}

static void take_away(step_trust *b)
{
	g_autoptr(GError) error = NULL;
	g_assert_true(step_trust_remove(b, &error));
	g_assert_no_error(error);
}

/* A list that the step does not change is as it was, times included. */
static void test_untouched(void)
{
	static const char *const texts[] = {"first\n", "without an end", ""};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct rig r;
		struct stat before, after;
		const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 5}};
		rig_init(&r, texts[i]);
		g_assert_cmpint(chmod(r.list, 0640), ==, 0);
		g_assert_cmpint(utimensat(AT_FDCWD, r.list, old, 0), ==, 0);
		g_assert_cmpint(stat(r.list, &before), ==, 0);
		step_trust *b = add(&r);
		g_autofree char *during = content(&r);
		g_assert_true(g_str_has_prefix(during, texts[i]) && g_str_has_suffix(during, BLOCK));
		take_away(b);
		g_autofree char *text = content(&r);
		g_assert_cmpstr(text, ==, texts[i]);
		g_assert_cmpint(stat(r.list, &after), ==, 0);
		g_assert_cmpint(after.st_ino, ==, before.st_ino);
		g_assert_cmpint(after.st_mode, ==, before.st_mode);
		g_assert_cmpint(after.st_mtim.tv_sec, ==, 1000);
		g_assert_cmpint(after.st_mtim.tv_nsec, ==, 5);
		rig_clear(&r);
	}
}

static void test_changed(void)
{
	static const struct {
		const char *written, *expected;
	} cases[] = {
		{"first\n" BLOCK "second\n", "first\nsecond\n"},
		{BLOCK "first\n", "first\n"},
		{"new\n", "new\n"},
		{"first\n\n# buildkit proxy CA begin\ncut", "first\n\n# buildkit proxy CA begin\ncut"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct rig r;
		rig_init(&r, "first\n");
		step_trust *b = add(&r);
		g_assert_true(g_file_set_contents(r.list, cases[i].written, -1, NULL)); /* by rename */
		take_away(b);
		g_autofree char *text = content(&r);
		g_assert_cmpstr(text, ==, cases[i].expected);
		rig_clear(&r);
	}
}

/* What a step leaves in place of the list is neither followed out of the root nor waited for. */
static void test_replaced(void)
{
	g_autofree char *outside = NULL;
	close(g_file_open_tmp("ca-outside-XXXXXX", &outside, NULL));
	g_assert_true(g_file_set_contents(outside, "first\n" BLOCK, -1, NULL));
	for (int how = 0; how < 4; how++) {
		struct rig r;
		rig_init(&r, "first\n");
		step_trust *b = add(&r);
		unlink(r.list);
		if (how == 0)
			g_assert_cmpint(symlink(outside, r.list), ==, 0);
		else if (how == 1)
			g_assert_cmpint(mkfifo(r.list, 0644), ==, 0);
		else if (how == 2)
			g_assert_cmpint(mkdir(r.list, 0755), ==, 0);
		take_away(b);
		rig_clear(&r);
	}
	g_autofree char *text = NULL;
	g_file_get_contents(outside, &text, NULL, NULL);
	g_assert_cmpstr(text, ==, "first\n" BLOCK);
	unlink(outside);
}

static void test_places(void)
{
	struct rig r;
	rig_init(&r, NULL);
	g_assert_null(add(&r)); /* a root without a list */
	take_away(NULL);
	/* A link to a list, as distributions have. */
	g_autofree char *target = g_build_filename(r.root, "etc", "ssl", "cert.pem", NULL);
	g_assert_true(g_file_set_contents(target, "other\n", -1, NULL));
	g_assert_cmpint(symlink("/etc/ssl/cert.pem", r.list), ==, 0);
	step_trust *b = add(&r);
	g_autofree char *during = NULL, *after = NULL;
	g_assert_true(g_file_get_contents(target, &during, NULL, NULL));
	g_assert_cmpstr(during, ==, "other\n" BLOCK);
	take_away(b);
	g_assert_true(g_file_get_contents(target, &after, NULL, NULL));
	g_assert_cmpstr(after, ==, "other\n");
	rig_clear(&r);
}

static void test_too_large(void)
{
	struct rig r;
	step_trust *b = NULL;
	g_autoptr(GError) error = NULL;
	rig_init(&r, "x");
	g_assert_cmpint(truncate(r.list, 11 << 20), ==, 0);
	g_assert_false(step_trust_add(r.fd, PEM, &b, &error));
	g_assert_error(error, error_domain(), ERROR_RESOURCE_EXHAUSTED);
	rig_clear(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/executor/step-trust/untouched", test_untouched);
	g_test_add_func("/executor/step-trust/changed", test_changed);
	g_test_add_func("/executor/step-trust/replaced", test_replaced);
	g_test_add_func("/executor/step-trust/places", test_places);
	g_test_add_func("/executor/step-trust/too-large", test_too_large);
	return g_test_run();
}
