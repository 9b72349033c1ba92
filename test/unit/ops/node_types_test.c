/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every type of node that a step can leave in a tree, under every operation that reads files of a tree: a device node,
 * a FIFO or a socket is never opened. inotify reports each open except those with O_PATH.
 */
#include "base/scope.h"
#include "lib/outcome.h"
#include "ops/file_action.h"
#include "os/passwd.h"
#include "os/path.h"
#include "os/tree.h"
#include "snapshot/diff.h"
#include "snapshot/native.h"
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#pragma GCC diagnostic ignored "-Wwrite-strings"
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define NODE "etc/passwd"

struct trees {
	char *path;
	int src, dst; /* the node is in src; dst is empty */
};

static const struct file_owner same_owner = {0};

static bool run_mkfile(struct trees *t, const char *path, GError **error)
{
	Pb__FileActionMkFile m = PB__FILE_ACTION_MK_FILE__INIT;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	m.path = path;
	m.mode = 0644;
	m.timestamp = -1;
	m.data.data = (uint8_t *)"written";
	m.data.len = 7;
	a.action_case = PB__FILE_ACTION__ACTION_MKFILE;
	a.mkfile = &m;
	return file_action_run(&a, t->src, -1, same_owner, NULL, NULL, error);
}

static bool mkfile(struct trees *t, GError **error)
{
	return run_mkfile(t, "/" NODE, error);
}

static bool mkfile_through_link(struct trees *t, GError **error)
{
	g_assert_cmpint(symlinkat(NODE, t->src, "link"), ==, 0);
	return run_mkfile(t, "/link", error);
}

static bool run_copy(struct trees *t, char *src, bool unpack, GError **error)
{
	Pb__FileActionCopy c = PB__FILE_ACTION_COPY__INIT;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	c.src = src;
	c.dest = "/to/";
	c.mode = -1;
	c.timestamp = -1;
	c.followsymlink = c.dircopycontents = c.createdestpath = c.allowwildcard = true;
	c.attemptunpackdockercompatibility = unpack;
	a.action_case = PB__FILE_ACTION__ACTION_COPY;
	a.copy = &c;
	return file_action_run(&a, t->dst, t->src, same_owner, NULL, NULL, error);
}

static bool copy_node(struct trees *t, GError **error)
{
	return run_copy(t, "/" NODE, false, error);
}

static bool copy_tree(struct trees *t, GError **error)
{
	return run_copy(t, "/", false, error);
}

static bool add_node(struct trees *t, GError **error)
{
	return run_copy(t, "/" NODE, true, error);
}

static bool remove_node(struct trees *t, GError **error)
{
	Pb__FileActionRm m = PB__FILE_ACTION_RM__INIT;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	m.path = "/" NODE;
	a.action_case = PB__FILE_ACTION__ACTION_RM;
	a.rm = &m;
	return file_action_run(&a, t->src, -1, same_owner, NULL, NULL, error);
}

static bool look_up_user(struct trees *t, GError **error)
{
	uid_t uid;
	gid_t gid;
	return passwd_lookup_uid(t->src, "user", &uid, &gid, error);
}

static bool resolve_user(struct trees *t, GError **error)
{
	struct passwd_user user = {0};
	bool ok = passwd_resolve(t->src, "user", &user, error);
	passwd_user_clear(&user);
	return ok;
}

static bool read_node(struct trees *t, GError **error)
{
	g_autoptr(GBytes) bytes = path_read(t->src, NODE, 100, PATH_IN_ROOT, error);
	return bytes != NULL;
}

static bool copy_natively(struct trees *t, GError **error)
{
	return native_copy_tree(t->src, t->dst, false, NULL, error);
}

static bool no_sink(void *data, const void *bytes, size_t n, GError **error)
{
	return true;
}

static bool archive(struct trees *t, GError **error)
{
	const struct diff_options options = {0};
	return diff_trees(t->dst, t->src, &options, no_sink, NULL, error);
}

/* Both trees have the node, with times that make the comparison read contents. */
static bool compare(struct trees *t, GError **error)
{
	const struct timespec times[2] = {{1, 0}, {1, 0}};
	const struct diff_options options = {0};
	if (!copy_natively(t, error))
		return false;
	utimensat(t->src, NODE, times, AT_SYMLINK_NOFOLLOW);
	utimensat(t->dst, NODE, times, AT_SYMLINK_NOFOLLOW);
	return diff_trees(t->dst, t->src, &options, no_sink, NULL, error);
}

