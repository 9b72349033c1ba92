/* SPDX-License-Identifier: Apache-2.0 */
#include "os/passwd.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include "base/scope.h"
#include <fcntl.h>
#include <string.h>

static char *top;
static int root_fd;

static void write_file(const char *name, const char *text)
{
	unlinkat(root_fd, name, 0);
	scoped_fd fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
}

static const char PASSWD[] =
	"# comment\n\nroot:x:0:0:root:/root:/bin/sh\n"
	"  www:x:33:34:www:/var/www:/bin/false\n"
	"1000:x:77:77::/trap:\n"
	"dev:x:1000:1001::/home/dev:/bin/sh\n"
	"broken:x:notanumber:1::/:\nshort\nhuge:x:99999999999:1::/:\nnogid:x:5:::/nogid:\nlast:x:9:9::/last:";
static const char GROUP[] = "root:x:0:\nwheel:x:10:root,dev\nweb:x:34:\nextra:x:50:dev,www\ndocker:x:60:dev\n"
			    "#x:y:1:dev\n"
			    "bad:x:q:dev\n";

static const struct {
	const char *spec;
	unsigned uid, gid;
	const char *groups, *home;
} good[] = {
	{"", 0, 0, "0 10", "/root"},
	{"root", 0, 0, "0 10", "/root"},
	{"0", 0, 0, "0 10", "/root"},
	{"www", 33, 34, "34 50", "/var/www"},
	{"33", 33, 34, "34 50", "/var/www"},
	{"dev", 1000, 1001, "1001 10 50 60", "/home/dev"},
	{"1000", 1000, 1001, "1001 10 50 60", "/home/dev"}, /* never the name */
	{"dev:web", 1000, 34, "34", "/home/dev"},
	{"dev:7", 1000, 7, "7", "/home/dev"},
	{"1000:7", 1000, 7, "7", "/home/dev"},
	{"5000", 5000, 0, "0", "/"},
	{"5000:root", 5000, 0, "0", "/"},
	{"root:wheel", 0, 10, "10", "/root"},
	{"nogid", 5, 0, "0", "/nogid"},
	{"last", 9, 9, "9", "/last"},
	{"2147483647", 2147483647, 0, "0", "/"},
};

static char *groups_text(const struct passwd_user *u)
{
	GString *s = g_string_new(NULL);
	for (size_t i = 0; i < u->n_groups; i++)
		g_string_append_printf(s, "%s%u", i > 0 ? " " : "", u->groups[i]);
	return g_string_free(s, FALSE);
}

static void test_good(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		struct passwd_user u = {0};
		g_autoptr(GError) error = NULL;
		g_assert_true(passwd_resolve(root_fd, good[i].spec, &u, &error));
		g_autofree char *groups = groups_text(&u);
		g_assert_cmpuint(u.uid, ==, good[i].uid);
		g_assert_cmpuint(u.gid, ==, good[i].gid);
		g_assert_cmpstr(groups, ==, good[i].groups);
		g_assert_cmpstr(u.home, ==, good[i].home);
		passwd_user_clear(&u);
	}
}

