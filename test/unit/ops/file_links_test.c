/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that are hard links to the source's files: what they look like, and that no action changes the source. */
#include "base/ident.h"
#include "lib/cache_rig.h"
#include "lib/outcome.h"
#include "lib/tar_maker.h"
#include "ops/file_action.h"
#include "os/user_namespace.h"

/* Message fields are char *, but tests set them to constants. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define OLD_TIME 1500000000

/* A tree that actions write, as a file op does it. */
struct target {
	struct rig *rig;
	cache_ref *m;
	file_links *links;
	int fd;
};

static struct target target_new(struct rig *g, cache_ref *parent)
{
	struct target t = {.rig = g, .m = rig_mutable(g, parent, CACHE_POLICY_DEFAULT, NULL)};
	t.fd = rig_tree(g, t.m, CACHE_TREE_WRITE);
	t.links = file_links_new(t.m);
	return t;
}

static cache_ref *target_commit(struct target *t)
{
	file_links_free(t->links);
	fd_close(&t->fd);
	return rig_commit(t->m);
}

static void act(struct target *t, cache_ref *from, const Pb__FileAction *a, struct file_owner owner)
{
	scoped_fd source = from ? rig_tree(t->rig, from, CACHE_TREE_READ) : -1;
	file_links_begin(t->links, from, source);
	assert_succeeds(file_action_run(a, t->fd, source, owner, t->links, NULL, &failure));
	if (!file_links_is_pending(t->links))
		return;
	fd_close(&t->fd);
	assert_succeeds(file_links_settle(t->links, NULL, &failure));
	t->fd = rig_tree(t->rig, t->m, CACHE_TREE_WRITE);
}

static const struct file_owner same_owner = {0};

static Pb__FileActionCopy copy_message(const char *src, const char *dst)
{
	Pb__FileActionCopy c = PB__FILE_ACTION_COPY__INIT;
	c.src = src;
	c.dest = dst;
	c.mode = -1;
	c.timestamp = -1;
	c.followsymlink = c.dircopycontents = c.createdestpath = c.allowwildcard = true;
	return c;
}

static void copy_with(struct target *t, cache_ref *from, Pb__FileActionCopy *c, struct file_owner owner)
{
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	a.action_case = PB__FILE_ACTION__ACTION_COPY;
	a.copy = c;
	act(t, from, &a, owner);
}

static void copy(struct target *t, cache_ref *from, const char *src, const char *dst)
{
	Pb__FileActionCopy c = copy_message(src, dst);
	copy_with(t, from, &c, same_owner);
}

static void make_file(struct target *t, const char *path, const char *text)
{
	Pb__FileActionMkFile m = PB__FILE_ACTION_MK_FILE__INIT;
	m.path = path;
	m.mode = 0600;
	m.data = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
	m.timestamp = -1;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	a.action_case = PB__FILE_ACTION__ACTION_MKFILE;
	a.mkfile = &m;
	act(t, NULL, &a, (struct file_owner){true, 7, 8});
}

static void set_old(int fd, const char *name)
{
	const struct timespec times[2] = {{OLD_TIME, 1}, {OLD_TIME, 2}};
	g_assert_cmpint(utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW), ==, 0);
}

/* dir/{one,two}, dir/second is another name of dir/one; top. */
static cache_ref *source(struct rig *g)
{
	static const char *const lines[] = {"ADD dir dir",          "ADD dir/one file one",
					    "ADD dir/two file two", "ADD dir/second link dir/one",
					    "ADD top file top",     NULL};
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	tree_dir_fill(fd, lines);
	g_assert_cmpint(fchmodat(fd, "dir/two", 0751, 0), ==, 0);
	static const char *const all[] = {"dir/one", "dir/two", "top", "dir"};
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		set_old(fd, all[i]);
	fd_close(&fd);
	return rig_commit(m);
}

static struct stat stat_in(struct rig *g, cache_ref *r, const char *path)
{
	struct stat st;
	scoped_fd fd = rig_tree(g, r, CACHE_TREE_READ);
	g_assert_cmpint(fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	return st;
}

static void assert_source(struct rig *g, cache_ref *s)
{
	rig_expect(g, s, "dir/one", "one");
	rig_expect(g, s, "dir/second", "one");
	rig_expect(g, s, "dir/two", "two");
	rig_expect(g, s, "top", "top");
	static const char *const files[] = {"dir/one", "dir/two", "top"};
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		struct stat st = stat_in(g, s, files[i]);
		g_assert_cmpint(st.st_mode & 07777, ==, i == 1 ? 0751 : 0644);
		g_assert_cmpint(st.st_uid, ==, 0);
		g_assert_cmpint(st.st_mtim.tv_sec, ==, OLD_TIME);
		g_assert_cmpint(st.st_mtim.tv_nsec, ==, 2);
	}
}