static bool remove_tree(struct trees *t, GError **error)
{
	return tree_remove_contents(t->src, error);
}

static const struct {
	const char *name;
	bool (*run)(struct trees *t, GError **error);
} operations[] = {
	{"mkfile", mkfile},
	{"mkfile-through-link", mkfile_through_link},
	{"copy", copy_node},
	{"copy-tree", copy_tree},
	{"add", add_node},
	{"rm", remove_node},
	{"lookup-user", look_up_user},
	{"resolve-user", resolve_user},
	{"read", read_node},
	{"native-copy", copy_natively},
	{"archive", archive},
	{"compare", compare},
	{"remove", remove_tree},
};

/* /dev/null and the loop device can be opened, so an open would be detected; an unknown device number would hide it. */
static const struct {
	const char *name;
	mode_t type;
	unsigned major, minor;
	bool is_openable; /* some operations may open this type */
} nodes[] = {
	{"char", S_IFCHR, 1, 3, false},    {"block", S_IFBLK, 7, 0, false},  {"fifo", S_IFIFO, 0, 0, false},
	{"socket", S_IFSOCK, 0, 0, false}, {"symlink", S_IFLNK, 0, 0, true}, {"directory", S_IFDIR, 0, 0, true},
	{"regular", S_IFREG, 0, 0, true},
};

static void make_node(int root, size_t i)
{
	g_assert_cmpint(mkdirat(root, "etc", 0755), ==, 0);
	if (nodes[i].type == S_IFLNK)
		g_assert_cmpint(symlinkat("nowhere", root, NODE), ==, 0);
	else if (nodes[i].type == S_IFDIR)
		g_assert_cmpint(mkdirat(root, NODE, 0755), ==, 0);
	else
		g_assert_cmpint(mknodat(root, NODE, nodes[i].type | 0600, makedev(nodes[i].major, nodes[i].minor)), ==,
				0);
}

static void trees_init(struct trees *t)
{
	t->path = g_dir_make_tmp("nodes-XXXXXX", NULL);
	scoped_fd fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(mkdirat(fd, "src", 0755) | mkdirat(fd, "dst", 0755), ==, 0);
	t->src = openat(fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->dst = openat(fd, "dst", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void trees_clear(struct trees *t)
{
	close(t->src);
	close(t->dst);
	assert_succeeds(tree_remove_at(AT_FDCWD, t->path, &failure));
	g_free(t->path);
}

static void run_pair(size_t op, size_t node)
{
	struct trees t;
	g_autoptr(GError) error = NULL;
	char events[4096];
	trees_init(&t);
	make_node(t.src, node);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/" NODE, t.src);
	scoped_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	g_assert_cmpint(inotify_add_watch(watch, path, IN_OPEN | IN_DONT_FOLLOW), >=, 0);
	bool ok = operations[op].run(&t, &error);
	bool opened = read(watch, events, sizeof events) > 0 && ((struct inotify_event *)events)->mask & IN_OPEN;
	if (opened && !nodes[node].is_openable)
		g_error("%s opens a node of type %s", operations[op].name, nodes[node].name);
	if (!ok && nodes[node].type == S_IFREG && operations[op].run != resolve_user)
		g_error("%s of a regular file: %s", operations[op].name, error->message);
	trees_clear(&t);
}

static void test_table(void)
{
	for (size_t op = 0; op < G_N_ELEMENTS(operations); op++)
		for (size_t node = 0; node < G_N_ELEMENTS(nodes); node++)
			run_pair(op, node);
}

/* A client's view of a file that cannot be written. */
static void test_mkfile_error(void)
{
	struct trees t;
	g_autoptr(GError) error = NULL;
	trees_init(&t);
	make_node(t.src, 0);
	g_assert_false(mkfile(&t, &error));
	g_assert_cmpstr(error->message, ==, "open /" NODE ": not a regular file");
	trees_clear(&t);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0)
		return g_test_run();
	g_test_add_func("/node-types/table", test_table);
	g_test_add_func("/node-types/mkfile-error", test_mkfile_error);
	return g_test_run();
}
