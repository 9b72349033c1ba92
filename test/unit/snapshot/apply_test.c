/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tar_maker.h"
#include "base/limits.h"
#include "lib/outcome.h"
#include "os/path.h"
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct fixture {
	char *top;
	int top_fd, root;
};

static void set_up(struct fixture *f, gconstpointer data)
{
	f->top = g_dir_make_tmp("apply-test-XXXXXX", NULL);
	f->top_fd = open(f->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd canary = openat(f->top_fd, "canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	g_assert_cmpint(write(canary, "safe", 4), ==, 4);
	mkdirat(f->top_fd, "outside", 0700);
	mkdirat(f->top_fd, "root", 0755);
	f->root = openat(f->top_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Nothing outside of the root has changed after extraction. */
static void tear_down(struct fixture *f, gconstpointer data)
{
	g_autoptr(GBytes) canary = path_read(f->top_fd, "canary", 10, PATH_BENEATH, NULL);
	g_assert_cmpmem(g_bytes_get_data(canary, NULL), g_bytes_get_size(canary), "safe", 4);
	struct stat st;
	g_assert_cmpint(fstatat(f->top_fd, "canary", &st, 0), ==, 0);
	g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0600);
	g_assert_cmpuint(st.st_nlink, ==, 1);
	g_assert_cmpint(unlinkat(f->top_fd, "outside", AT_REMOVEDIR), ==, 0); /* still empty */
	close(f->root);
	close(f->top_fd);
	assert_succeeds(tree_remove_at(AT_FDCWD, f->top, &failure));
	g_free(f->top);
}

static const struct apply_options native = {.mode = APPLY_NATIVE}, overlay = {.mode = APPLY_OVERLAY};

static bool apply(struct fixture *f, const struct made_entry *entries, size_t n, const struct apply_options *options,
		  GError **error)
{
	g_autoptr(GByteArray) tar = maker_tar(entries, n);
	return maker_apply(tar, f->root, options, NULL, error);
}

static void must_apply(struct fixture *f, const struct made_entry *entries, size_t n,
		       const struct apply_options *options)
{
	g_autoptr(GError) error = NULL;
	apply(f, entries, n, options, &error);
	g_assert_no_error(error);
}

static struct stat stat_of(struct fixture *f, const char *path)
{
	struct stat st;
	if (fstatat(f->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		g_error("%s is missing", path);
	return st;
}

static bool exists(struct fixture *f, const char *path)
{
	struct stat st;
	return fstatat(f->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_text(struct fixture *f, const char *path, const char *want)
{
	g_autoptr(GBytes) bytes = path_read(f->root, path, 1000, PATH_IN_ROOT, NULL);
	g_assert_nonnull(bytes);
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), want, strlen(want));
}

static void test_kinds(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {
		{"./", '5', NULL, 0700, 5},
		{"dir/", '5', NULL, 01777, 7},
		{"dir/file", '0', "text", 04755, 8, .xattr = "user.key", .xattr_value = "value"},
		{"dir/empty", '0', NULL},
		{"dir/hard", '1', "dir/file"},
		{"dir/soft", '2', "../anything/at all"},
		{"dir/fifo", '6', NULL},
		{"dir/null", '3', NULL, 0666, 0, 1, 3},
		{"missing/parent/file", '0', "x"},
		{"f\xc3\xa9", '0', "utf-8"},
		{"f\xff", '0', "not utf-8"},
		{"a-name-that-is-longer-than-one-hundred-bytes/"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/b",
		 '0', "x"},
	};
	must_apply(f, entries, G_N_ELEMENTS(entries), &native);
	struct stat st = stat_of(f, "dir/file"), hard = stat_of(f, "dir/hard");
	g_assert_cmpuint(st.st_mode, ==, S_IFREG | 04755);
	g_assert_cmpuint(st.st_uid, ==, 8);
	g_assert_cmpint(st.st_mtim.tv_sec, ==, 1000000002);
	g_assert_cmpuint(st.st_ino, ==, hard.st_ino);
	st = stat_of(f, "dir");
	g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 01777);
	g_assert_cmpint(st.st_mtim.tv_sec, ==, 1000000001);
	st = stat_of(f, "dir/null");
	g_assert_cmpuint(st.st_mode, ==, S_IFCHR | 0666);
	g_assert_cmpuint(st.st_rdev, ==, makedev(1, 3));
	g_assert_cmpuint(stat_of(f, "missing/parent").st_mode, ==, S_IFDIR | 0755);
	g_assert_cmpuint(stat_of(f, ".").st_mode, ==, S_IFDIR | 0755);
	assert_text(f, "dir/file", "text");
	assert_text(f, "f\xc3\xa9", "utf-8");
	assert_text(f, "f\xff", "not utf-8");
	g_assert_true(exists(f, entries[11].name));
	char value[16];
	scoped_fd fd = openat(f->root, "dir/file", O_RDONLY | O_CLOEXEC);
	ssize_t n = fgetxattr(fd, "user.key", value, sizeof value);
	g_assert_true(n == 5 || errno == ENOTSUP);
}

static void test_escapes(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {
		{"../canary", '0', "evil"},
		{"/../../canary", '0', "evil"},
		{"a/../../../outside/file", '0', "evil"},
		{"/absolute", '0', "inside"},
		{"up", '2', "../.."},
		{"up/outside/x", '0', "evil"},
		{"abs", '2', "/outside"},
		{"abs/x", '0', "inside too"},
		{"file-link", '2', "../canary"},
		{"file-link", '0', "replaces the link"},
		{"hard", '1', "../canary"},
		{"loop", '2', "loop"},
		{"dir/", '5', NULL},
		{"dir/sub", '2', "/"},
		{"dir/sub/../canary2", '0', "lexical"},
	};
	must_apply(f, entries, G_N_ELEMENTS(entries), &native);
	assert_text(f, "canary", "evil");
	assert_text(f, "absolute", "inside");
	assert_text(f, "outside/x", "inside too");
	assert_text(f, "file-link", "replaces the link");
	assert_text(f, "dir/canary2", "lexical");
	g_assert_true(S_ISREG(stat_of(f, "file-link").st_mode));
	g_assert_cmpuint(stat_of(f, "hard").st_ino, ==, stat_of(f, "canary").st_ino);
}

/* text: the end of the error. */
static void refused(struct fixture *f, const struct made_entry *entries, size_t n, const struct apply_options *options,
		    const char *text)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(apply(f, entries, n, options, &error));
	g_assert_nonnull(error);
	size_t length = strlen(error->message), end = strlen(text);
	g_assert_cmpuint(length, >=, end);
	g_assert_cmpstr(error->message + length - end, ==, text);
}

static void test_refused(struct fixture *f, gconstpointer data)
{
	static const struct {
		struct made_entry entries[2];
		const char *error;
	} rows[] = {
		{{{".", '2', "/outside"}}, "failed to extract .: the root can only be a directory"},
		{{{"/", '0', "x"}}, "archive/tar: Damaged tar archive"},
		{{{"a/..", '0', "x"}}, "failed to extract a/..: the root can only be a directory"},
		{{{"hard", '1', "missing"}}, "failed to extract hard: hard link to missing: no such file or directory"},
		{{{"dir/", '5', NULL}, {"hard", '1', "dir"}}, "failed to extract hard: hard link to directory dir"},
		{{{"loop", '2', "loop"}, {"loop/x", '0', "x"}},
		 "failed to extract loop/x: open /loop: too many levels of symbolic links"},
		{{{"file", '0', "x"}, {"file/x", '0', "x"}}, "failed to extract file/x: open /file: not a directory"},
		{{{".wh.", '0', NULL}}, "failed to extract .wh.: invalid whiteout name: .wh."},
		{{{"a/.wh..", '0', NULL}}, "failed to extract a/.wh..: invalid whiteout name: .wh.."},
		{{{"a/.wh...", '0', NULL}}, "failed to extract a/.wh...: invalid whiteout name: .wh..."},
	};
	static const struct apply_options *const modes[] = {&native, &overlay};
	for (size_t m = 0; m < G_N_ELEMENTS(modes); m++)
		for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
			refused(f, rows[i].entries, rows[i].entries[1].name ? 2 : 1, modes[m], rows[i].error);
	g_autofree char *component = g_strnfill(256, 'x'), *path = g_strnfill(5000, '/');
	path[4999] = 'x';
	const struct made_entry long_component = {component, '0', "x"}, long_path = {path, '0', "x"};
	refused(f, &long_component, 1, &native, ": file name too long");
	refused(f, &long_path, 1, &native, "x: archive entry with a name of 5000 bytes");
	g_autoptr(GString) deep = g_string_new("x");
	for (int i = 0; i < 1200; i++)
		g_string_append(deep, "/x");
	const struct made_entry deep_path = {deep->str, '0', "x"};
	refused(f, &deep_path, 1, &native, ": archive entry is nested in 1200 directories");
}

static void test_replace(struct fixture *f, gconstpointer data)
{
	static const struct made_entry first[] = {
		{"dir/", '5', NULL, 0700}, {"dir/kept", '0', "1"}, {"tree/a/b/c", '0', "1"},
		{"file", '0', "1"},        {"link", '2', "dir"},
	};
	static const struct made_entry second[] = {
		{"dir/", '5', NULL, 0711}, {"tree", '0', "a file now"}, {"file/", '5', NULL},
		{"file/x", '0', "2"},      {"link/", '5', NULL},        {"link/y", '0', "in a directory"},
		{"link/y", '0', "twice"},
	};
	must_apply(f, first, G_N_ELEMENTS(first), &native);
	must_apply(f, second, G_N_ELEMENTS(second), &native);
	g_assert_cmpuint(stat_of(f, "dir").st_mode, ==, S_IFDIR | 0711);
	assert_text(f, "dir/kept", "1");
	assert_text(f, "tree", "a file now");
	assert_text(f, "file/x", "2");
	assert_text(f, "link/y", "twice");
	g_assert_false(exists(f, "dir/y"));
}

static const struct made_entry base[] = {
	{"dir/old", '0', "1"}, {"dir/both", '0', "1"}, {"dir/sub/deep", '0', "1"},
	{"gone/x", '0', "1"},  {"file", '0', "1"},     {"link", '2', "dir"},
};

static void test_whiteouts_native(struct fixture *f, gconstpointer data)
{
	static const struct made_entry layer[] = {
		{"dir/", '5', NULL},          {"dir/both", '0', "2"},
		{"dir/sub/new", '0', "2"},    {"dir/.wh..wh..opq", '0', NULL},
		{".wh.gone", '0', NULL},      {"file", '0', "2"},
		{".wh.file", '0', NULL},      {"link/.wh.both", '0', NULL},
		{".wh.absent", '0', NULL},    {".wh..wh.plnk", '0', NULL},
		{"nowhere/.wh.x", '0', NULL},
	};
	must_apply(f, base, G_N_ELEMENTS(base), &native);
	must_apply(f, layer, G_N_ELEMENTS(layer), &native);
	g_assert_false(exists(f, "dir/old"));
	g_assert_false(exists(f, "dir/sub/deep"));
	g_assert_false(exists(f, "gone"));
	g_assert_false(exists(f, "nowhere"));
	assert_text(f, "dir/sub/new", "2");
	assert_text(f, "dir/both", "2"); /* neither through the link nor the entry of the layer itself */
	assert_text(f, "file", "2");
}

static bool is_opaque(struct fixture *f, const char *path)
{
	char value[2];
	scoped_fd fd = openat(f->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fgetxattr(fd, "trusted.overlay.opaque", value, 2) == 1 && value[0] == 'y';
}

static bool is_whiteout(struct fixture *f, const char *path)
{
	struct stat st = stat_of(f, path);
	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static void test_whiteouts_overlay(struct fixture *f, gconstpointer data)
{
	static const struct made_entry layer[] = {
		{"dir/", '5', NULL},
		{"dir/.wh..wh..opq", '0', NULL},
		{"dir/new", '0', "2"},
		{"a/b/.wh.gone", '0', NULL},
		{".wh.again", '0', NULL},
		{"again/", '5', NULL},
		{"again/x", '0', "2"},
		{"first/x", '0', "2"},
		{".wh.first", '0', NULL},
		{"file", '0', "2"},
		{".wh.file", '0', NULL},
		{"link", '2', "dir"},
		{"link/.wh.new", '0', NULL},
		{"evil/", '5', NULL, .xattr = "trusted.overlay.redirect", .xattr_value = "/etc"},
	};
	struct apply_result result;
	g_autoptr(GByteArray) tar = maker_tar(layer, G_N_ELEMENTS(layer));
	g_autoptr(GError) error = NULL;
	maker_apply(tar, f->root, &overlay, &result, &error);
	g_assert_no_error(error);
	g_assert_true(is_opaque(f, "dir"));
	g_assert_true(is_whiteout(f, "a/b/gone"));
	g_assert_true(is_opaque(f, "again"));
	g_assert_true(is_opaque(f, "first"));
	assert_text(f, "first/x", "2");
	assert_text(f, "file", "2");
	assert_text(f, "dir/new", "2");
	g_assert_false(is_opaque(f, "evil"));
	g_assert_cmpint(result.dropped_xattrs, ==, 1);
	g_assert_cmpint(result.entries, ==, G_N_ELEMENTS(layer));
}

static void test_archive_mode(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {
		{"dir/.wh.file", '0', "plain"}, {"made/file", '0', "x", 0600, 9}, {"made/link", '2', "x"}};
	const struct apply_options options = {.mode = APPLY_ARCHIVE,
					      .has_owner = true,
					      .uid = 11,
					      .gid = 12,
					      .has_time = true,
					      .time_ns = 5000000000};
	must_apply(f, entries, G_N_ELEMENTS(entries), &options);
	assert_text(f, "dir/.wh.file", "plain");
	static const char *const paths[] = {"dir", "dir/.wh.file", "made", "made/file", "made/link"};
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		struct stat st = stat_of(f, paths[i]);
		bool is_implied = S_ISDIR(st.st_mode); /* no entry of the archive names it */
		g_assert_cmpuint(st.st_uid, ==, is_implied ? 0 : 11);
		g_assert_cmpuint(st.st_gid, ==, is_implied ? 0 : 12);
	}
	g_assert_cmpint(stat_of(f, "made/file").st_mtim.tv_sec, ==, 5);
}

/* A parent that is not in the stream looks as in the layer below. */
static void test_lower_attributes(struct fixture *f, gconstpointer data)
{
	g_assert_cmpint(mkdirat(f->top_fd, "lower", 0755), ==, 0);
	g_assert_cmpint(mkdirat(f->top_fd, "lower/tmp", 0700), ==, 0);
	g_assert_cmpint(fchownat(f->top_fd, "lower/tmp", 3, 4, 0), ==, 0);
	g_assert_cmpint(fchmodat(f->top_fd, "lower/tmp", 01777, 0), ==, 0);
	scoped_fd lower = openat(f->top_fd, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct apply_options options = {.mode = APPLY_OVERLAY, .lower_fds = &lower, .n_lowers = 1};
	static const struct made_entry entries[] = {{"tmp/new/file", '0', "x"}};
	must_apply(f, entries, 1, &options);
	struct stat st = stat_of(f, "tmp");
	g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 01777);
	g_assert_cmpuint(st.st_uid, ==, 3);
	g_assert_cmpuint(stat_of(f, "tmp/new").st_mode, ==, S_IFDIR | 0755);
}

/* A truncated archive gives an error or fewer entries, and never a crash. */
static void test_cut(struct fixture *f, gconstpointer data)
{
	g_autoptr(GByteArray) tar = maker_tar(base, G_N_ELEMENTS(base));
	for (guint len = 0; len < tar->len; len += 97) {
		g_autoptr(GByteArray) cut = g_byte_array_new();
		g_byte_array_append(cut, tar->data, len);
		g_autoptr(GError) error = NULL;
		bool done = maker_apply(cut, f->root, &native, NULL, &error);
		g_assert_true(done ? len % 512 == 0 || len > tar->len - 1024 : error != NULL);
	}
}

/* A header with a larger size than the stream. */
static void test_huge_claim(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {{"file", '0', "text"}};
	g_autoptr(GByteArray) tar = maker_tar(entries, 1);
	memcpy(tar->data + 124, "77777777777", 12);
	unsigned sum = 0;
	memset(tar->data + 148, ' ', 8);
	for (guint i = 0; i < 512; i++)
		sum += tar->data[i];
	g_snprintf((char *)tar->data + 148, 8, "%06o", sum);
	g_autoptr(GError) error = NULL;
	g_assert_false(maker_apply(tar, f->root, &native, NULL, &error));
	g_assert_true(error_is(error, ERROR_DATA_LOSS));
	g_assert_cmpint(stat_of(f, "file").st_blocks * 512, <, 1 << 20);
}

static void blob_round(struct fixture *f, enum compression type)
{
	g_autoptr(GByteArray) tar = maker_tar(base, G_N_ELEMENTS(base)), packed = g_byte_array_new();
	g_byte_array_append(tar, (const guint8 *)"trailing", 8); /* covered by the digest too */
	g_autoptr(GError) error = NULL;
	g_autoptr(compressor) c = compressor_new(type, -1, maker_append, packed, &error);
	g_assert_true(compressor_write(c, tar->data, tar->len, &error) && compressor_finish(c, &error));
	scoped_fd fd = openat(f->top_fd, "blob", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	g_assert_cmpint(write(fd, packed->data, packed->len), ==, (ssize_t)packed->len);
	g_assert_cmpint(apply_is_archive(fd, NULL), ==, 1);
	lseek(fd, 0, SEEK_SET);
	struct apply_result result;
	apply_blob(fd, f->root, &native, &result, &error);
	g_assert_no_error(error);
	struct digest want;
	digest_of(tar->data, tar->len, &want);
	g_assert_cmpstr(result.diff_id.text, ==, want.text);
	g_assert_cmpint(result.stream_bytes, ==, tar->len);
	assert_text(f, "dir/both", "1");
	if (type == COMPRESSION_NONE)
		return;
	g_assert_cmpint(ftruncate(fd, packed->len - 5), ==, 0);
	lseek(fd, 0, SEEK_SET);
	g_assert_false(apply_blob(fd, f->root, &native, &result, &error));
	g_assert_true(error_is(error, ERROR_DATA_LOSS));
}

static void test_blob(struct fixture *f, gconstpointer data)
{
	blob_round(f, COMPRESSION_NONE);
	blob_round(f, COMPRESSION_GZIP);
	blob_round(f, COMPRESSION_ZSTD);
}

/* Data after the archive is only hashed, so that it needs no disk space. */
static void test_ratio(struct fixture *f, gconstpointer data)
{
	g_autoptr(GByteArray) tar = maker_tar(base, G_N_ELEMENTS(base)), packed = g_byte_array_new();
	g_autofree uint8_t *zeros = g_malloc0(MIB(1));
	g_autoptr(GError) error = NULL;
	g_autoptr(compressor) c = compressor_new(COMPRESSION_ZSTD, 1, maker_append, packed, &error);
	g_assert_true(compressor_write(c, tar->data, tar->len, &error));
	for (int i = 0; i < 1100; i++)
		g_assert_true(compressor_write(c, zeros, MIB(1), &error));
	g_assert_true(compressor_finish(c, &error));
	g_assert_cmpint(packed->len, <, MIB(1));
	scoped_fd fd = openat(f->top_fd, "blob", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	g_assert_cmpint(write(fd, packed->data, packed->len), ==, (ssize_t)packed->len);
	lseek(fd, 0, SEEK_SET);
	struct apply_result result;
	g_assert_false(apply_blob(fd, f->root, &native, &result, &error));
	g_assert_error(error, error_domain(), ERROR_RESOURCE_EXHAUSTED);
	g_assert_cmpstr(error->message, ==, "compression ratio exceeds 1000 to 1");
	g_clear_error(&error);
	lseek(fd, 0, SEEK_SET);
	const struct apply_options allowed = {.mode = APPLY_NATIVE, .allow_high_ratio = true};
	g_assert_true(apply_blob(fd, f->root, &allowed, &result, &error));
	g_assert_no_error(error);
}

static void test_is_archive(struct fixture *f, gconstpointer data)
{
	static const char *const texts[] = {"", "x", "just some text to be looked at", "\x1f\x8b\x08 no", "BZh no"};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		scoped_fd fd = openat(f->top_fd, "blob", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		g_assert_cmpint(write(fd, texts[i], strlen(texts[i])), ==, (ssize_t)strlen(texts[i]));
		g_assert_cmpint(apply_is_archive(fd, NULL), ==, 0);
	}
	scoped_fd zeros = openat(f->top_fd, "blob", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	g_assert_cmpint(ftruncate(zeros, 100000), ==, 0);
	g_assert_cmpint(apply_is_archive(zeros, NULL), ==, 0);
}

/* An early error while the other side has more data must end immediately. */
static void test_early_error(struct fixture *f, gconstpointer data)
{
	g_autofree char *large = g_strnfill(20 << 20, 'x');
	const struct made_entry entries[] = {{".wh.", '0', NULL}, {"large", '0', large}};
	g_autoptr(GByteArray) tar = maker_tar(entries, 2);
	scoped_fd fd = openat(f->top_fd, "blob", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	g_assert_cmpint(write(fd, tar->data, tar->len), ==, (ssize_t)tar->len);
	lseek(fd, 0, SEEK_SET);
	struct apply_result result;
	g_autoptr(GError) error = NULL;
	g_assert_false(apply_blob(fd, f->root, &native, &result, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

static void test_canceled(struct fixture *f, gconstpointer data)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	cancel_set(c, ERROR_CANCELED, NULL);
	const struct apply_options options = {.mode = APPLY_NATIVE, .cancel = c};
	g_autoptr(GError) error = NULL;
	g_assert_false(apply(f, base, G_N_ELEMENTS(base), &options, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
}

static void test_empty(struct fixture *f, gconstpointer data)
{
	must_apply(f, NULL, 0, &native);
	g_autoptr(GByteArray) nothing = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	maker_apply(nothing, f->root, &native, NULL, &error);
	g_assert_no_error(error);
}

/* A layer that contains overlay whiteouts as devices. */
static void test_device_whiteout(struct fixture *f, gconstpointer data)
{
	static const struct made_entry first[] = {{"dir/", '5', NULL}, {"dir/gone", '0', "1"}, {"dir/kept", '0', "1"}};
	static const struct made_entry second[] = {{"dir/gone", '3', NULL, 0600, 0, 0, 0}};
	struct stat st;
	must_apply(f, first, G_N_ELEMENTS(first), &native);
	must_apply(f, second, 1, &native);
	g_assert_cmpint(fstatat(f->root, "dir/gone", &st, AT_SYMLINK_NOFOLLOW), ==, -1);
	assert_text(f, "dir/kept", "1");
	must_apply(f, second, 1, &overlay);
	g_assert_true(S_ISCHR(stat_of(f, "dir/gone").st_mode) && stat_of(f, "dir/gone").st_rdev == 0);
	refused(f, second, 1, &(struct apply_options){.mode = APPLY_ARCHIVE},
		"failed to extract dir/gone: character device 0:0 is refused");
}

/* ADD stops at the end of the archive and ignores damage and bytes after it. A layer's digest covers them. */
static void test_behind_the_end(struct fixture *f, gconstpointer data)
{
	const struct {
		enum compression type;
		guint cut; /* number of bytes cut from the trailer; none: text is appended */
	} rows[] = {{COMPRESSION_GZIP, 0}, {COMPRESSION_ZSTD, 0}, {COMPRESSION_GZIP, 4}};
	const struct apply_options add = {.mode = APPLY_ARCHIVE};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) tar = maker_tar(base, G_N_ELEMENTS(base)), packed = g_byte_array_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(compressor) c = compressor_new(rows[i].type, -1, maker_append, packed, &error);
		g_assert_true(compressor_write(c, tar->data, tar->len, &error) && compressor_finish(c, &error));
		if (rows[i].cut == 0)
			g_byte_array_append(packed, (const guint8 *)"text behind the end", 19);
		else
			g_byte_array_set_size(packed, packed->len - rows[i].cut);
		scoped_fd fd = openat(f->top_fd, "blob", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		g_assert_cmpint(write(fd, packed->data, packed->len), ==, (ssize_t)packed->len);
		struct apply_result result;
		g_assert_cmpint(apply_is_archive(fd, &error), ==, 1);
		lseek(fd, 0, SEEK_SET);
		apply_blob(fd, f->root, &add, &result, &error);
		g_assert_no_error(error);
		assert_text(f, "dir/both", "1");
		lseek(fd, 0, SEEK_SET);
		g_assert_false(apply_blob(fd, f->root, &native, &result, &error));
	}
}

static void test_cut_text(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entry[] = {{"file", '0', "some content"}};
	g_autoptr(GByteArray) tar = maker_tar(entry, 1);
	g_autoptr(GError) error = NULL;
	g_byte_array_set_size(tar, 512 + 5);
	g_assert_false(maker_apply(tar, f->root, &native, NULL, &error));
	g_assert_cmpstr(error->message, ==, "unexpected EOF");
}

/* With an owner, directories that the archive does not contain belong to root. */
/* ADD's errors name the call and the path of the entry. */
static void test_add_errors(struct fixture *f, gconstpointer data)
{
	static const struct {
		struct made_entry entries[2];
		const char *text;
	} rows[] = {
		{{{"a", '0', "x"}, {"a/b/c", '0', "x"}}, "open /a/b/c: not a directory"},
		{{{"a", '0', "x"}, {"a/b/", '5', NULL}}, "mkdir /a/b: not a directory"},
		{{{"a", '0', "x"}, {"a/b", '2', "t"}}, "symlink t /a/b: not a directory"},
		{{{"l", '2', "no"}, {"l/b/c", '0', "x"}}, "mkdir /l: file exists"},
		{{{"l", '2', "no"}, {"l/b", '0', "x"}}, "open /l/b: no such file or directory"},
		{{{"a", '0', "x"}, {"h", '1', "no/file"}}, "link /no/file /h: no such file or directory"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_false(apply(f, rows[i].entries, 2, &(struct apply_options){.mode = APPLY_ARCHIVE}, &error));
		g_assert_cmpstr(error->message, ==, rows[i].text);
		assert_succeeds(tree_remove_contents(f->root, &failure));
	}
}

static void test_implied_parents(struct fixture *f, gconstpointer data)
{
	static const struct made_entry entries[] = {{"implied/file", '0', "x", 0644, 3, 3},
						    {"named/", '5', NULL, 0755, 3, 3}};
	must_apply(f, entries, G_N_ELEMENTS(entries),
		   &(struct apply_options){.mode = APPLY_ARCHIVE, .has_owner = true, .uid = 7, .gid = 8});
	g_assert_cmpuint(stat_of(f, "implied").st_uid, ==, 0);
	g_assert_cmpuint(stat_of(f, "implied/file").st_uid, ==, 7);
	g_assert_cmpuint(stat_of(f, "named").st_gid, ==, 8);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct fixture *, gconstpointer);
	} tests[] = {
		{"/apply/kinds", test_kinds},
		{"/apply/escapes", test_escapes},
		{"/apply/refused", test_refused},
		{"/apply/device-whiteout", test_device_whiteout},
		{"/apply/behind-the-end", test_behind_the_end},
		{"/apply/cut-text", test_cut_text},
		{"/apply/implied-parents", test_implied_parents},
		{"/apply/add-errors", test_add_errors},
		{"/apply/replace", test_replace},
		{"/apply/whiteouts-native", test_whiteouts_native},
		{"/apply/whiteouts-overlay", test_whiteouts_overlay},
		{"/apply/archive", test_archive_mode},
		{"/apply/lower-attributes", test_lower_attributes},
		{"/apply/cut", test_cut},
		{"/apply/huge-claim", test_huge_claim},
		{"/apply/blob", test_blob},
		{"/apply/ratio", test_ratio},
		{"/apply/is-archive", test_is_archive},
		{"/apply/early-error", test_early_error},
		{"/apply/canceled", test_canceled},
		{"/apply/empty", test_empty},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		if (geteuid() == 0)
			g_test_add(tests[i].name, struct fixture, NULL, set_up, tests[i].run, tear_down);
	}
	return g_test_run();
}
