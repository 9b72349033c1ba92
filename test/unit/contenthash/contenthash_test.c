/* SPDX-License-Identifier: Apache-2.0 */
#include "contenthash/contenthash.h"
#include "fssync/fssync.h"
#include <sys/xattr.h>
#include "lib/outcome.h"
#include "lib/tree_dir.h"

/* Vectors for upstream's content hash and cases that follow from its rules. */
#define FILE_DATA0 "sha256:cd8e75bca50f2d695f220d0cb0997d8ead387e4f926e8669a92d7f104cc9885b"
#define FILE_DATA1 "sha256:c2b5e234f5f38fc5864da7def04782f82501a40d46192e4207d5b3f0c3c4732b"
#define FILE_EMPTY "sha256:700591407496206b27e3739e92128dd4d3a119e929d3b3677835a1ab6627aa3d"
#define HEADER "sha256:1a2805521573cb10d73bcd51d16bfa84c8f461d68599740e35484b90b2ab1bab"
#define LINK_FOO "sha256:7bd206d87e7fe31265a60efdab4afb8ab9b0a4953c2375145fdfdb5be1a5e55f"
#define DIR_D0 "sha256:d47454417d2c554067fbefe5f5719edc49f3cfe969c36b62e34a187a4da0cc9a"
#define DIR_D0_LISTED "sha256:6b612ad5c13159112ae26357ef7bd34df29916941ba40ec2ce38dfb70c6c60c3"
#define NOTHING "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct fixture {
	char *path;
	int fd;
	contenthash *tree;
	unsigned opened;
};

static void set_up(struct fixture *f, gconstpointer lines)
{
	umask(0);
	f->path = tree_dir_new(&f->fd);
	tree_dir_fill(f->fd, lines);
	f->tree = contenthash_new();
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	contenthash_unref(f->tree);
	tree_dir_free(f->path, f->fd);
}

