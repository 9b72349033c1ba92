/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on trees in a temporary directory, checked as a listing: "name type mode uid:gid [content] [time]". */
#include "ops/file_action.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include "ops/file_copy.h"
#include "ops/file_mode.h"
#include "os/tree.h"
#include <fcntl.h>
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Message fields are char *, but tests set them to constants. */
#pragma GCC diagnostic ignored "-Wwrite-strings"
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define OLD_TIME 1500000000

struct fixture {
	char *path;
	int src, dst; /* roots */
};

static int make_root(const char *parent, const char *name)
{
	g_autofree char *path = g_strconcat(parent, "/", name, NULL);
	g_assert_cmpint(mkdir(path, 0755), ==, 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void setup(struct fixture *f, gconstpointer data)
{
	umask(022);
	f->path = g_dir_make_tmp("file-XXXXXX", NULL);
	f->src = make_root(f->path, "src");
	f->dst = make_root(f->path, "dst");
}

static void teardown(struct fixture *f, gconstpointer data)
{
	close(f->src);
	close(f->dst);
	g_autofree char *name = g_path_get_basename(f->path);
	scoped_fd tmp = open(g_get_tmp_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_succeeds(tree_remove_at(tmp, name, &failure));
	g_free(f->path);
}

static void set_old(int root, const char *path)
{
	const struct timespec t[2] = {{OLD_TIME, 1}, {OLD_TIME, 2}};
	g_assert_cmpint(utimensat(root, path, t, AT_SYMLINK_NOFOLLOW), ==, 0);
}

static void put_file(int root, const char *path, const char *text, mode_t mode)
{
	scoped_fd fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
	g_assert_cmpint(fchmod(fd, mode), ==, 0);
	set_old(root, path);
}

static void put_dir(int root, const char *path, mode_t mode)
{
	g_assert_cmpint(mkdirat(root, path, 0700), ==, 0);
	g_assert_cmpint(fchmodat(root, path, mode, 0), ==, 0);
}

static void put_link(int root, const char *target, const char *path)
{
	g_assert_cmpint(symlinkat(target, root, path), ==, 0);
	set_old(root, path);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Only used on the tests' own trees, so recursion is safe. */
static void list_into(GPtrArray *lines, int root, const char *prefix)
{
	int fd = openat(root, *prefix != '\0' ? prefix : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	while ((e = readdir(d)) != NULL) {
		struct stat st;
		char text[256] = "";
		if (g_str_equal(e->d_name, ".") || g_str_equal(e->d_name, ".."))
			continue;
		g_autofree char *path =
			*prefix != '\0' ? g_strconcat(prefix, "/", e->d_name, NULL) : g_strdup(e->d_name);
		g_assert_cmpint(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
		char type = S_ISDIR(st.st_mode) ? 'd' : S_ISLNK(st.st_mode) ? 'l' : S_ISREG(st.st_mode) ? 'f' : 's';
		if (type == 'l') {
			g_assert_cmpint(readlinkat(root, path, text, sizeof text - 1), >=, 0);
		} else if (type == 'f') {
			scoped_fd file = openat(root, path, O_RDONLY | O_CLOEXEC);
			g_assert_cmpint(read(file, text, sizeof text - 1), >=, 0);
		}
		const char *when = st.st_mtim.tv_sec == OLD_TIME ? " old" : st.st_mtim.tv_sec == 1234 ? " set" : "";
		g_ptr_array_add(lines, g_strdup_printf("%s %c %o %u:%u%s%s%s", path, type, st.st_mode & 07777,
						       st.st_uid, st.st_gid, *text != '\0' ? " " : "", text, when));
		if (type == 'd')
			list_into(lines, root, path);
	}
	closedir(d);
}

static void assert_tree(int root, const char *expected)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	list_into(lines, root, "");
	g_ptr_array_sort(lines, by_text);
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < lines->len; i++)
		g_string_append_printf(text, "%s\n", (char *)g_ptr_array_index(lines, i));
	g_assert_cmpstr(text->str, ==, expected);
	g_string_free(text, TRUE);
}

static const struct file_owner default_owner = {0};

static bool run(struct fixture *f, Pb__FileAction *a, struct file_owner owner, GError **error)
{
	return file_action_run(a, f->dst, f->src, owner, NULL, NULL, error);
}

static void run_ok(struct fixture *f, Pb__FileAction *a, struct file_owner owner)
{
	g_autoptr(GError) error = NULL;
	bool ok = run(f, a, owner, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
}

static void run_fails(struct fixture *f, Pb__FileAction *a, const char *message)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(run(f, a, default_owner, &error));
	g_assert_cmpstr(error->message, ==, message);
}

static Pb__FileAction mkdir_action(Pb__FileActionMkDir *m, char *path, int mode, bool parents)
{
	*m = (Pb__FileActionMkDir)PB__FILE_ACTION_MK_DIR__INIT;
	m->path = path;
	m->mode = mode;
	m->makeparents = parents;
	m->timestamp = -1;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	a.action_case = PB__FILE_ACTION__ACTION_MKDIR;
	a.mkdir = m;
	return a;
}

static void test_mkdir(struct fixture *f, gconstpointer data)
{
	Pb__FileActionMkDir m;
	Pb__FileAction a = mkdir_action(&m, "/a/b", 0711, false);
	run_fails(f, &a, "mkdir /a/b: no such file or directory");
	a = mkdir_action(&m, "/a/b", 01777, true);
	m.timestamp = INT64_C(1234000000000);
	run_ok(f, &a, (struct file_owner){true, 5, 6});
	assert_tree(f->dst, "a d 777 5:6\na/b d 777 5:6 set\n");
	/* It exists already: nothing changes. */
	a = mkdir_action(&m, "/a/b", 0700, false);
	run_ok(f, &a, (struct file_owner){true, 7, 8});
	put_file(f->dst, "file", "x", 0644);
	a = mkdir_action(&m, "/file", 0700, false);
	run_ok(f, &a, default_owner);
	a = mkdir_action(&m, "/file/x", 0700, true);
	run_fails(f, &a, "lstat /file/x: not a directory");
	assert_tree(f->dst, "a d 777 5:6\na/b d 777 5:6 set\nfile f 644 0:0 x old\n");
	put_link(f->dst, "/../..", "up");
	a = mkdir_action(&m, "/up/in", 0750, false);
	run_ok(f, &a, default_owner);
	g_assert_cmpint(faccessat(f->dst, "in", F_OK, 0), ==, 0);
}

static void test_mkfile(struct fixture *f, gconstpointer data)
{
	Pb__FileActionMkFile m = PB__FILE_ACTION_MK_FILE__INIT;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	a.action_case = PB__FILE_ACTION__ACTION_MKFILE;
	a.mkfile = &m;
	m.path = "/../../up";
	m.mode = 0666;
	m.timestamp = -1;
	m.data = (ProtobufCBinaryData){2, (uint8_t *)"hi"};
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "up f 666 0:0 hi\n");
	m.data = (ProtobufCBinaryData){1, (uint8_t *)"y"};
	m.mode = 0600;
	m.timestamp = INT64_C(1234000000000);
	run_ok(f, &a, (struct file_owner){true, 1, 2});
	assert_tree(f->dst, "up f 666 1:2 y set\n");
	m.path = "/no/such/f";
	run_fails(f, &a, "open /no/such/f: no such file or directory");
	put_link(f->dst, "/dangling-target", "link");
	m.path = "/link";
	run_ok(f, &a, default_owner);
	assert_tree(f->dst,
		    "dangling-target f 600 0:0 y set\nlink l 777 0:0 /dangling-target old\nup f 666 1:2 y set\n");
	m.path = "/";
	run_fails(f, &a, "open /: is a directory");
}

static void test_symlink(struct fixture *f, gconstpointer data)
{
	Pb__FileActionSymlink m = PB__FILE_ACTION_SYMLINK__INIT;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	a.action_case = PB__FILE_ACTION__ACTION_SYMLINK;
	a.symlink = &m;
	m.oldpath = "../x";
	m.newpath = "/l";
	m.timestamp = INT64_C(1234000000000);
	run_ok(f, &a, (struct file_owner){true, 3, 3});
	assert_tree(f->dst, "l l 777 3:3 ../x set\n");
	put_file(f->dst, "f", "x", 0644);
	m.newpath = "/f";
	run_fails(f, &a, "symlink ../x /f: file exists");
}

static void test_rm(struct fixture *f, gconstpointer data)
{
	Pb__FileActionRm m = PB__FILE_ACTION_RM__INIT;
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	a.action_case = PB__FILE_ACTION__ACTION_RM;
	a.rm = &m;
	put_dir(f->dst, "d", 0755);
	put_dir(f->dst, "d/e", 0755);
	put_file(f->dst, "d/e/f", "x", 0644);
	put_file(f->dst, "x1", "1", 0644);
	put_file(f->dst, "x2", "2", 0644);
	put_link(f->dst, "d", "ld");
	m.path = "/nope";
	run_fails(f, &a, "stat /nope: no such file or directory");
	m.allownotfound = true;
	run_ok(f, &a, default_owner);
	m.path = "/no/such/place";
	run_ok(f, &a, default_owner);
	m.path = "/x1/below";
	run_fails(f, &a, "unlinkat /x1/below: not a directory");
	m.path = "/x1/far/below";
	run_fails(f, &a, "lstat /x1/far: not a directory");
	m.path = "/";
	run_fails(f, &a, "rmPath: invalid empty path");
	m.path = "x*";
	m.allowwildcard = true;
	run_ok(f, &a, default_owner);
	m.path = "/z*";
	m.allownotfound = false;
	run_ok(f, &a, default_owner);
	/* Links in the parent path are followed, a link at the end is not. */
	m.path = "/ld/e";
	m.allowwildcard = false;
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "d d 755 0:0\nld l 777 0:0 d old\n");
	m.path = "/ld";
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "d d 755 0:0\n");
}

/* ---- copy */

static Pb__FileActionCopy copy_message(char *src, char *dst)
{
	Pb__FileActionCopy c = PB__FILE_ACTION_COPY__INIT;
	c.src = src;
	c.dest = dst;
	c.mode = -1;
	c.timestamp = -1;
	c.followsymlink = c.dircopycontents = c.createdestpath = c.allowwildcard = true;
	return c;
}

static Pb__FileAction copy_action(Pb__FileActionCopy *c)
{
	Pb__FileAction a = PB__FILE_ACTION__INIT;
	a.action_case = PB__FILE_ACTION__ACTION_COPY;
	a.copy = c;
	return a;
}

static void copy_ok(struct fixture *f, char *src, char *dst)
{
	Pb__FileActionCopy c = copy_message(src, dst);
	Pb__FileAction a = copy_action(&c);
	run_ok(f, &a, default_owner);
}

static void copy_fails(struct fixture *f, char *src, char *dst, const char *message)
{
	Pb__FileActionCopy c = copy_message(src, dst);
	Pb__FileAction a = copy_action(&c);
	run_fails(f, &a, message);
}

static void fill_source(struct fixture *f)
{
	put_dir(f->src, "d", 0750);
	put_dir(f->src, "d/sub", 0711);
	put_file(f->src, "d/a.txt", "a", 0640);
	put_file(f->src, "d/sub/b.md", "b", 04755);
	put_link(f->src, "a.txt", "d/l");
	g_assert_cmpint(linkat(f->src, "d/a.txt", f->src, "d/sub/hard", 0), ==, 0);
	g_assert_cmpint(mknodat(f->src, "d/fifo", S_IFIFO | 0600, 0), ==, 0);
	set_old(f->src, "d/fifo");
	put_file(f->src, "top", "t", 0644);
	put_link(f->src, "d", "dl");
	set_old(f->src, "d/sub");
	set_old(f->src, "d");
	g_assert_cmpint(fchownat(f->src, "d/sub/b.md", 9, 10, 0), ==, 0);
	g_assert_cmpint(fchmodat(f->src, "d/sub/b.md", 04755, 0), ==, 0);
}

static void test_copy_directory(struct fixture *f, gconstpointer data)
{
	struct stat one, two;
	fill_source(f);
	copy_ok(f, "/d", "/new/place");
	assert_tree(f->dst,
		    "new d 755 0:0\nnew/place d 755 0:0 old\nnew/place/a.txt f 640 0:0 a old\n"
		    "new/place/fifo s 600 0:0 old\nnew/place/l l 777 0:0 a.txt old\nnew/place/sub d 711 0:0 old\n"
		    "new/place/sub/b.md f 4755 9:10 b old\nnew/place/sub/hard f 640 0:0 a old\n");
	g_assert_cmpint(fstatat(f->dst, "new/place/a.txt", &one, 0), ==, 0);
	g_assert_cmpint(fstatat(f->dst, "new/place/sub/hard", &two, 0), ==, 0);
	g_assert_cmpint(one.st_ino, ==, two.st_ino);
	/*
	 * Repeated with other modes in the destination: the top keeps its mode, nested directories take the source's.
	 */
	g_assert_cmpint(fchmodat(f->dst, "new/place", 0700, 0), ==, 0);
	g_assert_cmpint(fchmodat(f->dst, "new/place/sub", 0700, 0), ==, 0);
	copy_ok(f, "/dl", "/new/place/");
	g_assert_cmpint(fstatat(f->dst, "new/place", &one, 0), ==, 0);
	g_assert_cmpint(fstatat(f->dst, "new/place/sub", &two, 0), ==, 0);
	g_assert_cmpint(one.st_mode & 07777, ==, 0700);
	g_assert_cmpint(two.st_mode & 07777, ==, 0711);
}

static void test_copy_directory_itself(struct fixture *f, gconstpointer data)
{
	Pb__FileActionCopy c = copy_message("/d/sub", "/x");
	Pb__FileAction a = copy_action(&c);
	c.dircopycontents = false;
	fill_source(f);
	run_ok(f, &a, default_owner);
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "x d 711 0:0\nx/b.md f 4755 9:10 b old\nx/hard f 640 0:0 a old\nx/sub d 711 0:0 old\n"
			    "x/sub/b.md f 4755 9:10 b old\nx/sub/hard f 640 0:0 a old\n");
}

