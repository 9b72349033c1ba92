/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/mount_options.h"
#include <errno.h>
#include <glib.h>
#include <sys/mount.h>

static const struct {
	const char *options; /* separated by blanks */
	uint64_t set, clear, set_recursive, propagation;
	const char *data;
	enum mount_bind bind;
} table[] = {
	{"ro nosuid nodev", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0, "", MOUNT_NO_BIND},
	{"ro rw", 0, MOUNT_ATTR_RDONLY, 0, 0, "", MOUNT_NO_BIND},
	{"rw ro", MOUNT_ATTR_RDONLY, 0, 0, 0, "", MOUNT_NO_BIND},
	{"rbind rro", 0, 0, MOUNT_ATTR_RDONLY, 0, "", MOUNT_BIND_BELOW},
	{"bind rprivate", 0, 0, 0, MS_PRIVATE | MS_REC, "", MOUNT_BIND},
	{"shared", 0, 0, 0, MS_SHARED, "", MOUNT_NO_BIND},
	{"strictatime", MOUNT_ATTR_STRICTATIME, 0, 0, 0, "", MOUNT_NO_BIND},
	{"relatime", 0, MOUNT_ATTR__ATIME, 0, 0, "", MOUNT_NO_BIND},
	{"mode=755 nosuid size=65536k newinstance", MOUNT_ATTR_NOSUID, 0, 0, 0, "mode=755,size=65536k,newinstance",
	 MOUNT_NO_BIND},
	{"defaults", 0, 0, 0, 0, "", MOUNT_NO_BIND},
};

static void test_table(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		struct plan_mount m = {0};
		char data[128] = "";
		enum mount_bind bind = MOUNT_NO_BIND;
		g_auto(GStrv) list = g_strsplit(table[i].options, " ", -1);
		g_test_message("%s", table[i].options);
		for (size_t k = 0; list[k] != NULL; k++)
			g_assert_cmpint(mount_option(&m, list[k], data, sizeof data, &bind), ==, 0);
		g_assert_cmphex(m.set, ==, table[i].set);
		g_assert_cmphex(m.clear, ==, table[i].clear);
		g_assert_cmphex(m.set_recursive, ==, table[i].set_recursive);
		g_assert_cmphex(m.propagation, ==, table[i].propagation);
		g_assert_cmpstr(data, ==, table[i].data);
		g_assert_cmpint(bind, ==, table[i].bind);
	}
}

static void test_too_long(void)
{
	struct plan_mount m = {0};
	char data[8] = "";
	g_assert_cmpint(mount_option(&m, "size=1", data, sizeof data, NULL), ==, 0);
	g_assert_cmpint(mount_option(&m, "x", data, sizeof data, NULL), ==, -E2BIG);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mount_options/table", test_table);
	g_test_add_func("/mount_options/too-long", test_too_long);
	return g_test_run();
}
