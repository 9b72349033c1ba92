/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/platforms.h"
#include "lib/outcome.h"
#include <glib/gstdio.h>
#include <string.h>

struct rig {
	char *dir;
};

static void rig_up(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	r->dir = g_dir_make_tmp("platforms-XXXXXX", &error);
	g_assert_no_error(error);
}

static void rig_down(struct rig *r, gconstpointer data)
{
	g_autoptr(GDir) d = g_dir_open(r->dir, 0, NULL);
	for (const char *name; (name = g_dir_read_name(d)) != NULL;) {
		g_autofree char *path = g_build_filename(r->dir, name, NULL);
		g_assert_cmpint(g_unlink(path), ==, 0);
	}
	g_assert_cmpint(g_rmdir(r->dir), ==, 0);
	g_free(r->dir);
}

/* header: class, data, then padding, type and machine, as the kernel shows them. */
static void write_handler(const struct rig *r, const char *name, const char *state, const char *flags,
			  const char *header)
{
	g_autofree char *path = g_build_filename(r->dir, name, NULL);
	g_autofree char *text =
		g_strdup_printf("%s\ninterpreter /usr/bin/%s\nflags: %s\noffset 0\nmagic 7f454c46%s\nmask ff\n", state,
				name, flags, header);
	g_autoptr(GError) error = NULL;
	g_assert_true(g_file_set_contents(path, text, -1, &error));
}

#define ARM64 "0201010000000000000000000200b700"
#define S390X "02020100000000000000000000020016"
#define ARM "01010100000000000000000002002800"
#define MIPS64 "02020100000000000000000000020008"

static char *text_of(platform_list *l)
{
	size_t n;
	const struct platform *list = platform_list_get(l, &n);
	g_autoptr(GString) text = g_string_new(NULL);
	for (size_t i = 0; i < n; i++) {
		g_autofree char *one = platform_format(&list[i]);
		g_string_append_printf(text, "%s%s", i ? " " : "", one);
	}
	return g_strdup(text->str);
}

static platform_list *list_new(const struct rig *r, int64_t max_age_ns)
{
	const struct platform base = {.os = "linux", .architecture = "amd64"};
	return platform_list_new(r->dir, &base, 1, max_age_ns);
}

/* The list without platforms that the machine itself runs. */
#define assert_lists(r, expected)                                                                                      \
	do {                                                                                                           \
		platform_list *list = list_new(r, 0);                                                                  \
		g_autofree char *text = text_of(list);                                                                 \
		g_assert_true(g_str_has_prefix(text, "linux/amd64"));                                                  \
		g_autofree char *rest = g_strdup(text + strlen("linux/amd64"));                                        \
		char *native = strstr(rest, " linux/386");                                                             \
		if (native)                                                                                            \
			memmove(native, native + strlen(" linux/386"), strlen(native + strlen(" linux/386")) + 1);     \
		g_assert_cmpstr(rest, ==, expected);                                                                   \
		platform_list_free(list);                                                                              \
	} while (0)

static void test_handlers(struct rig *r, gconstpointer data)
{
	assert_lists(r, "");
	write_handler(r, "any-name", "enabled", "POCF", ARM64);
	assert_lists(r, " linux/arm64");
	write_handler(r, "qemu-s390x", "enabled", "F", S390X);
	write_handler(r, "qemu-arm", "enabled", "OCF", ARM);
	assert_lists(r, " linux/arm64 linux/s390x linux/arm/v7 linux/arm/v6");
	/* Disabled; an emulator that steps do not have; other programs; damaged. */
	write_handler(r, "any-name", "disabled", "POCF", ARM64);
	write_handler(r, "qemu-s390x", "enabled", "POC", S390X);
	write_handler(r, "qemu-arm", "enabled", "F", "0101");
	assert_lists(r, "");
	g_autofree char *path = g_build_filename(r->dir, "python", NULL);
	assert_succeeds(g_file_set_contents(path, "enabled\ninterpreter /usr/bin/python\nflags: F\nextension .py\n", -1,
					    &failure));
	assert_lists(r, "");
}

/* The list follows the kernel; what was returned before stays valid. */
static void test_again(struct rig *r, gconstpointer data)
{
	platform_list *l = list_new(r, 0), *once = list_new(r, -1);
	g_autofree char *empty = text_of(l), *first = text_of(once);
	size_t n, n_before;
	const struct platform *before = platform_list_get(l, &n_before);
	write_handler(r, "m", "enabled", "F", MIPS64);
	g_autofree char *more = text_of(l), *again = text_of(once);
	g_assert_nonnull(strstr(more, " linux/mips64"));
	g_assert_null(strstr(empty, " linux/mips64"));
	g_assert_cmpstr(again, ==, first);
	write_handler(r, "m", "disabled", "F", MIPS64);
	g_assert_true(platform_list_get(l, &n) == before);
	g_assert_cmpuint(n, ==, n_before);
	platform_list_free(l);
	platform_list_free(once);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/platforms/handlers", struct rig, NULL, rig_up, test_handlers, rig_down);
	g_test_add("/platforms/again", struct rig, NULL, rig_up, test_again, rig_down);
	return g_test_run();
}