/* A source that ends in "/." adds no name: it takes the place of the destination. */
static void test_copy_dot(struct fixture *f, gconstpointer data)
{
	Pb__FileActionCopy c = copy_message("/d/sub/.", "/x");
	Pb__FileAction a = copy_action(&c);
	c.dircopycontents = c.allowwildcard = false;
	fill_source(f);
	run_ok(f, &a, default_owner);
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "x d 711 0:0 old\nx/b.md f 4755 9:10 b old\nx/hard f 640 0:0 a old\n");
	/* The search for wildcards removes the "/.". */
	c.allowwildcard = true;
	run_ok(f, &a, default_owner);
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "x/sub/b.md", &st, 0), ==, 0);
	c.allowwildcard = false;
	c.src = "/top/.";
	c.dest = "/x/";
	run_fails(f, &a, "cannot replace to directory /x with file");
	c.dest = "/";
	run_fails(f, &a, "cannot replace to directory / with file");
	c.alwaysreplaceexistingdestpaths = true;
	run_fails(f, &a, "cannot replace to directory / with file");
	c.dest = "/x";
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "x f 644 0:0 t old\n");
}

static void test_copy_bad_patterns(struct fixture *f, gconstpointer data)
{
	Pb__FileActionCopy c = copy_message("/d", "/x");
	Pb__FileAction a = copy_action(&c);
	char *bad[] = {"a", "\\"}, *negative[] = {"!"};
	fill_source(f);
	c.include_patterns = bad;
	c.n_include_patterns = 2;
	run_fails(f, &a, "invalid includepatterns: [a \\]: syntax error in pattern");
	c.n_include_patterns = 0;
	c.exclude_patterns = negative;
	c.n_exclude_patterns = 1;
	run_fails(f, &a, "invalid excludepatterns: [!]: illegal exclusion pattern: \"!\"");
}