static int open_root(void *data, GError **error)
{
	struct fixture *f = data;
	f->opened++;
	return openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool sum(struct fixture *f, const struct contenthash_selector *s, struct digest *ret, GError **error)
{
	struct contenthash_source source = {.open_root = open_root, .data = f};
	return contenthash_sum(f->tree, &source, s, NULL, ret, error);
}

static char *digest_with(struct fixture *f, struct contenthash_selector s)
{
	struct digest d;
	GError *error = NULL;
	sum(f, &s, &d, &error);
	g_assert_no_error(error);
	return g_strdup(d.text);
}

static void expect(struct fixture *f, struct contenthash_selector s, const char *digest)
{
	g_autofree char *got = digest_with(f, s);
	if (strcmp(got, digest) != 0)
		g_error("%s: expected %s, got %s", s.path, digest, got);
}

static void expect_failure(struct fixture *f, struct contenthash_selector s, const char *text)
{
	struct digest d;
	GError *error = NULL;
	g_assert_false(sum(f, &s, &d, &error));
	g_assert_cmpstr(error->message, ==, text);
	g_clear_error(&error);
}

static void fresh(struct fixture *f)
{
	contenthash_unref(f->tree);
	f->tree = contenthash_new();
}

static void expect_joined(struct fixture *f, struct contenthash_selector s, const char *text, size_t n)
{
	struct digest d;
	digest_of(text, n, &d);
	expect(f, s, d.text);
}
#define EXPECT_JOINED(f, text, ...) expect_joined(f, (struct contenthash_selector){__VA_ARGS__}, text, sizeof text - 1)

static const char *const basic_lines[] = {"ADD foo file data0",
					  "ADD bar file data1",
					  "ADD empty file",
					  "ADD d0 dir",
					  "ADD d0/abc file data0",
					  "ADD d0/def symlink abc",
					  "ADD d0/ghi symlink nosuchfile",
					  "ADD ln symlink foo",
					  NULL};
static void test_basic(struct fixture *f, gconstpointer unused)
{
	expect(f, (struct contenthash_selector){.path = "foo", .follow_links = true}, FILE_DATA0);
	expect(f, (struct contenthash_selector){.path = "/bar", .follow_links = true}, FILE_DATA1);
	expect(f, (struct contenthash_selector){.path = "empty"}, FILE_EMPTY);
	expect(f, (struct contenthash_selector){.path = "ln"}, LINK_FOO);
	expect(f, (struct contenthash_selector){.path = "ln", .follow_links = true}, FILE_DATA0);
	expect(f, (struct contenthash_selector){.path = "d0/abc", .follow_links = true}, FILE_DATA0);
	expect(f, (struct contenthash_selector){.path = "d0/def", .follow_links = true}, FILE_DATA0);
	expect(f, (struct contenthash_selector){.path = "d0/", .follow_links = true}, DIR_D0);
	expect(f, (struct contenthash_selector){.path = "d0/../d0/./abc"}, FILE_DATA0);
	expect_failure(f, (struct contenthash_selector){.path = "nosuch"}, "\"/nosuch\": not found");
	expect_failure(f, (struct contenthash_selector){.path = "d0/ghi", .follow_links = true},
		       "\"/d0/ghi\": not found");
	expect_failure(f, (struct contenthash_selector){.path = "foo/x"}, "\"/foo/x\": not found");
}

static const char *const d0_lines[] = {"ADD abc file data0", "ADD def symlink abc", "ADD ghi symlink nosuchfile", NULL};
static void test_root(struct fixture *f, gconstpointer unused)
{
	expect(f, (struct contenthash_selector){.path = "/"}, DIR_D0);
	expect(f, (struct contenthash_selector){.path = ""}, DIR_D0);
	g_assert_cmpint(unlinkat(f->fd, "ghi", 0), ==, 0);
	expect(f, (struct contenthash_selector){.path = "/"}, DIR_D0); /* a tree is not read twice */
	contenthash_distrust(f->tree);
	expect(f, (struct contenthash_selector){.path = "/"},
	       "sha256:555ffa3028630d97ba37832b749eda85ab676fd64ffb629fbf0f4ec8c1e3bff1");
}

static const char *const wildcard_lines[] = {"ADD bar file data1",
					     "ADD foo file data0",
					     "ADD fox file data2",
					     "ADD x dir",
					     "ADD x/d0 dir",
					     "ADD x/d0/abc file data0",
					     "ADD x/d0/def symlink abc",
					     "ADD x/d0/ghi symlink nosuchfile",
					     "ADD y1 symlink foo",
					     "ADD y2 symlink fox",
					     NULL};
static void test_wildcards(struct fixture *f, gconstpointer unused)
{
	EXPECT_JOINED(f, "\0foo" FILE_DATA0, .path = "f*o", .wildcard = true);
	expect(f, (struct contenthash_selector){.path = "f*", .wildcard = true},
	       "sha256:0b6731924f0a32a812bf8a729202e55e54ded331f9e4ff2397f681e43694e086");
	expect(f, (struct contenthash_selector){.path = "f[^a]*", .wildcard = true},
	       "sha256:0b6731924f0a32a812bf8a729202e55e54ded331f9e4ff2397f681e43694e086");
	expect(f, (struct contenthash_selector){.path = "x/d?", .wildcard = true}, DIR_D0_LISTED);
	expect(f, (struct contenthash_selector){.path = "x/d?/def", .wildcard = true, .follow_links = true},
	       FILE_DATA0);
	expect(f, (struct contenthash_selector){.path = "y*", .wildcard = true, .follow_links = true},
	       "sha256:982153600b9653a1decb0f961e09e2bc1be335cfcaac9b39dbd1120b65fdf92c");
	expect(f, (struct contenthash_selector){.path = "nosuch*", .wildcard = true}, NOTHING);
	expect(f, (struct contenthash_selector){.path = "nosuch/*", .wildcard = true}, NOTHING);
	struct contenthash_selector bad = {.path = "a[", .wildcard = true};
	expect_failure(f, bad, "syntax error in pattern");
}

static const char *const link_lines[] = {"ADD target file data0",
					 "ADD sym symlink target",
					 "ADD sym2 symlink target2",
					 "ADD foo dir",
					 "ADD foo/ghi symlink target",
					 "ADD y1 symlink foo/ghi",
					 NULL};
static void test_links_not_followed(struct fixture *f, gconstpointer unused)
{
	static const char sym[] = "sha256:a2ba571981f48ec34eb79c9a3ab091b6491e825c2f7e9914ea86e8e958be7fae";
	static const char foo[] = "sha256:9b761577efcb1239cf4be971914c5d7404914dd32ff436401af1764dc5446b83";
	const char *git[] = {"*.git", NULL};
	expect(f, (struct contenthash_selector){.path = "sym", .wildcard = true}, sym);
	expect(f, (struct contenthash_selector){.path = "foo/ghi", .wildcard = true}, sym);
	struct contenthash_selector broken = {.path = "foo/ghi", .wildcard = true, .follow_links = true};
	expect_failure(f, broken, "\"/foo/ghi\": not found");
	broken.path = "y1";
	expect_failure(f, broken, "\"/y1\": not found");
	expect(f, (struct contenthash_selector){.path = "sym"}, sym);
	expect(f, (struct contenthash_selector){.path = "foo", .follow_links = true}, foo);
	expect(f, (struct contenthash_selector){.path = "fo?", .wildcard = true, .follow_links = true},
	       "sha256:2797e710c6d1a89ff2d91c834b828b1dc500f2982430a58241df8e146f4c4bb4");
	expect(f, (struct contenthash_selector){.path = "foo", .follow_links = true, .exclude = git}, foo);
}

static const char *const parent_lines[] = {"ADD target dir",
					   "ADD target/file file data0",
					   "ADD link1 dir",
					   "ADD link1/target_file symlink ../target/file",
					   "ADD link1/target_dir symlink ../target",
					   "ADD link1/target_dir_abs symlink /target",
					   "ADD link2 dir",
					   "ADD link2/link1_rel symlink ../link1",
					   "ADD link2/link1_abs symlink /link1",
					   "ADD link3 dir",
					   "ADD link3/target symlink ../link2/link1_rel/target_dir",
					   "ADD loop symlink loop",
					   "ADD out symlink ../../../../target",
					   NULL};
static void test_symlink_parents(struct fixture *f, gconstpointer unused)
{
	static const char *const paths[] = {"target/file",
					    "link1/target_dir/file",
					    "link2/link1_rel/target_dir/file",
					    "link2/link1_rel/target_dir_abs/file",
					    "link2/link1_abs/target_dir/file",
					    "link3/target/file",
					    "out/file"};
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		fresh(f);
		expect(f, (struct contenthash_selector){.path = paths[i]}, FILE_DATA0);
		expect(f, (struct contenthash_selector){.path = paths[i], .follow_links = true}, FILE_DATA0);
	}
	expect(f, (struct contenthash_selector){.path = "link2/link1_rel/target_file", .follow_links = true},
	       FILE_DATA0);
	expect_failure(f, (struct contenthash_selector){.path = "loop/x"}, "too many links");
	/* A wildcard's literal prefix is resolved; entries are reported as requested. */
	EXPECT_JOINED(f, "\0file" FILE_DATA0, .path = "link3/target/f*", .wildcard = true);
}

