/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_mounts.h"
#include "lib/outcome.h"
#include <string.h>

#define MAX_OPTIONS 8

static const struct row {
	const char *type, *source, *options[MAX_OPTIONS];
	const char *fs, *work; /* NULL fs: an error */
	const char *message;
	enum error_code code;
} rows[] = {
	{"bind", "/a/1/fs", {"rw", "rbind"}, .fs = "/a/1/fs"},
	{"overlay",
	 "overlay",
	 {"index=off", "workdir=/a/2/work", "upperdir=/a/2/fs", "lowerdir=/a/1/fs"},
	 "/a/2/fs",
	 "/a/2/work"},
	{"overlay", "", {"lowerdir=/a/3/fs:/a/2/fs:/a/1/fs"}, .fs = "/a/3/fs"},
	{"overlay", "", {"lowerdir=/a/3/fs", "userxattr"}, .fs = "/a/3/fs"},
	{"overlay",
	 "",
	 {"upperdir=/a/2/fs", "lowerdir=/a"},
	 .message = "without upperdir and workdir",
	 .code = ERROR_FAILED_PRECONDITION},
	{"overlay", "", {"index=off"}, .message = "without upperdir and workdir", .code = ERROR_FAILED_PRECONDITION},
	{"overlay", "", {"lowerdir="}, .message = "the path \"\"", .code = ERROR_FAILED_PRECONDITION},
	{"overlay", "", {"lowerdir=/a\\:b:/c"}, .message = "the path \"/a\\\"", .code = ERROR_FAILED_PRECONDITION},
	{"overlay",
	 "",
	 {"upperdir=/a/../b", "workdir=/w"},
	 .message = "the path \"/a/../b\"",
	 .code = ERROR_FAILED_PRECONDITION},
	{"overlay", "", {"upperdir=/a", "workdir=w"}, .message = "the path \"w\"", .code = ERROR_FAILED_PRECONDITION},
	{"bind", "", {NULL}, .message = "the path \"\"", .code = ERROR_FAILED_PRECONDITION},
	{"bind", "/", {NULL}, .message = "the path \"/\"", .code = ERROR_FAILED_PRECONDITION},
	{"bind", "//", {NULL}, .message = "the path \"//\"", .code = ERROR_FAILED_PRECONDITION},
	{"bind", "/a/", {NULL}, .message = "the path \"/a/\"", .code = ERROR_FAILED_PRECONDITION},
	{"bind", "/a/./b", {NULL}, .message = "the path \"/a/./b\"", .code = ERROR_FAILED_PRECONDITION},
	{"bind", "/..", {NULL}, .message = "the path \"/..\"", .code = ERROR_FAILED_PRECONDITION},
	{"bind", "a/b", {NULL}, .message = "the path \"a/b\"", .code = ERROR_FAILED_PRECONDITION},
	{"ext4",
	 "/dev/loop0",
	 {NULL},
	 .message = "type \"ext4\", which is not supported yet",
	 .code = ERROR_UNIMPLEMENTED},
	{"", "/a", {NULL}, .message = "type \"\", which is not supported yet", .code = ERROR_UNIMPLEMENTED},
};

static bool find(const struct row *row, struct ctd_place *ret, GError **error)
{
	Ctd__Mount mount = CTD__MOUNT__INIT, *mounts[] = {&mount};
	mount.type = (char *)(uintptr_t)row->type;
	mount.source = (char *)(uintptr_t)row->source;
	mount.options = (char **)(uintptr_t)row->options;
	while (mount.n_options < MAX_OPTIONS && row->options[mount.n_options])
		mount.n_options++;
	return ctd_place_find(mounts, 1, "s", ret, error);
}

static void test_rows(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct row *row = &rows[i];
		g_autoptr(GError) error = NULL;
		g_auto(ctd_place) place = {0};
		bool found = find(row, &place, &error);
		if (row->fs) {
			g_assert_no_error(error);
			g_assert_true(found);
			g_assert_cmpstr(place.fs, ==, row->fs);
			g_assert_cmpstr(place.work, ==, row->work);
			g_assert_cmpint(place.is_overlay, ==, strcmp(row->type, "overlay") == 0);
		} else {
			g_assert_false(found);
			g_assert_null(place.fs);
			g_assert_true(error_is(error, row->code));
			if (!strstr(error->message, row->message))
				g_error("row %zu: %s", i, error->message);
		}
	}
}

static void test_numbers(void)
{
	Ctd__Mount mount = CTD__MOUNT__INIT, *mounts[] = {&mount, &mount};
	char *options[65];
	struct ctd_place place = {0};
	mount.type = (char *)"bind";
	mount.source = (char *)"/a";
	mount.options = options;
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		options[i] = (char *)"ro";
	assert_fails(ctd_place_find(mounts, 0, "s", &place, &failure),
		     "snapshotter \"s\" returned 0 mounts for a snapshot; only one is supported yet");
	assert_fails(ctd_place_find(mounts, 2, "s", &place, &failure),
		     "snapshotter \"s\" returned 2 mounts for a snapshot; only one is supported yet");
	mount.n_options = 65;
	assert_fails(ctd_place_find(mounts, 1, "s", &place, &failure),
		     "snapshotter \"s\" returned a mount with 65 options: more than 64");
	mount.n_options = 64;
	assert_succeeds(ctd_place_find(mounts, 1, "s", &place, &failure));
	g_assert_cmpstr(place.fs, ==, "/a");
	ctd_place_clear(&place);
	g_autofree char *longer = g_strnfill(4096, 'a');
	longer[0] = '/';
	mount.source = longer;
	g_autofree char *text = g_strdup_printf("snapshotter \"s\" returned a mount with the path \"%.200s\": not an "
						"absolute path without \".\" and \"..\"",
						longer);
	assert_fails(ctd_place_find(mounts, 1, "s", &place, &failure), text);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mounts/rows", test_rows);
	g_test_add_func("/mounts/numbers", test_numbers);
	return g_test_run();
}