static void test_copy_loop(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	put_link(f->src, "loop", "loop");
	copy_fails(f, "/loop/a", "/x", "too many links");
}

static void test_copy_root(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	copy_ok(f, "/", "/");
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "d/sub/b.md", &st, 0), ==, 0);
	copy_ok(f, ".", "/all/");
	g_assert_cmpint(fstatat(f->dst, "all/d/sub/b.md", &st, 0), ==, 0);
}

static void test_copy_file(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	put_dir(f->dst, "dir", 0755);
	put_link(f->dst, "dir", "dirlink");
	put_link(f->dst, "nowhere", "dangling");
	copy_ok(f, "/top", "/dir");
	copy_ok(f, "/top", "/dirlink/other");
	copy_ok(f, "/top", "/dangling");
	copy_ok(f, "/top", "/made/");
	copy_ok(f, "/top", "/dot/.");
	set_old(f->dst, "dir");
	assert_tree(f->dst, "dangling l 777 0:0 nowhere old\ndir d 755 0:0 old\ndir/other f 644 0:0 t old\ndir/top f "
			    "644 0:0 t old\n"
			    "dirlink l 777 0:0 dir old\ndot d 755 0:0\ndot/top f 644 0:0 t old\nmade d 755 0:0\n"
			    "made/top f 644 0:0 t old\nnowhere f 644 0:0 t old\n");
	copy_fails(f, "/top", "/dir/top/x", "mkdir /dir/top: not a directory");
	copy_fails(f, "/missing", "/x", "lstat /missing: no such file or directory");
	copy_fails(f, "/q*", "/x", "/q* not found");
}