static const char *const filter_lines[] = {
	"ADD foo file data0", "ADD bar file data1",  "ADD d0 dir", "ADD d0/abc file abc",
	"ADD d1 dir",         "ADD d1/def file def", NULL};

static char *filtered(struct fixture *f, const char *path, bool wildcard, const char *include, const char *exclude)
{
	const char *in[] = {include, NULL}, *out[] = {exclude, NULL};
	return digest_with(f, (struct contenthash_selector){.path = path,
							    .wildcard = wildcard,
							    .include = include ? in : NULL,
							    .exclude = exclude ? out : NULL});
}

static void check_filters(struct fixture *f, bool wildcard)
{
	g_autofree char *foo = filtered(f, "", wildcard, "foo", NULL);
	g_autofree char *d0 = filtered(f, "", wildcard, "d0", NULL);
	g_autofree char *d1 = filtered(f, "", wildcard, "d1", NULL);
	g_autofree char *d0_star = filtered(f, "", wildcard, "d0/*", NULL);
	g_autofree char *d0_a = filtered(f, "", wildcard, "d0/a*", NULL);
	g_autofree char *d0_slash = filtered(f, "", wildcard, "d0/", NULL);
	g_autofree char *none = filtered(f, "", wildcard, "nosuch", NULL);
	g_assert_cmpstr(foo, !=, d0);
	g_assert_cmpstr(d0, !=, d1);
	g_assert_cmpstr(d0, ==, d0_star);
	g_assert_cmpstr(d0_star, ==, d0_a);
	g_assert_cmpstr(d0, ==, d0_slash);
	g_assert_cmpstr(none, ==, NOTHING);
	g_autofree char *all = filtered(f, "/", wildcard, "**", NULL);
	g_autofree char *without = filtered(f, "/", wildcard, NULL, "nosuch");
	g_autofree char *no_d1 = filtered(f, "/", wildcard, NULL, "d1");
	g_assert_cmpstr(all, ==, without);
	g_assert_cmpstr(no_d1, !=, without);
}