static bool is_shared(struct rig *g, cache_ref *a, const char *path_a, cache_ref *b, const char *path_b)
{
	return stat_in(g, a, path_a).st_ino == stat_in(g, b, path_b).st_ino;
}

static char *checksum(struct rig *g, cache_ref *r, const char *path)
{
	struct contenthash_selector selector = {.path = path};
	struct digest digest;
	assert_succeeds(cache_ref_checksum(g->c, r, &selector, 1, NULL, &digest, &failure));
	return g_strdup(digest.text);
}

/* parent: NULL or a record with other files. */
static void check_copy(struct rig *g, cache_ref *parent)
{
	g_autoptr(cache_ref) s = source(g);
	struct target t = target_new(g, parent);
	copy(&t, s, "/dir", "/new/");
	copy(&t, s, "/top", "/top");
	g_autoptr(cache_ref) r = target_commit(&t);
	g_assert_true(is_shared(g, s, "dir/one", r, "new/one"));
	g_assert_true(is_shared(g, r, "new/second", r, "new/one"));
	g_assert_true(is_shared(g, s, "dir/two", r, "new/two"));
	g_assert_true(is_shared(g, s, "top", r, "top"));
	rig_expect(g, r, "new/one", "one");
	rig_expect(g, r, "top", "top");
	g_assert_cmpint(stat_in(g, r, "new/two").st_mode & 07777, ==, 0751);
	/* The directory of the destination has the time of the source, although links were made in it later. */
	g_assert_cmpint(stat_in(g, r, "new").st_mtim.tv_sec, ==, OLD_TIME);
	assert_source(g, s);
	/* The digest is that of a tree without links. */
	g_autofree char *linked = checksum(g, r, "/new"), *original = checksum(g, s, "/dir");
	g_assert_cmpstr(linked, ==, original);
}

static void test_copy(struct rig *g, gconstpointer unused)
{
	check_copy(g, NULL);
	g_autoptr(cache_ref) parent = rig_record(g, NULL, "top", "below");
	check_copy(g, parent);
	rig_expect(g, parent, "top", "below");
}

static void test_changed_attributes(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) s = source(g);
	struct target t = target_new(g, NULL);
	Pb__FileActionCopy c = copy_message("/dir", "/owner/");
	copy_with(&t, s, &c, (struct file_owner){true, 5, 6});
	c = copy_message("/dir", "/mode/");
	c.mode = 0700;
	copy_with(&t, s, &c, same_owner);
	c = copy_message("/dir", "/time/");
	c.timestamp = INT64_C(1234000000000);
	copy_with(&t, s, &c, same_owner);
	c = copy_message("/dir", "/text/");
	c.modestr = "g+w";
	copy_with(&t, s, &c, same_owner);
	/* What changes nothing is linked. */
	c = copy_message("/dir", "/same/");
	c.modestr = "u+r";
	copy_with(&t, s, &c, (struct file_owner){true, 0, 0});
	g_autoptr(cache_ref) r = target_commit(&t);
	static const char *const copies[] = {"owner/one", "mode/one", "time/one", "text/one"};
	for (size_t i = 0; i < G_N_ELEMENTS(copies); i++)
		g_assert_false(is_shared(g, s, "dir/one", r, copies[i]));
	g_assert_true(is_shared(g, s, "dir/one", r, "same/one"));
	assert_source(g, s);
}

/* Every action that writes to a file in place, or changes its attributes. */
static void check_writers(struct rig *g, cache_ref *parent)
{
	g_autoptr(cache_ref) s = source(g);
	struct target t = target_new(g, parent);
	copy(&t, s, "/dir", "/new/");
	make_file(&t, "/new/two", "changed");
	make_file(&t, "/new/second", "changed");
	make_file(&t, "/new/third", "third");
	g_autoptr(cache_ref) r = target_commit(&t);
	assert_source(g, s);
	rig_expect(g, r, "new/two", "changed");
	rig_expect(g, r, "new/one", "changed"); /* both names, as without links to the source */
	g_assert_true(is_shared(g, r, "new/second", r, "new/one"));
	g_assert_cmpint(stat_in(g, r, "new/one").st_uid, ==, 7);
	g_assert_cmpint(stat_in(g, r, "new/two").st_mode & 07777, ==, 0751);
	g_autofree char *digest = checksum(g, r, "/new/two"), *before = checksum(g, s, "/dir/two");
	g_assert_cmpstr(digest, !=, before);
}

static void test_writers(struct rig *g, gconstpointer unused)
{
	check_writers(g, NULL);
	g_autoptr(cache_ref) parent = rig_record(g, NULL, "file", "below");
	check_writers(g, parent);
}