static void test_copy_conflicts(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	put_dir(f->dst, "in", 0755);
	put_dir(f->dst, "in/a.txt", 0755);
	copy_fails(f, "/d", "/in", "cannot replace to directory /in/a.txt with file");
	assert_succeeds(tree_remove_at(f->dst, "in", &failure));
	put_dir(f->dst, "in", 0755);
	put_link(f->dst, "..", "in/sub");
	copy_fails(f, "/d", "/in", "cannot copy to non-directory: /in/sub");
	Pb__FileActionCopy c = copy_message("/d", "/in");
	Pb__FileAction a = copy_action(&c);
	c.alwaysreplaceexistingdestpaths = true;
	assert_succeeds(tree_remove_at(f->dst, "in", &failure));
	put_dir(f->dst, "in", 0755);
	put_dir(f->dst, "in/a.txt", 0755);
	put_link(f->dst, "..", "in/sub");
	run_ok(f, &a, default_owner);
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "in/sub/b.md", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	g_assert_cmpint(fstatat(f->dst, "b.md", &st, AT_SYMLINK_NOFOLLOW), ==, -1);
}

/* Below a copied directory a file replaces a link, a directory does not. */
static void test_trap_46(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	put_dir(f->dst, "in", 0755);
	put_file(f->dst, "kept", "k", 0644);
	put_link(f->dst, "../kept", "in/a.txt");
	copy_ok(f, "/d", "/in");
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "in/a.txt", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	g_assert_true(S_ISREG(st.st_mode));
	g_assert_cmpint(fstatat(f->dst, "kept", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	g_assert_cmpint(st.st_size, ==, 1);
	assert_succeeds(tree_remove_at(f->dst, "in", &failure));
	put_dir(f->dst, "in", 0755);
	put_dir(f->dst, "elsewhere", 0755);
	put_link(f->dst, "../elsewhere", "in/sub");
	copy_fails(f, "/d", "/in", "cannot copy to non-directory: /in/sub");
}

/* 512-byte header and one file "t/f" of content "tar". */
static void put_archive(int dir, const char *name)
{
	char block[2560] = {0};
	g_strlcpy(block, "t/f", 100);
	memcpy(block + 100, "0000644\0000000007\0000000010\00000000000003\00000000000001\0", 48);
	memset(block + 148, ' ', 8);
	block[156] = '0';
	memcpy(block + 257,
	       "ustar\0"
	       "00",
	       8);
	unsigned sum = 0;
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)block[i];
	g_snprintf(block + 148, 8, "%06o", sum);
	memcpy(block + 512, "tar", 3);
	scoped_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	g_assert_cmpint(write(fd, block, sizeof block), ==, sizeof block);
}

/* An archive is recognized by its bytes, not its name; the owner applies to all members. */
static void test_trap_48(struct fixture *f, gconstpointer data)
{
	put_archive(f->src, "plain.txt");
	put_file(f->src, "x.tar.gz", "none", 0644);
	Pb__FileActionCopy c = copy_message("/plain.txt", "/to/");
	Pb__FileAction a = copy_action(&c);
	c.attemptunpackdockercompatibility = true;
	run_ok(f, &a, (struct file_owner){true, 4, 5});
	c.src = "/x.tar.gz";
	run_ok(f, &a, default_owner);
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "to/t/f", &st, 0), ==, 0);
	g_assert_cmpint(st.st_uid, ==, 4);
	g_assert_cmpint(st.st_gid, ==, 5);
	g_assert_cmpint(fstatat(f->dst, "to/x.tar.gz", &st, 0), ==, 0);
	g_assert_cmpint(st.st_size, ==, 4);
}