static void test_filters(struct fixture *f, gconstpointer unused)
{
	check_filters(f, false);
	check_filters(f, true);
	const char *foo[] = {"foo", NULL}, *abc[] = {"d0/abc", NULL}, *d0[] = {"/d0", NULL}, *bad[] = {"a[", NULL};
	EXPECT_JOINED(f, "\0foo" FILE_DATA0, .path = "/", .include = foo);
	/* Without the trailing slash the top's header counts. */
	EXPECT_JOINED(f, "\0" HEADER "\0foo" FILE_DATA0, .path = "", .include = foo);
	struct digest file;
	digest_of_text("namemode420uid0gid0size3typeflag0linknameunamegnamedevmajor0devminor0abc", &file);
	g_autofree char *joined = g_strdup_printf("%cd0" HEADER "%cd0%cabc%s", 1, 1, 1, file.text);
	for (char *p = joined; *p; p++)
		*p = *p == 1 ? '\0' : *p;
	expect_joined(f, (struct contenthash_selector){.path = "/", .include = abc}, joined,
		      3 + strlen(HEADER) + 7 + strlen(file.text));
	struct contenthash_selector required = {.path = "/", .include = foo, .required = d0};
	expect_failure(f, required, "\"/d0\": not found");
	required.include = abc;
	g_autofree char *ok = digest_with(f, required);
	g_assert_cmpstr(ok, !=, NOTHING);
	struct contenthash_selector invalid = {.path = "/", .include = bad};
	expect_failure(f, invalid, "invalid includepatterns: [a[]: syntax error in pattern");
}

static const char *const hard_lines[] = {"ADD abc dir", "ADD abc/foo file data0", "ADD ln link abc/foo", NULL};
static void test_hard_links_and_types(struct fixture *f, gconstpointer unused)
{
	expect(f, (struct contenthash_selector){.path = "abc/foo"}, FILE_DATA0);
	expect(f, (struct contenthash_selector){.path = "ln"}, FILE_DATA0);
	g_assert_cmpint(mkfifoat(f->fd, "fifo", 0600), ==, 0);
	g_assert_cmpint(fchmodat(f->fd, "abc/foo", 04755, 0), ==, 0);
	fresh(f);
	struct digest d;
	digest_of_text("namemode384uid0gid0size0typeflag6linknameunamegnamedevmajor0devminor0", &d);
	expect(f, (struct contenthash_selector){.path = "fifo"}, d.text);
	digest_of_text("namemode2541uid0gid0size5typeflag0linknameunamegnamedevmajor0devminor0data0", &d);
	expect(f, (struct contenthash_selector){.path = "ln"}, d.text);
}