/* ADD: an archive replaces one file and changes the attributes of another through a hard link. */
static void test_archive(struct rig *g, gconstpointer unused)
{
	static const struct made_entry entries[] = {
		{.name = "new/two", .type = '0', .text = "unpacked", .mode = 0600},
		{.name = "new/link", .type = '1', .text = "new/one", .mode = 0600},
	};
	g_autoptr(GByteArray) tar = maker_tar(entries, G_N_ELEMENTS(entries));
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	scoped_fd file = openat(fd, "a.tar", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	g_assert_cmpint(write(file, tar->data, tar->len), ==, (ssize_t)tar->len);
	fd_close(&fd);
	g_autoptr(cache_ref) archive = rig_commit(m);
	g_autoptr(cache_ref) s = source(g);
	struct target t = target_new(g, NULL);
	copy(&t, s, "/dir", "/new/");
	Pb__FileActionCopy c = copy_message("/a.tar", "/");
	c.attemptunpackdockercompatibility = true;
	copy_with(&t, archive, &c, same_owner);
	g_autoptr(cache_ref) r = target_commit(&t);
	assert_source(g, s);
	rig_expect(g, r, "new/two", "unpacked");
	rig_expect(g, r, "new/link", "one");
	g_assert_cmpint(stat_in(g, r, "new/link").st_mode & 07777, ==, 0600);
	g_assert_true(is_shared(g, r, "new/link", r, "new/one"));
	g_assert_true(is_shared(g, r, "new/second", r, "new/one"));
}

/* No inode has two paths in a tree, or in trees above each other. */
static void test_second_path(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) s = source(g);
	struct target t = target_new(g, NULL);
	copy(&t, s, "/top", "/a");
	copy(&t, s, "/top", "/b");
	g_autoptr(cache_ref) r = target_commit(&t);
	g_assert_false(is_shared(g, r, "a", r, "b"));
	t = target_new(g, r);
	copy(&t, s, "/top", "/c");
	copy(&t, s, "/dir/two", "/d");
	g_autoptr(cache_ref) above = target_commit(&t);
	g_assert_false(is_shared(g, above, "a", above, "c"));
	g_assert_true(is_shared(g, s, "dir/two", above, "d"));
	/* A copy of a copy. */
	t = target_new(g, NULL);
	copy(&t, r, "/a", "/e");
	g_autoptr(cache_ref) other = target_commit(&t);
	g_assert_true(is_shared(g, s, "top", other, "e"));
	t = target_new(g, above);
	copy(&t, other, "/e", "/f");
	g_autoptr(cache_ref) last = target_commit(&t);
	rig_expect(g, last, "f", "top");
	g_assert_false(is_shared(g, last, "a", last, "f"));
	/* From the tree that is written over. */
	t = target_new(g, s);
	copy(&t, s, "/top", "/again");
	g_autoptr(cache_ref) over = target_commit(&t);
	g_assert_false(is_shared(g, over, "top", over, "again"));
	assert_source(g, s);
}

/* Files of the tree below are hidden, replaced and removed. */
static void test_existing(struct rig *g, gconstpointer unused)
{
	static const char *const lines[] = {"ADD new dir", "ADD new/one file below", "ADD new/kept file kept", NULL};
	g_autoptr(cache_ref) s = source(g);
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	tree_dir_fill(fd, lines);
	fd_close(&fd);
	g_autoptr(cache_ref) parent = rig_commit(m);
	struct target t = target_new(g, parent);
	copy(&t, s, "/dir", "/new/");
	copy(&t, s, "/dir", "/new/");
	g_autoptr(cache_ref) r = target_commit(&t);
	rig_expect(g, r, "new/one", "one");
	rig_expect(g, r, "new/kept", "kept");
	rig_expect(g, parent, "new/one", "below");
	g_assert_true(is_shared(g, r, "new/second", r, "new/one"));
	g_assert_cmpint(stat_in(g, r, "new").st_mtim.tv_sec, ==, OLD_TIME);
	assert_source(g, s);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct rig *, gconstpointer);
	} tests[] = {
		{"copy", test_copy},       {"attributes", test_changed_attributes}, {"writers", test_writers},
		{"archive", test_archive}, {"second_path", test_second_path},       {"existing", test_existing},
	};
	static const char *const snapshotters[] = {"overlayfs", "native"};
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0)
		return 77;
	for (size_t s = 0; s < G_N_ELEMENTS(snapshotters); s++)
		for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path = g_strdup_printf("/file_links/%s/%s", snapshotters[s], tests[i].name);
			g_test_add(path, struct rig, snapshotters[s], rig_set_up, tests[i].fn, rig_tear_down);
		}
	return g_test_run();
}
