/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/windows_layer.h"
#include "lib/outcome.h"
#include "snapshot/apply.h"
#include "snapshot/diff.h"
#include "os/tree.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_names(void)
{
	g_assert_cmpstr(windows_tree_name("Files/a/b"), ==, "a/b");
	g_assert_cmpstr(windows_tree_name("Files/"), ==, "./");
	g_assert_null(windows_tree_name("Files"));
	g_assert_null(windows_tree_name("Hives/x"));
	g_assert_null(windows_tree_name("files/a"));
	g_assert_cmpstr(windows_tree_link("Files/a"), ==, "a");
	g_assert_cmpstr(windows_tree_link("../a"), ==, "../a");
	g_assert_true(windows_is_top("Hives") && windows_is_top("Files"));
	g_assert_false(windows_is_top("Files/") || windows_is_top("hives"));
}

static bool collect(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

struct list {
	GString *text;
	size_t n_descriptors;
};

static bool on_record(void *data, const char *key, const char *value, size_t len)
{
	struct list *l = data;
	if (strcmp(key, "MSWINDOWS.rawsd") == 0) {
		g_autofree char *base64 = g_strndup(value, len);
		gsize n = 0;
		g_autofree guchar *raw = g_base64_decode(base64, &n);
		/* Revision 1, self-relative, with a DACL. */
		g_assert_true(n > 20 && raw[0] == 1 && raw[2] == 4 && raw[3] == 0x80);
		g_string_append_printf(l->text, "sd%zu ", n);
		return true;
	}
	g_string_append_printf(l->text, "%s=%.*s ", key, (int)len, value);
	return true;
}

static bool on_header(void *data, struct tar_block *b, const void *body, size_t n_body, GError **error)
{
	struct list *l = data;
	return !body || tar_records_read(body, n_body, on_record, l);
}

static bool on_frame(void *data, const void *bytes, size_t n, bool is_end, GError **error)
{
	return true;
}

static bool on_entry(void *data, const struct tar_entry *e, GError **error)
{
	struct list *l = data;
	g_string_append_printf(l->text, "%c %o %s%s%s\n", e->type, (unsigned)e->mode, e->name, *e->link ? " -> " : "",
			       e->link);
	return true;
}

static bool on_contents(void *data, const void *bytes, size_t n, GError **error)
{
	return true;
}

static char *list_of(const GByteArray *tar)
{
	const struct tar_scan_handler handler = {on_header, on_frame, on_entry, on_contents};
	struct list l = {.text = g_string_new(NULL)};
	g_autoptr(tar_scan) scan = tar_scan_new(&handler, &l);
	assert_succeeds(tar_scan_write(scan, tar->data, tar->len, &failure));
	assert_succeeds(tar_scan_finish(scan, &failure));
	return g_string_free(l.text, FALSE);
}

struct source {
	const GByteArray *bytes;
	size_t at;
};

static ssize_t take(void *data, void *buffer, size_t n, GError **error)
{
	struct source *s = data;
	n = MIN(n, s->bytes->len - s->at);
	memcpy(buffer, s->bytes->data + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static int make_tree(char **ret_path)
{
	*ret_path = g_dir_make_tmp("windows-layer-XXXXXX", NULL);
	int fd = open(*ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void put_file(int fd, const char *name, mode_t mode)
{
	const struct timespec times[] = {{1000000000, 0}, {1000000000, 0}};
	int file = openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	g_assert_cmpint(write(file, "x", 1), ==, 1);
	fchmod(file, mode);
	futimens(file, times);
	close(file);
}

static void set_time(int fd, const char *name)
{
	const struct timespec times[] = {{1000000000, 0}, {1000000000, 0}};
	g_assert_cmpint(utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW), ==, 0);
}

#define DIR_TIME "LIBARCHIVE.creationtime=1000000000.0 MSWINDOWS.fileattr=16 sd216 "
#define FILE_TIME "LIBARCHIVE.creationtime=1000000000.0 MSWINDOWS.fileattr=32 sd124 "

static const char expected[] = "LIBARCHIVE.creationtime=0.0 MSWINDOWS.fileattr=16 5 40000 Hives\n"
			       "LIBARCHIVE.creationtime=0.0 MSWINDOWS.fileattr=16 5 40000 Files\n" DIR_TIME
			       "5 40755 Files/d/\n" FILE_TIME "0 100644 Files/d/f\n"
			       "LIBARCHIVE.creationtime=1000000000.0 1 644 Files/d/hard -> Files/d/f\n"
			       "LIBARCHIVE.creationtime=1000000000.0 2 777 Files/d/soft -> Files/f\n"
			       "LIBARCHIVE.creationtime=0.0 MSWINDOWS.fileattr=32 sd124 0 100000 Files/.wh.gone\n";

/* A layer of changes, and the tree that it makes of the tree below. */
static void test_round_trip(void)
{
	g_autofree char *lower_path = NULL, *upper_path = NULL, *copy_path = NULL;
	int lower = make_tree(&lower_path), upper = make_tree(&upper_path), copy = make_tree(&copy_path);
	g_autoptr(GByteArray) tar = g_byte_array_new();
	put_file(lower, "gone", 0644);
	put_file(copy, "gone", 0644);
	mkdirat(upper, "d", 0700);
	fchmodat(upper, "d", 0755, 0);
	put_file(upper, "d/f", 0644);
	linkat(upper, "d/f", upper, "d/hard", 0);
	symlinkat("f", upper, "d/soft");
	set_time(upper, "d/soft");
	set_time(upper, "d");
	const struct diff_options options = {.windows = true};
	assert_succeeds(diff_trees(lower, upper, &options, collect, tar, &failure));
	g_autofree char *list = list_of(tar);
	g_assert_cmpstr(list, ==, expected);

	struct source source = {tar, 0};
	struct apply_options apply = {.mode = APPLY_NATIVE, .windows = true};
	struct apply_result result;
	assert_succeeds(apply_stream(take, &source, copy, &apply, &result, &failure));
	g_autoptr(GByteArray) again = g_byte_array_new();
	assert_succeeds(diff_trees(upper, copy, &(struct diff_options){0}, collect, again, &failure));
	g_autofree char *differences = list_of(again);
	g_assert_cmpstr(differences, ==, "");

	source.at = 0;
	apply = (struct apply_options){.mode = APPLY_NATIVE, .refuse_windows = true};
	assert_fails(apply_stream(take, &source, copy, &apply, &result, &failure),
		     "the layer is one of a Windows image, which is not supported where its image is not known");
	close(lower);
	close(upper);
	close(copy);
	assert_succeeds(tree_remove_at(AT_FDCWD, lower_path, &failure));
	assert_succeeds(tree_remove_at(AT_FDCWD, upper_path, &failure));
	assert_succeeds(tree_remove_at(AT_FDCWD, copy_path, &failure));
}

/* Equal trees give a layer, too: the two directories alone. */
static void test_empty(void)
{
	g_autofree char *path = NULL;
	int fd = make_tree(&path);
	g_autoptr(GByteArray) tar = g_byte_array_new();
	assert_succeeds(diff_trees(fd, fd, &(struct diff_options){.windows = true}, collect, tar, &failure));
	g_autofree char *list = list_of(tar);
	g_assert_cmpstr(list, ==,
			"LIBARCHIVE.creationtime=0.0 MSWINDOWS.fileattr=16 5 40000 Hives\n"
			"LIBARCHIVE.creationtime=0.0 MSWINDOWS.fileattr=16 5 40000 Files\n");
	close(fd);
	assert_succeeds(tree_remove_at(AT_FDCWD, path, &failure));
}

int main(int argc, char **argv)
{
	umask(0);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/windows-layer/names", test_names);
	g_test_add_func("/windows-layer/round-trip", test_round_trip);
	g_test_add_func("/windows-layer/empty", test_empty);
	return g_test_run();
}