/* ---- announced entries */
static void note(struct fixture *f, const char *path, uint32_t mode, int64_t size, const char *link)
{
	struct fssync_stat stat = {.path = (char *)path, .mode = mode, .size = size, .linkname = (char *)link};
	struct stat st;
	if (fstatat(f->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		stat.mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	contenthash_note(f->tree, &stat, NULL, FSSYNC_ADDED);
}

static void test_announced(struct fixture *f, gconstpointer unused)
{
	note(f, "abc", 0644, 5, "");
	note(f, "def", FSSYNC_MODE_SYMLINK | 0777, 0, "abc");
	note(f, "sub", FSSYNC_MODE_DIR | 0755, 0, "");
	note(f, "sub/empty", 0644, 0, "");
	expect(f, (struct contenthash_selector){.path = "sub/empty"}, FILE_EMPTY);
	g_assert_cmpuint(f->opened, ==, 0); /* nothing had to be read */
	expect(f, (struct contenthash_selector){.path = "def", .follow_links = true}, FILE_DATA0);
	expect_failure(f, (struct contenthash_selector){.path = "ghi"},
		       "\"/ghi\": not found"); /* on disk, not announced */
	/* The root is never announced: its header is the digest of nothing. */
	struct digest link;
	digest_of_text("namemode511uid0gid0size0typeflag2linknameabcunamegnamedevmajor0devminor0", &link);
	const char *files[] = {"abc", "def", NULL};
	g_autofree char *joined = g_strdup_printf("%c" NOTHING "%cabc" FILE_DATA0 "%cdef%s", 1, 1, 1, link.text);
	size_t n = strlen(joined);
	for (size_t i = 0; i < n; i++)
		joined[i] = joined[i] == 1 ? '\0' : joined[i];
	expect_joined(f, (struct contenthash_selector){.path = "", .include = files}, joined, n);
	struct fssync_stat gone = {.path = (char *)"sub"};
	contenthash_note(f->tree, &gone, NULL, FSSYNC_REMOVED);
	expect_failure(f, (struct contenthash_selector){.path = "sub/empty"}, "\"/sub/empty\": not found");
}

static void test_rewritten(struct fixture *f, gconstpointer unused)
{
	note(f, "abc", 0644, 5, "");
	note(f, "def", FSSYNC_MODE_SYMLINK | 0777, 0, "abc");
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA0);
	g_autofree char *before = digest_with(f, (struct contenthash_selector){.path = "/"});
	contenthash_distrust(f->tree); /* a writer opens the tree */
	tree_dir_write(f->fd, "abc", "data1");
	note(f, "abc", 0644, 5, "");
	g_autofree char *after = digest_with(f, (struct contenthash_selector){.path = "/"});
	g_assert_cmpstr(before, !=, after);
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA1);
	contenthash_distrust(f->tree); /* it does not announce its changes */
	tree_dir_write(f->fd, "abc", "data0");
	tree_dir_write(f->fd, "new", "data0");
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA0);
	expect(f, (struct contenthash_selector){.path = "new"}, FILE_DATA0);
	contenthash_distrust(f->tree); /* it changes nothing: no file is read again */
	g_assert_cmpint(fchmodat(f->fd, "abc", 0600, 0), ==, 0);
	g_autofree char *mode = digest_with(f, (struct contenthash_selector){.path = "abc"});
	g_assert_cmpstr(mode, !=, FILE_DATA0);
}

/* A transfer that reports what it changes needs no comparison with the inodes. */
static void test_reported(struct fixture *f, gconstpointer unused)
{
	struct fssync_stat stat = {.path = (char *)"abc", .mode = 0644, .size = 5, .linkname = (char *)""};
	contenthash_note(f->tree, &stat, NULL, FSSYNC_ADDED);
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA0);
	contenthash_note(f->tree, &stat, NULL, FSSYNC_UNCHANGED);
	unsigned opened = f->opened;
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA0);
	g_assert_cmpuint(f->opened, ==, opened); /* it is known */
	tree_dir_write(f->fd, "abc", "data1");
	contenthash_note(f->tree, &stat, NULL, FSSYNC_MODIFIED);
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA1);
	/* The transfer has hashed it. */
	struct fssync_content content;
	hasher *h = contenthash_begin(&stat);
	hasher_update(h, "data0", 5);
	hasher_finish(h, &content.digest);
	hasher_free(h);
	tree_dir_write(f->fd, "abc", "data0");
	g_assert_cmpint(fstatat(f->fd, "abc", &content.st, 0), ==, 0);
	opened = f->opened;
	contenthash_note(f->tree, &stat, &content, FSSYNC_MODIFIED);
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA0);
	g_assert_cmpuint(f->opened, ==, opened);
	/* The index has the digest only for this state of the inode. */
	g_autoptr(contenthash_index) index = contenthash_index_new();
	contenthash_index_add(index, f->tree);
	uint8_t digest[32];
	g_assert_true(contenthash_index_find(index, &content.st, digest));
	content.st.st_ctim.tv_nsec++;
	g_assert_false(contenthash_index_find(index, &content.st, digest));
	g_assert_null(contenthash_begin(&(struct fssync_stat){.mode = FSSYNC_MODE_DIR}));
}