static void test_copy_overrides(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	Pb__FileActionCopy c = copy_message("/d", "/p/q/");
	Pb__FileAction a = copy_action(&c);
	c.mode = 02750;
	c.timestamp = INT64_C(1234000000000);
	run_ok(f, &a, (struct file_owner){true, 4, 5});
	assert_tree(f->dst, "p d 750 4:5 set\np/q d 750 4:5 set\np/q/a.txt f 2750 4:5 a set\np/q/fifo s 2750 4:5 set\n"
			    "p/q/l l 777 4:5 a.txt set\np/q/sub d 2750 4:5 set\np/q/sub/b.md f 2750 4:5 b set\n"
			    "p/q/sub/hard f 2750 4:5 a set\n");
	c.modestr = "go=u,u+X";
	c.mode = 0;
	c.src = "/d/a.txt";
	c.dest = "/sym/f";
	run_ok(f, &a, default_owner);
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "sym/f", &st, 0), ==, 0);
	g_assert_cmpint(st.st_mode & 07777, ==, 0666);
	g_assert_cmpint(fstatat(f->dst, "sym", &st, 0), ==, 0);
	g_assert_cmpint(st.st_mode & 07777, ==, 0755);
}

static void test_copy_patterns(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	Pb__FileActionCopy c = copy_message("/", "/o");
	Pb__FileAction a = copy_action(&c);
	char *include[] = {"d/sub/*.md"};
	c.include_patterns = include;
	c.n_include_patterns = 1;
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "o d 755 0:0\no/d d 750 0:0 old\no/d/sub d 711 0:0 old\no/d/sub/b.md f 4755 9:10 b old\n");
	assert_succeeds(tree_remove_at(f->dst, "o", &failure));
	char *exclude[] = {"d", "!d/a.txt", "top"};
	c.n_include_patterns = 0;
	c.exclude_patterns = exclude;
	c.n_exclude_patterns = 3;
	run_ok(f, &a, default_owner);
	assert_tree(f->dst, "o d 755 0:0\no/d d 750 0:0 old\no/d/a.txt f 640 0:0 a old\no/dl l 777 0:0 d old\n");
	char *bad[] = {"["};
	c.exclude_patterns = bad;
	c.n_exclude_patterns = 1;
	g_autoptr(GError) error = NULL;
	g_assert_false(run(f, &a, default_owner, &error));
	g_assert_cmpstr(error->message, ==, "invalid excludepatterns: [[]: syntax error in pattern");
}