static void test_bad(void)
{
	static const char *const rows[][2] = {
		{"nobody", "unable to find user nobody: no matching entries in passwd file"},
		{"broken", "unable to find user broken: no matching entries in passwd file"},
		{"short", "unable to find user short: no matching entries in passwd file"},
		{"huge", "unable to find user huge: no matching entries in passwd file"},
		{"dev:nogroup", "unable to find group nogroup: no matching entries in group file"},
		{"1000:nogroup", "unable to find group nogroup: no matching entries in group file"},
		{"2147483648", "uids and gids must be in range 0-2147483647"},
		{"4294967296", "uids and gids must be in range 0-2147483647"},
		{"99999999999999999999999", "uids and gids must be in range 0-2147483647"},
		{"-1", "uids and gids must be in range 0-2147483647"},
		{"0:4294967296", "uids and gids must be in range 0-2147483647"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct passwd_user u = {0};
		g_autoptr(GError) error = NULL;
		g_assert_false(passwd_resolve(root_fd, rows[i][0], &u, &error));
		g_assert_cmpstr(error->message, ==, rows[i][1]);
		g_assert_null(u.groups);
	}
}

static void test_lookup(void)
{
	uid_t uid = 5;
	gid_t gid = 5;
	assert_succeeds(passwd_lookup_uid(root_fd, "dev", &uid, &gid, &failure));
	g_assert_cmpuint(uid, ==, 1000);
	g_assert_cmpuint(gid, ==, 1001);
	assert_succeeds(passwd_lookup_uid(root_fd, "nobody", &uid, &gid, &failure));
	g_assert_cmpuint(uid, ==, 0);
	assert_succeeds(passwd_lookup_gid(root_fd, "docker", &gid, &failure));
	g_assert_cmpuint(gid, ==, 60);
	gid = 77;
	assert_succeeds(passwd_lookup_gid(root_fd, "none", &gid, &failure));
	g_assert_cmpuint(gid, ==, 77);
}

/* Missing files, links to outside, pipes, endless files. */
static void test_hostile_files(void)
{
	struct passwd_user u = {0};
	uid_t uid;
	gid_t gid;
	g_autoptr(GError) error = NULL;
	unlinkat(root_fd, "etc/passwd", 0);
	g_assert_cmpint(symlinkat("/../../../../etc/passwd", root_fd, "etc/passwd"), ==,
			0); /* the link is resolved inside the root, to itself */
	assert_fails(passwd_resolve(root_fd, "root2", &u, &failure),
		     "unable to find user root2: no matching entries in passwd file");
	unlinkat(root_fd, "etc/passwd", 0);
	mkfifoat(root_fd, "etc/passwd", 0600);
	assert_succeeds(passwd_resolve(root_fd, "", &u, &failure));
	g_assert_cmpuint(u.uid, ==, 0);
	passwd_user_clear(&u);
	assert_fails(passwd_lookup_uid(root_fd, "dev", &uid, &gid, &failure), "read /etc/passwd: not a regular file");
	unlinkat(root_fd, "etc/passwd", 0);
	assert_succeeds(passwd_lookup_uid(root_fd, "dev", &uid, &gid, &failure));
	assert_succeeds(passwd_resolve(root_fd, "1:2", &u, &failure));
	passwd_user_clear(&u);
	assert_fails(passwd_resolve(root_fd, "dev", &u, &failure),
		     "unable to find user dev: no matching entries in passwd file");
	g_autofree char *line = g_strnfill(70000, 'x');
	write_file("etc/passwd", line);
	g_assert_false(passwd_resolve(root_fd, "dev", &u, &error));
	g_assert_cmpstr(error->message, ==, "unable to find user dev: bufio.Scanner: token too long");
	g_clear_error(&error);
	scoped_fd fd = openat(root_fd, "etc/passwd", O_WRONLY | O_CLOEXEC);
	g_assert_cmpint(ftruncate(fd, (10 << 20) + 1), ==, 0);
	g_assert_false(passwd_resolve(root_fd, "dev", &u, &error));
	g_assert_cmpstr(error->message, ==, "unable to find user dev: \"/etc/passwd\" exceeds 10485760 bytes");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	top = g_dir_make_tmp("passwd-test-XXXXXX", NULL);
	root_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(root_fd, "etc", 0755);
	write_file("etc/passwd", PASSWD);
	write_file("etc/group", GROUP);
	g_test_add_func("/passwd/good", test_good);
	g_test_add_func("/passwd/bad", test_bad);
	g_test_add_func("/passwd/lookup", test_lookup);
	g_test_add_func("/passwd/hostile-files", test_hostile_files);
	int r = g_test_run();
	tree_remove_at(AT_FDCWD, top, NULL);
	return r;
}