static uint64_t bytes_read(void)
{
	g_autofree char *io = NULL;
	assert_succeeds(g_file_get_contents("/proc/self/io", &io, NULL, &failure));
	return g_ascii_strtoull(strstr(io, "rchar: ") + strlen("rchar: "), NULL, 10);
}

/* A file whose inode is unchanged is not read again; any change of the inode is detected. */
static void test_not_read_twice(struct fixture *f, gconstpointer unused)
{
	const uint64_t size = 4 << 20;
	g_autofree char *text = g_strnfill(size, 'x');
	tree_dir_write(f->fd, "large", text);
	uint64_t start = bytes_read();
	g_autofree char *first = digest_with(f, (struct contenthash_selector){.path = "/"});
	uint64_t hashed = bytes_read();
	g_assert_cmpuint(hashed - start, >=, size);
	contenthash_distrust(f->tree);
	g_autofree char *second = digest_with(f, (struct contenthash_selector){.path = "/"});
	uint64_t validated = bytes_read();
	g_assert_cmpstr(first, ==, second);
	g_assert_cmpuint(validated - hashed, <, size / 8);
	scoped_fd fd = openat(f->fd, "large", O_WRONLY | O_CLOEXEC);
	g_assert_cmpint(pwrite(fd, "y", 1, 5), ==, 1);
	contenthash_distrust(f->tree);
	g_autofree char *third = digest_with(f, (struct contenthash_selector){.path = "/"});
	g_assert_cmpstr(first, !=, third);
	g_assert_cmpuint(bytes_read() - validated, >=, size);
}

static void test_persistence(struct fixture *f, gconstpointer unused)
{
	g_autofree char *before = digest_with(f, (struct contenthash_selector){.path = "/"});
	g_assert_true(contenthash_is_dirty(f->tree));
	g_autoptr(GBytes) saved = contenthash_save(f->tree);
	g_assert_false(contenthash_is_dirty(f->tree));
	gsize n;
	const char *bytes = g_bytes_get_data(saved, &n);
	contenthash_unref(f->tree);
	f->tree = contenthash_load(bytes, n);
	f->opened = 0;
	g_autofree char *after = digest_with(f, (struct contenthash_selector){.path = "/"});
	g_assert_cmpstr(before, ==, after);
	expect(f, (struct contenthash_selector){.path = "d0/def", .follow_links = true}, FILE_DATA0);
	g_assert_cmpuint(f->opened, <=, 1);
	for (gsize i = 0; i < n; i++) /* cut anywhere: refused, never a crash */
		g_assert_null(contenthash_load(bytes, i));
	contenthash_distrust(f->tree);
	g_autofree char *validated = digest_with(f, (struct contenthash_selector){.path = "/"});
	g_assert_cmpstr(before, ==, validated);
}

/* 20,000 files: the time is printed for information; the digests are compared with those of a second sum. */
static void test_many(struct fixture *f, gconstpointer unused)
{
	for (int d = 0; d < 100; d++) {
		g_autofree char *dir = g_strdup_printf("d%02d", d);
		g_assert_cmpint(mkdirat(f->fd, dir, 0755), ==, 0);
		for (int i = 0; i < 200; i++) {
			g_autofree char *name = g_strdup_printf("%s/f%d", dir, i);
			tree_dir_write(f->fd, name, name);
		}
	}
	gint64 start = g_get_monotonic_time();
	g_autofree char *first = digest_with(f, (struct contenthash_selector){.path = "/"});
	gint64 hashed = g_get_monotonic_time();
	contenthash_distrust(f->tree);
	g_autofree char *second = digest_with(f, (struct contenthash_selector){.path = "/"});
	gint64 validated = g_get_monotonic_time();
	g_autofree char *third = digest_with(f, (struct contenthash_selector){.path = "/*", .wildcard = true});
	gint64 selected = g_get_monotonic_time();
	g_test_message("hash %" G_GINT64_FORMAT " us, validate %" G_GINT64_FORMAT " us, select %" G_GINT64_FORMAT " us",
		       hashed - start, validated - hashed, selected - validated);
	g_assert_cmpstr(first, ==, second);
	g_assert_cmpstr(first, !=, third);
}