static void test_copy_wildcards(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	put_dir(f->src, "e", 0755);
	put_file(f->src, "e/a.txt", "2", 0644);
	put_file(f->src, "e/we*ird", "w", 0644);
	copy_ok(f, "/*/a.txt", "/w/");
	assert_tree(f->dst, "w d 755 0:0\nw/a.txt f 644 0:0 2 old\n");
	copy_ok(f, "/e*/we\\*ird", "/");
	copy_ok(f, "/?", "/both/");
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "both/sub/b.md", &st, 0), ==, 0);
	g_assert_cmpint(fstatat(f->dst, "both/we*ird", &st, 0), ==, 0);
	Pb__FileActionCopy c = copy_message("/zz*", "/none/");
	Pb__FileAction a = copy_action(&c);
	c.allowemptywildcard = true;
	run_ok(f, &a, default_owner);
	g_assert_cmpint(fstatat(f->dst, "none", &st, 0), ==, -1);
}

static void test_copy_no_parents(struct fixture *f, gconstpointer data)
{
	fill_source(f);
	Pb__FileActionCopy c = copy_message("/top", "/p/q/one");
	Pb__FileAction a = copy_action(&c);
	c.createdestpath = false;
	g_autofree char *message =
		g_strdup_printf("failed to stat /p/q/one: lstat %s/dst/p/q: no such file or directory", f->path);
	run_fails(f, &a, message);
	c.dest = "/one";
	run_ok(f, &a, default_owner);
}

