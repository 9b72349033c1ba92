/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tar_maker.h"
#include "lib/outcome.h"
#include "snapshot/diff.h"
#include "os/mount.h"
#include <archive.h>
#include <archive_entry.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct fixture {
	char *top;
	int top_fd, lower, upper;
};

static int make_dir(struct fixture *f, const char *name)
{
	g_assert_cmpint(mkdirat(f->top_fd, name, 0755), ==, 0);
	return openat(f->top_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void set_up(struct fixture *f, gconstpointer data)
{
	f->top = g_dir_make_tmp("diff-test-XXXXXX", NULL);
	mount("tmpfs", f->top, "tmpfs", 0, NULL); /* a file system with trusted xattrs */
	f->top_fd = open(f->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->lower = make_dir(f, "lower");
	f->upper = make_dir(f, "upper");
}

static void tear_down(struct fixture *f, gconstpointer data)
{
	close(f->lower);
	close(f->upper);
	close(f->top_fd);
	umount2(f->top, MNT_DETACH);
	assert_succeeds(tree_remove_at(AT_FDCWD, f->top, &failure));
	g_free(f->top);
}

static const struct apply_options native = {.mode = APPLY_NATIVE}, overlay = {.mode = APPLY_OVERLAY};
static const struct diff_options no_options;

static void fill(int root, const struct made_entry *entries, size_t n, const struct apply_options *options)
{
	g_autoptr(GByteArray) tar = maker_tar(entries, n);
	g_autoptr(GError) error = NULL;
	maker_apply(tar, root, options, NULL, &error);
	g_assert_no_error(error);
}

/* "d dir/|f name|h name>target|l name>target|..." in the order of the stream. */
static char *list(const GByteArray *tar)
{
	GString *out = g_string_new(NULL);
	struct archive *a = archive_read_new();
	archive_read_support_format_tar(a);
	g_assert_cmpint(archive_read_open_memory(a, tar->data, tar->len), ==, ARCHIVE_OK);
	struct archive_entry *e;
	while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
		const char *hard = archive_entry_hardlink(e), *soft = archive_entry_symlink(e);
		char kind = hard ? 'h' : soft ? 'l' : archive_entry_filetype(e) == AE_IFDIR ? 'd' : 'f';
		if (archive_entry_filetype(e) == AE_IFCHR)
			kind = 'c';
		g_string_append_printf(out, "%s%c %s", out->len ? "|" : "", kind, archive_entry_pathname(e));
		if (hard || soft)
			g_string_append_printf(out, ">%s", hard ? hard : soft);
		if (archive_entry_xattr_count(e) > 0)
			g_string_append(out, "+x");
	}
	archive_read_free(a);
	return g_string_free(out, FALSE);
}

static GByteArray *diff_of(int lower, int upper, bool is_overlay, const struct diff_options *options)
{
	GByteArray *out = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	(is_overlay ? diff_overlay : diff_trees)(lower, upper, options, maker_append, out, &error);
	g_assert_no_error(error);
	return out;
}

static void assert_list(int lower, int upper, bool is_overlay, const char *want)
{
	g_autoptr(GByteArray) tar = diff_of(lower, upper, is_overlay, &no_options);
	g_autofree char *got = list(tar);
	g_assert_cmpstr(got, ==, want);
}

static const struct made_entry base[] = {
	{"dir/", '5', NULL},     {"dir/a", '0', "1"},     {"dir/b", '0', "1"},
	{"dir/sub/", '5', NULL}, {"dir/sub/x", '0', "1"}, {"file", '0', "1"},
	{"link", '2', "dir"},    {"one", '0', "linked"},  {"two", '1', "one"},
};

static void test_whole(struct fixture *f, gconstpointer data)
{
	fill(f->upper, base, G_N_ELEMENTS(base), &native);
	assert_list(-1, f->upper, false,
		    "d dir/|f dir/a|f dir/b|d dir/sub/|f dir/sub/x|f file|l link>dir|f one|h two>one");
}

static void test_trees(struct fixture *f, gconstpointer data)
{
	fill(f->lower, base, G_N_ELEMENTS(base), &native);
	fill(f->upper, base, G_N_ELEMENTS(base), &native);
	assert_list(f->lower, f->upper, false, "");
	static const struct made_entry changes[] = {{"dir/sub/y", '0', "2"},
						    {"dir/.wh.a", '0', NULL},
						    {"file/", '5', NULL},
						    {"new-dir/", '5', NULL},
						    {"dir-x", '0', "sorts by name"}};
	fill(f->upper, changes, G_N_ELEMENTS(changes), &native);
	assert_list(f->lower, f->upper, false, "d dir/|f dir/.wh.a|d dir/sub/|f dir/sub/y|f dir-x|d file/|d new-dir/");
	assert_list(f->upper, f->lower, false,
		    "d dir/|f dir/a|d dir/sub/|f dir/sub/.wh.y|f .wh.dir-x|f file|f .wh.new-dir");
}

/* The second name of a changed inode is unchanged, and is included as a link. */
static void test_hard_links(struct fixture *f, gconstpointer data)
{
	static const struct made_entry first[] = {{"a", '0', "1"}, {"z/z", '0', "1"}};
	fill(f->lower, first, G_N_ELEMENTS(first), &native);
	static const struct made_entry second[] = {
		{"a", '0', "1"}, {"m", '1', "a"}, {"z/", '5', NULL}, {"z/z", '1', "a"}};
	fill(f->upper, second, G_N_ELEMENTS(second), &native);
	g_assert_cmpint(fchownat(f->upper, "a", 1, 1, 0), ==, 0);
	assert_list(f->lower, f->upper, false, "f a|h m>a|d z/|h z/z>a");
	assert_list(-1, f->upper, false, "f a|h m>a|d z/|h z/z>a");
}

/* For another tree: all attributes and nanoseconds are written, the unchanged second name is not. */
static void test_exact(struct fixture *f, gconstpointer data)
{
	static const struct made_entry both[] = {{"a", '0', "1"}, {"d/", '5', NULL}, {"z", '0', "1"}};
	const struct diff_options exact = {.exact = true};
	fill(f->lower, both, G_N_ELEMENTS(both), &native);
	fill(f->upper, both, G_N_ELEMENTS(both), &native);
	g_assert_cmpint(unlinkat(f->upper, "z", 0), ==, 0);
	g_assert_cmpint(linkat(f->upper, "a", f->upper, "z", 0), ==, 0);
	g_assert_cmpint(fchownat(f->lower, "z", 1, 1, 0), ==, 0);
	g_assert_cmpint(fchownat(f->upper, "d", 1, 1, 0), ==, 0);
	const struct timespec times[2] = {{7, 0}, {8, 12345678}};
	g_assert_cmpint(utimensat(f->upper, "d", times, 0), ==, 0);
	scoped_fd fd = openat(f->upper, "d", O_RDONLY);
	if (fsetxattr(fd, "user.k", "v", 1, 0) < 0) {
		g_test_skip("no user xattrs here");
		return;
	}
	g_autoptr(GByteArray) layer = diff_of(f->lower, f->upper, false, &no_options);
	g_autofree char *in_layer = list(layer);
	g_assert_cmpstr(in_layer, ==, "d d/|f z|h a>z");
	g_autoptr(GByteArray) tar = diff_of(f->lower, f->upper, false, &exact);
	g_autofree char *got = list(tar);
	g_assert_cmpstr(got, ==, "d d/+x|f z");
	g_assert_nonnull(memmem(tar->data, tar->len, "mtime=8.012345678\n", 18));
}

static void test_overlay_upper(struct fixture *f, gconstpointer data)
{
	fill(f->lower, base, G_N_ELEMENTS(base), &native);
	static const struct made_entry layer[] = {
		{"dir/", '5', NULL},
		{"dir/.wh.a", '0', NULL},
		{"dir/.wh.absent", '0', NULL},
		{"dir/sub/", '5', NULL},
		{"dir/sub/.wh..wh..opq", '0', NULL},
		{"dir/sub/y", '0', "2"},
		{"fresh/", '5', NULL},
		{"fresh/.wh.x", '0', NULL},
		{"fresh/.wh..wh..opq", '0', NULL},
		{".wh.file", '0', NULL},
		{"link", '2', "elsewhere"},
	};
	fill(f->upper, layer, G_N_ELEMENTS(layer), &overlay);
	assert_list(f->lower, f->upper, true,
		    "d dir/|f dir/.wh.a|d dir/sub/|f dir/sub/.wh.x|f dir/sub/y|f .wh.file|d fresh/|l link>elsewhere");
}

static bool mounted(struct fixture *f, int *ret_mount, int *ret_upper)
{
	int upper = make_dir(f, "up"), work = make_dir(f, "work");
	g_autoptr(GError) error = NULL;
	*ret_mount = mount_overlay(&f->lower, 1, upper, work, true, &error);
	*ret_upper = upper;
	close(work);
	if (*ret_mount < 0)
		g_test_skip(error->message);
	return *ret_mount >= 0;
}

/* Real overlayfs upper directories, diffed and applied. */
static void test_overlay_mount(struct fixture *f, gconstpointer data)
{
	fill(f->lower, base, G_N_ELEMENTS(base), &native);
	scoped_fd m = -1, upper = -1;
	if (!mounted(f, &m, &upper))
		return;
	static const struct made_entry changes[] = {{"dir/sub/y", '0', "2"}};
	fill(m, changes, 1, &native);
	g_assert_cmpint(unlinkat(m, "dir/a", 0), ==, 0);
	assert_succeeds(tree_remove_at(m, "dir/sub", &failure));
	g_assert_cmpint(mkdirat(m, "dir/sub", 0755), ==, 0);
	scoped_fd copied_up = openat(m, "dir/b", O_RDWR | O_CLOEXEC); /* but not changed */
	assert_list(f->lower, upper, true, "d dir/|f dir/.wh.a|d dir/sub/|f dir/sub/.wh.x");
	g_autoptr(GByteArray) tar = diff_of(f->lower, upper, true, &no_options);
	g_autoptr(GError) error = NULL;
	maker_apply(tar, f->lower, &native, NULL, &error); /* lower becomes the content of the mount */
	g_assert_no_error(error);
	struct stat st;
	g_assert_cmpint(fstatat(f->lower, "dir/a", &st, 0), ==, -1);
	g_assert_cmpint(fstatat(f->lower, "dir/sub/x", &st, 0), ==, -1);
	g_assert_cmpint(fstatat(f->lower, "dir/b", &st, 0), ==, 0);
}

static void test_round_trip(struct fixture *f, gconstpointer data)
{
	g_autofree char *long_name = g_strnfill(150, 'n'), *big = g_strnfill(300000, 'b');
	g_autofree char *long_path = g_strconcat("dir/", long_name, NULL);
	const struct made_entry entries[] = {
		{"dir/", '5', NULL, 01777, 1},
		{long_path, '0', "x", 04755, 2},
		{"big", '0', big, 0600, 3000000},
		{"l", '2', long_path},
		{"null", '3', NULL, 0666, 0, 1, 3},
		{"fifo", '6', NULL},
		{"f\xc3\xa9\xff", '0', "bytes"},
		{"x", '0', "x", .xattr = "user.k", .xattr_value = "v"},
		{"hard", '1', "big"},
	};
	fill(f->lower, entries, G_N_ELEMENTS(entries), &native);
	g_autoptr(GByteArray) a = diff_of(-1, f->lower, false, &no_options);
	g_autoptr(GError) error = NULL;
	maker_apply(a, f->upper, &native, NULL, &error);
	g_assert_no_error(error);
	g_autoptr(GByteArray) b = diff_of(-1, f->upper, false, &no_options);
	g_assert_cmpmem(a->data, a->len, b->data, b->len);
	assert_list(f->lower, f->upper, false, "");
}

static void test_clamp(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {{"a", '0', "1"}, {"b", '0', "1"}}; /* at 1000000000 and one later */
	fill(f->upper, entries, 2, &native);
	const struct diff_options options = {.clamp_times = true, .max_time_s = 1000000000};
	g_autoptr(GByteArray) tar = diff_of(-1, f->upper, false, &options);
	g_assert_cmpmem(tar->data + 136, 11, "07346545000", 11);
	g_assert_cmpmem(tar->data + 1024 + 136, 11, "07346545000", 11);
}

static void test_capabilities(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {{"a", '0', "1"}};
	static const unsigned char cap[20] = {0, 0, 0, 2, 0, 4};
	fill(f->lower, entries, 1, &native);
	fill(f->upper, entries, 1, &native);
	scoped_fd fd = openat(f->upper, "a", O_RDONLY | O_CLOEXEC);
	if (fsetxattr(fd, "security.capability", cap, sizeof cap, 0) < 0) {
		g_test_skip("no capabilities on files here");
		return;
	}
	assert_list(f->lower, f->upper, false, "f a+x");
}

static bool refuse(void *data, const void *bytes, size_t n, GError **error)
{
	return error_set(error, ERROR_UNAVAILABLE, "full");
}

static void test_errors(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {{"dir/", '5', NULL}};
	fill(f->upper, entries, 1, &native);
	g_autoptr(GError) error = NULL;
	g_assert_false(diff_trees(-1, f->upper, &no_options, refuse, NULL, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	g_clear_error(&error);
	scoped_fd fd = openat(f->upper, "dir", O_RDONLY | O_CLOEXEC);
	if (fsetxattr(fd, "trusted.overlay.redirect", "/x", 2, 0) == 0) {
		g_autoptr(GByteArray) out = g_byte_array_new();
		g_assert_false(diff_overlay(-1, f->upper, &no_options, maker_append, out, &error));
		g_assert_true(error_is(error, ERROR_UNIMPLEMENTED));
	}
}

/* Headers are equal byte for byte to those of Go's archive/tar. */
static void test_header_bytes(void)
{
	static const struct made_entry entries[] = {{"dir/", '5', NULL, 0755}, {"dir/\xc3\xa9", '0', NULL, 0644}};
	g_autoptr(GByteArray) tar = maker_tar(entries, 2);
	g_assert_cmpuint(tar->len, ==, 512 * 6);
	g_assert_cmpmem(tar->data + 100, 57,
			"0000755\0"
			"0000000\0"
			"0000000\0"
			"00000000000\0"
			"07346545000\0"
			"010025\0 5",
			57);
	g_assert_cmpmem(tar->data + 257, 8,
			"ustar\0"
			"00",
			8);
	g_assert_cmpmem(tar->data + 329, 16,
			"0000000\0"
			"0000000\0",
			16);
	g_assert_cmpstr((char *)tar->data + 512, ==, "dir/PaxHeaders.0/");
	g_assert_cmpmem(tar->data + 1024, 16, "15 path=dir/\xc3\xa9\n\0", 16);
	g_assert_cmpstr((char *)tar->data + 1536, ==, "dir/");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct fixture *, gconstpointer);
	} tests[] = {
		{"/diff/whole", test_whole},
		{"/diff/trees", test_trees},
		{"/diff/hard-links", test_hard_links},
		{"/diff/exact", test_exact},
		{"/diff/overlay-upper", test_overlay_upper},
		{"/diff/overlay-mount", test_overlay_mount},
		{"/diff/round-trip", test_round_trip},
		{"/diff/clamp", test_clamp},
		{"/diff/capabilities", test_capabilities},
		{"/diff/errors", test_errors},
	};
	g_test_init(&argc, &argv, NULL);
	bool may_mount = mount_make_private_namespace(NULL);
	for (size_t i = 0; may_mount && i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].name, struct fixture, NULL, set_up, tests[i].run, tear_down);
	g_test_add_func("/diff/header-bytes", test_header_bytes);
	return g_test_run();
}