/* Times are not part of a digest, extended attributes are; a link always has mode 0777. */
static void test_trap_17(struct fixture *f, gconstpointer unused)
{
	struct timespec times[] = {{1, 0}, {2, 0}};
	g_assert_cmpint(utimensat(f->fd, "abc", times, 0), ==, 0);
	expect(f, (struct contenthash_selector){.path = "abc"}, FILE_DATA0);
	scoped_fd fd = openat(f->fd, "abc", O_RDONLY | O_CLOEXEC);
	g_assert_cmpint(fsetxattr(fd, "trusted.skipped", "v", 1, 0), ==, 0);
	g_assert_cmpint(fsetxattr(fd, "trusted.a", "x", 1, 0), ==, 0);
	fresh(f);
	struct digest d;
	digest_of_text(
		"namemode420uid0gid0size5typeflag0linknameunamegnamedevmajor0devminor0trusted.axtrusted.skippedvdata0",
		&d);
	expect(f, (struct contenthash_selector){.path = "abc"}, d.text);
	digest_of_text("namemode511uid0gid0size0typeflag2linknameabcunamegnamedevmajor0devminor0", &d);
	expect(f, (struct contenthash_selector){.path = "def"}, d.text);
}

/* A directory is listed with its content digest, filtered entries with every header and file. */
static void test_trap_18(struct fixture *f, gconstpointer unused)
{
	const char *abc[] = {"d0/abc", NULL}, *all[] = {"d0", NULL};
	g_autofree char *joined = g_strdup_printf("%cd0" HEADER "%cd0%cabc" FILE_DATA0, 1, 1, 1);
	size_t n = strlen(joined);
	for (size_t i = 0; i < n; i++)
		joined[i] = joined[i] == 1 ? '\0' : joined[i];
	expect(f, (struct contenthash_selector){.path = "d0"}, DIR_D0);
	expect_joined(f, (struct contenthash_selector){.path = "/", .include = abc}, joined, n);
	g_autofree char *listed = digest_with(f, (struct contenthash_selector){.path = "/", .include = all});
	g_assert_cmpstr(listed, !=, DIR_D0);
}

/* With a trailing slash the header of the top directory is left out. */
static void test_trap_19(struct fixture *f, gconstpointer unused)
{
	const char *abc[] = {"abc", NULL};
	EXPECT_JOINED(f, "\0" HEADER "\0abc" FILE_DATA0, .path = "d0", .include = abc);
	EXPECT_JOINED(f, "\0abc" FILE_DATA0, .path = "d0/", .include = abc);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, lines, fn) g_test_add("/content/" name, struct fixture, lines, set_up, fn, tear_down)
	ADD("basic", basic_lines, test_basic);
	ADD("root", d0_lines, test_root);
	ADD("wildcards", wildcard_lines, test_wildcards);
	ADD("links-not-followed", link_lines, test_links_not_followed);
	ADD("symlink-parents", parent_lines, test_symlink_parents);
	ADD("filters", filter_lines, test_filters);
	ADD("hard-links", hard_lines, test_hard_links_and_types);
	ADD("announced", d0_lines, test_announced);
	ADD("rewritten", d0_lines, test_rewritten);
	ADD("reported", d0_lines, test_reported);
	ADD("not-read-twice", d0_lines, test_not_read_twice);
	ADD("persistence", basic_lines, test_persistence);
	ADD("many", NULL, test_many);
	ADD("trap-17", d0_lines, test_trap_17);
	ADD("trap-18", basic_lines, test_trap_18);
	ADD("trap-19", basic_lines, test_trap_19);
	return g_test_run();
}