static void test_copy_escape(struct fixture *f, gconstpointer data)
{
	/* Links that point out of the trees stay inside. */
	put_link(f->src, "../../../../../../etc", "outer");
	put_dir(f->src, "real", 0755);
	put_link(f->dst, "/../../../../tmp", "out");
	put_file(f->src, "real/f", "x", 0644);
	copy_fails(f, "/outer/passwd", "/p", "lstat /etc/passwd: no such file or directory");
	copy_ok(f, "/real/f", "/out/f");
	struct stat st;
	g_assert_cmpint(fstatat(f->dst, "tmp/f", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
}

static void test_copy_xattrs(struct fixture *f, gconstpointer data)
{
	put_file(f->src, "x", "x", 0644);
	scoped_fd src = openat(f->src, "x", O_RDONLY | O_CLOEXEC);
	if (fsetxattr(src, "user.test", "v", 1, 0) != 0) {
		g_test_skip("no user xattrs here");
		return;
	}
	copy_ok(f, "/x", "/y");
	scoped_fd dst = openat(f->dst, "y", O_RDONLY | O_CLOEXEC);
	char value[8];
	g_assert_cmpint(fgetxattr(dst, "user.test", value, sizeof value), ==, 1);
}

/* Much deeper than the limit of open files, and than PATH_MAX; a hard link at the end refers to its first name. */
static void test_deep(struct fixture *f, gconstpointer data)
{
	struct rlimit before, few;
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 64;
	scoped_fd at = fcntl(f->src, F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 600; i++) {
		g_assert_cmpint(mkdirat(at, "abcdefghij", 0755), ==, 0);
		int next = openat(at, "abcdefghij", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	put_file(at, "end", "e", 0644);
	g_assert_cmpint(linkat(at, "end", at, "end2", 0), ==, 0);
	setrlimit(RLIMIT_NOFILE, &few);
	copy_ok(f, "/", "/copy");
	setrlimit(RLIMIT_NOFILE, &before);
	scoped_fd there = openat(f->dst, "copy", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 600; i++) {
		int next = openat(there, "abcdefghij", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		g_assert_cmpint(next, >=, 0);
		close(there);
		there = next;
	}
	struct stat st;
	g_assert_cmpint(fstatat(there, "end2", &st, 0), ==, 0);
	g_assert_cmpuint(st.st_nlink, ==, 2);
}

static void test_clean_path(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", "/"},     {"/", "/"},      {".", "/"},   {"a/../b", "/b"},
		{"a/", "/a/"}, {"a/.", "/a/."}, {"/.", "/."}, {"../x//y", "/x/y"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *clean = file_clean_path(cases[i].in);
		g_assert_cmpstr(clean, ==, cases[i].out);
	}
}

static void test_mode(void)
{
	static const struct {
		const char *text;
		mode_t old, mode;
	} cases[] = {
		{"644", S_IFREG | 0777, 0644},    {"04755", S_IFREG, 04755},       {"u+x", S_IFREG | 0644, 0744},
		{"a=rX", S_IFREG | 0644, 0444},   {"a=rX", S_IFREG | 0744, 0555},  {"a=rX", S_IFDIR | 0700, 0555},
		{"go-rwx", S_IFREG | 0777, 0700}, {"u=rwX,go=rX", S_IFDIR, 0755},  {"+t", S_IFDIR | 0755, 01755},
		{"u+s", S_IFREG | 0755, 04755},   {"g+s", S_IFREG | 0755, 02755},  {"o+s", S_IFREG | 0755, 0755},
		{"g=u", S_IFREG | 0640, 0660},    {"o=g-w", S_IFREG | 0660, 0664}, {"u-w+x", S_IFREG | 0644, 0544},
		{"=", S_IFREG | 0777, 0},         {"=rw", S_IFREG | 0111, 0666},   {"ug=", S_IFREG | 06777, 07},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		mode_t mode = 0;
		assert_succeeds(file_mode_apply(cases[i].text, cases[i].old, &mode, &failure));
		if (mode != cases[i].mode)
			g_error("%s on %o: %o instead of %o", cases[i].text, cases[i].old, mode, cases[i].mode);
	}
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"foo", "invalid syntax"},
		{"", "invalid syntax"},
		{"u", "invalid syntax"},
		{"u+q", "invalid syntax"},
		{"17777", "invalid syntax"},
		{"u+x,", "invalid syntax"},
		{"9", "strconv.ParseInt: parsing \"9\": invalid syntax"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		mode_t mode;
		assert_fails(file_mode_apply(bad[i].text, S_IFREG, &mode, &failure), bad[i].error);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/file/clean-path", test_clean_path);
	g_test_add_func("/file/mode", test_mode);
	if (geteuid() != 0)
		return g_test_run();
#define TREE_TEST(name, fn) g_test_add("/file/" name, struct fixture, NULL, setup, fn, teardown)
	TREE_TEST("mkdir", test_mkdir);
	TREE_TEST("mkfile", test_mkfile);
	TREE_TEST("symlink", test_symlink);
	TREE_TEST("rm", test_rm);
	TREE_TEST("copy/directory", test_copy_directory);
	TREE_TEST("copy/directory-itself", test_copy_directory_itself);
	TREE_TEST("copy/dot", test_copy_dot);
	TREE_TEST("copy/bad-patterns", test_copy_bad_patterns);
	TREE_TEST("copy/loop", test_copy_loop);
	TREE_TEST("copy/root", test_copy_root);
	TREE_TEST("copy/file", test_copy_file);
	TREE_TEST("copy/conflicts", test_copy_conflicts);
	TREE_TEST("trap-46", test_trap_46);
	TREE_TEST("trap-48", test_trap_48);
	TREE_TEST("copy/overrides", test_copy_overrides);
	TREE_TEST("copy/patterns", test_copy_patterns);
	TREE_TEST("copy/wildcards", test_copy_wildcards);
	TREE_TEST("copy/no-parents", test_copy_no_parents);
	TREE_TEST("copy/escape", test_copy_escape);
	TREE_TEST("copy/xattrs", test_copy_xattrs);
	TREE_TEST("copy/deep", test_deep);
	return g_test_run();
}
