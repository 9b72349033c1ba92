/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fssync_pair.h"
#include "base/scope.h"
#include "fssync/packet.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

struct trees {
	char *dir;
	int src, dst;
};

static void trees_init(struct trees *t)
{
	t->dir = g_dir_make_tmp("fssync-XXXXXX", NULL);
	int fd = open(t->dir, O_RDONLY | O_DIRECTORY);
	g_assert_cmpint(mkdirat(fd, "src", 0755), ==, 0);
	g_assert_cmpint(mkdirat(fd, "dst", 0755), ==, 0);
	t->src = openat(fd, "src", O_RDONLY | O_DIRECTORY);
	t->dst = openat(fd, "dst", O_RDONLY | O_DIRECTORY);
	close(fd);
}

static void trees_clear(struct trees *t)
{
	assert_succeeds(tree_remove_contents(t->src, &failure));
	assert_succeeds(tree_remove_contents(t->dst, &failure));
	close(t->src);
	close(t->dst);
	assert_succeeds(tree_remove_at(AT_FDCWD, t->dir, &failure));
	g_free(t->dir);
}

static void make_link(const char *target, int dir, const char *name)
{
	g_assert_cmpint(symlinkat(target, dir, name), ==, 0);
}

static void make_hard_link(int dir, const char *from, const char *to)
{
	g_assert_cmpint(linkat(dir, from, dir, to, 0), ==, 0);
}

static void put(int dir, const char *path, const char *text)
{
	unlinkat(dir, path, 0);
	scoped_fd fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (int)strlen(text));
	struct timespec times[2] = {{1000000, 5}, {1000000, 5}};
	g_assert_cmpint(futimens(fd, times), ==, 0);
}

static char *get(int dir, const char *path)
{
	char buf[4096];
	scoped_fd fd = openat(dir, path, O_RDONLY | O_NOFOLLOW);
	if (fd < 0)
		return NULL;
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	g_assert_cmpint(n, >=, 0);
	buf[n] = '\0';
	return g_strdup(buf);
}

static void assert_file(int dir, const char *path, const char *text)
{
	g_autofree char *there = get(dir, path);
	g_assert_cmpstr(there, ==, text);
}

struct sending {
	struct pair *pair;
	const struct fssync_root *roots;
	size_t n_roots;
	const struct fssync_filter *filter;
	const struct fssync_send_options *options;
	GError *error;
};

static void *send_thread(void *data)
{
	struct sending *s = data;
	fssync_send(&s->pair->a, s->roots, s->n_roots, s->filter, s->options, NULL, &s->error);
	return NULL;
}

/* "A path", "M path", "U path", "R path", separated by blanks. */
static void note_change(void *data, enum fssync_change change, const struct fssync_stat *stat,
			const struct fssync_content *content)
{
	g_string_append_printf(data, "%s%c:%s", ((GString *)data)->len ? " " : "", "AMUR"[change], stat -> path);
}

static char *sync_with(struct trees *t, const struct fssync_filter *filter, struct fssync_receive_options options)
{
	struct pair *pair = pair_new(1000);
	struct fssync_root root = {.fd = t->src, .name = ""};
	struct sending sending = {.pair = pair, .roots = &root, .n_roots = 1, .filter = filter};
	g_autoptr(GString) changes = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	options.as_root = geteuid() == 0;
	options.on_entry = note_change;
	options.on_entry_data = changes;
	GThread *thread = g_thread_new("send", send_thread, &sending);
	fssync_receive(&pair->b, t->dst, &options, NULL, &error);
	g_thread_join(thread);
	g_assert_no_error(error);
	g_assert_no_error(sending.error);
	pair_free(pair);
	return g_string_free(g_steal_pointer(&changes), FALSE);
}

static void assert_sync(struct trees *t, const struct fssync_filter *filter, struct fssync_receive_options options,
			const char *expected)
{
	g_autofree char *changes = sync_with(t, filter, options);
	g_assert_cmpstr(changes, ==, expected);
}

static const struct fssync_receive_options plain = {0};

static void test_first_and_again(void)
{
	struct trees t;
	trees_init(&t);
	mkdirat(t.src, "dir", 0750);
	put(t.src, "dir/file", "content");
	put(t.src, "dir.txt", "sorts after dir/file");
	put(t.src, "empty", "");
	make_link("dir/file", t.src, "link");
	mkfifoat(t.src, "pipe", 0600);
	make_hard_link(t.src, "dir/file", "hard");
	assert_sync(&t, NULL, plain, "A:dir A:dir/file A:dir.txt A:empty A:hard A:link A:pipe");
	assert_file(t.dst, "dir/file", "content");
	assert_file(t.dst, "empty", "");
	struct stat a, b;
	g_assert_cmpint(fstatat(t.dst, "hard", &a, 0), ==, 0);
	g_assert_cmpint(fstatat(t.dst, "dir/file", &b, 0), ==, 0);
	g_assert_cmpuint(a.st_ino, ==, b.st_ino);
	g_assert_cmpint(a.st_mtim.tv_sec, ==, 1000000);
	g_assert_cmpint(a.st_mtim.tv_nsec, ==, 5);
	fstatat(t.src, "dir", &a, 0);
	fstatat(t.dst, "dir", &b, 0);
	g_assert_cmpint(b.st_mode & 07777, ==, 0750);
	g_assert_cmpint(a.st_mtim.tv_nsec, ==, b.st_mtim.tv_nsec);
	char target[20] = "";
	g_assert_cmpint(readlinkat(t.dst, "link", target, sizeof(target)), ==, 8);
	assert_sync(&t, NULL, plain, "U:dir U:dir/file U:dir.txt U:empty U:hard U:link U:pipe");
	trees_clear(&t);
}

static void test_changes(void)
{
	struct trees t;
	trees_init(&t);
	mkdirat(t.src, "a", 0755);
	put(t.src, "a/1", "one");
	put(t.src, "a/2", "two");
	put(t.src, "b", "file");
	mkdirat(t.src, "c", 0755);
	put(t.src, "c/x", "x");
	put(t.src, "d", "d");
	g_free(sync_with(&t, NULL, plain));
	put(t.src, "a/1", "longer");
	unlinkat(t.src, "a/2", 0);
	unlinkat(t.src, "b", 0);
	mkdirat(t.src, "b", 0755);
	put(t.src, "b/inner", "i");
	unlinkat(t.src, "c/x", 0);
	unlinkat(t.src, "c", AT_REMOVEDIR);
	make_link("a", t.src, "c");
	g_assert_cmpint(fchmodat(t.src, "d", 0755, 0), ==, 0);
	put(t.src, "e", "new");
	assert_sync(&t, NULL, plain, "U:a M:a/1 R:a/2 M:b A:b/inner M:c M:d A:e");
	assert_file(t.dst, "a/1", "longer");
	assert_file(t.dst, "a/2", NULL);
	assert_file(t.dst, "b/inner", "i");
	assert_sync(&t, NULL, (struct fssync_receive_options){.diff_none = true},
		    "M:a M:a/1 M:b M:b/inner M:c M:d M:e");
	trees_clear(&t);
}

static hasher *begin_hash(void *data, const struct fssync_stat *stat)
{
	return strcmp(stat->path, "not") == 0 ? NULL : hasher_new_sha256();
}

/* "path digest" of hashed files, "path -" of others. */
static void note_content(void *data, enum fssync_change change, const struct fssync_stat *stat,
			 const struct fssync_content *content)
{
	g_string_append_printf(data, "%s %s %" G_GINT64_FORMAT "\n", stat->path, content ? content->digest.text : "-",
			       content ? (gint64)content->st.st_size : 0);
}

static void test_hash(void)
{
	struct trees t;
	trees_init(&t);
	put(t.src, "a", "content");
	put(t.src, "not", "content");
	mkdirat(t.src, "sub", 0755);
	put(t.src, "sub/empty", "");
	struct pair *pair = pair_new(1000);
	struct fssync_root root = {.fd = t.src, .name = ""};
	struct sending sending = {.pair = pair, .roots = &root, .n_roots = 1};
	g_autoptr(GString) found = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	const struct fssync_receive_options options = {
		.as_root = geteuid() == 0, .on_entry = note_content, .on_entry_data = found, .hash_begin = begin_hash};
	GThread *thread = g_thread_new("send", send_thread, &sending);
	fssync_receive(&pair->b, t.dst, &options, NULL, &error);
	g_thread_join(thread);
	g_assert_no_error(error);
	pair_free(pair);
	struct digest content, nothing;
	digest_of_text("content", &content);
	digest_of_text("", &nothing);
	g_autofree char *expected =
		g_strdup_printf("a %s 7\nnot - 0\nsub - 0\nsub/empty %s 0\n", content.text, nothing.text);
	g_assert_cmpstr(found->str, ==, expected);
	trees_clear(&t);
}

/* Files of the destination that another tree has as hard links are replaced, whatever changes. */
static void test_linked(void)
{
	static const char *const names[] = {"content", "mode", "time", "owner", "hard", "gone", "same"};
	struct trees t;
	trees_init(&t);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		put(t.src, names[i], "before");
	g_free(sync_with(&t, NULL, plain));
	mkdirat(t.src, "../other", 0755);
	scoped_fd other = openat(t.src, "../other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat before[G_N_ELEMENTS(names)], after;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_assert_cmpint(linkat(t.dst, names[i], other, names[i], 0), ==, 0);
		g_assert_cmpint(fstatat(other, names[i], &before[i], 0), ==, 0);
	}
	put(t.src, "content", "after");
	g_assert_cmpint(fchmodat(t.src, "mode", 0600, 0), ==, 0);
	const struct timespec times[2] = {{7, 7}, {7, 7}};
	g_assert_cmpint(utimensat(t.src, "time", times, 0), ==, 0);
	bool is_root = geteuid() == 0;
	if (is_root)
		g_assert_cmpint(fchownat(t.src, "owner", 5, 6, 0), ==, 0);
	unlinkat(t.src, "hard", 0);
	make_hard_link(t.src, "content", "hard");
	unlinkat(t.src, "gone", 0);
	assert_sync(&t, NULL, plain,
		    is_root ? "M:content R:gone M:hard M:mode M:owner U:same M:time"
			    : "M:content R:gone M:hard M:mode U:owner U:same M:time");
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		assert_file(other, names[i], "before");
		g_assert_cmpint(fstatat(other, names[i], &after, 0), ==, 0);
		g_assert_cmpuint(after.st_ino, ==, before[i].st_ino);
		g_assert_cmpint(after.st_mode, ==, before[i].st_mode);
		g_assert_cmpint(after.st_uid, ==, before[i].st_uid);
		g_assert_cmpint(after.st_mtim.tv_sec, ==, before[i].st_mtim.tv_sec);
		g_assert_cmpint(after.st_nlink, ==, strcmp(names[i], "same") == 0 || (!is_root && i == 3) ? 2 : 1);
		unlinkat(other, names[i], 0);
	}
	unlinkat(t.src, "../other", AT_REMOVEDIR);
	trees_clear(&t);
}

static void test_merge(void)
{
	struct trees t;
	trees_init(&t);
	put(t.src, "both", "new");
	mkdirat(t.src, "dir", 0755);
	put(t.src, "dir/f", "f");
	put(t.dst, "both", "old");
	put(t.dst, "kept", "kept");
	mkdirat(t.dst, "outside", 0755);
	make_link("outside", t.dst, "dir"); /* must be replaced, not followed */
	assert_sync(&t, NULL, (struct fssync_receive_options){.merge = true}, "M:both M:dir A:dir/f");
	assert_file(t.dst, "both", "new");
	assert_file(t.dst, "kept", "kept");
	assert_file(t.dst, "dir/f", "f");
	assert_file(t.dst, "outside/f", NULL);
	assert_sync(&t, NULL, (struct fssync_receive_options){.merge = true}, "M:both M:dir M:dir/f");
	trees_clear(&t);
}

static void test_filters(void)
{
	struct trees t;
	trees_init(&t);
	mkdirat(t.src, "node_modules", 0755);
	put(t.src, "node_modules/x", "x");
	mkdirat(t.src, "src", 0755);
	put(t.src, "src/a.c", "a");
	put(t.src, "src/a.o", "o");
	mkdirat(t.src, "src/deep", 0755);
	put(t.src, "src/deep/keep", "k");
	put(t.src, "src/deep/drop", "d");
	make_link("src/deep", t.src, "alias");
	const char *exclude[] = {"node_modules", "**/*.o", "src/deep", "!src/deep/keep", NULL};
	assert_sync(&t, &(struct fssync_filter){.exclude = exclude}, plain,
		    "A:alias A:src A:src/a.c A:src/deep A:src/deep/keep");
	const char *include[] = {"src/*.c", NULL};
	assert_sync(&t, &(struct fssync_filter){.include = include}, plain, "R:alias U:src U:src/a.c R:src/deep");
	const char *follow[] = {"alias/keep", NULL};
	assert_sync(&t, &(struct fssync_filter){.follow = follow}, plain,
		    "A:alias U:src R:src/a.c A:src/deep A:src/deep/keep");
	const char *stars[] = {"*ias", NULL};
	assert_sync(&t, &(struct fssync_filter){.follow = stars}, plain,
		    "U:alias U:src U:src/deep A:src/deep/drop U:src/deep/keep");
	trees_clear(&t);
}

/* The first member of a link set is excluded: the next one becomes the file. */
static void test_hard_link_reset(void)
{
	struct trees t;
	trees_init(&t);
	put(t.src, "a", "linked");
	make_hard_link(t.src, "a", "b");
	make_hard_link(t.src, "a", "c");
	const char *exclude[] = {"a", NULL};
	assert_sync(&t, &(struct fssync_filter){.exclude = exclude}, plain, "A:b A:c");
	assert_file(t.dst, "b", "linked");
	assert_file(t.dst, "c", "linked");
	/* Replaced while linked: the link waits for the new file. */
	put(t.src, "b", "replaced");
	unlinkat(t.src, "c", 0);
	make_hard_link(t.src, "b", "c");
	assert_sync(&t, &(struct fssync_filter){.exclude = exclude}, plain, "M:b M:c");
	assert_file(t.dst, "c", "replaced");
	trees_clear(&t);
}

static void test_many(void)
{
	struct trees t;
	trees_init(&t);
	g_autofree char *big = g_strnfill(3000, 'x');
	for (int d = 0; d < 10; d++) {
		g_autofree char *dir = g_strdup_printf("dir%d", d);
		mkdirat(t.src, dir, 0755);
		for (int f = 0; f < 300; f++) {
			g_autofree char *path = g_strdup_printf("dir%d/file%d", d, f);
			put(t.src, path, f % 10 ? "small" : big);
		}
	}
	g_free(sync_with(&t, NULL, plain));
	assert_file(t.dst, "dir9/file299", "small");
	assert_file(t.dst, "dir5/file100", big);
	trees_clear(&t);
}

static void test_roots(void)
{
	struct trees t;
	trees_init(&t);
	put(t.src, "f", "text");
	make_hard_link(t.src, "f", "g");
	make_link("/f", t.src, "abs");
	struct pair *pair = pair_new(1000);
	struct fssync_root roots[] = {{t.src, "linux_amd64", 0755}, {t.src, "linux_arm64", 0755}};
	struct sending sending = {.pair = pair, .roots = roots, .n_roots = 2};
	struct fssync_receive_options options = {.merge = true, .as_root = geteuid() == 0};
	GThread *thread = g_thread_new("send", send_thread, &sending);
	assert_succeeds(fssync_receive(&pair->b, t.dst, &options, NULL, &failure));
	g_thread_join(thread);
	assert_file(t.dst, "linux_amd64/f", "text");
	assert_file(t.dst, "linux_arm64/g", "text");
	char target[40] = "";
	g_assert_cmpint(readlinkat(t.dst, "linux_arm64/abs", target, sizeof(target)), >, 0);
	g_assert_cmpstr(target, ==, "/linux_arm64/f");
	pair_free(pair);
	trees_clear(&t);
}

static void test_xattrs(void)
{
	struct trees t;
	trees_init(&t);
	put(t.src, "f", "text");
	g_autofree char *from = g_build_filename(t.dir, "src", "f", NULL),
			*to = g_build_filename(t.dir, "dst", "f", NULL);
	if (setxattr(from, "user.test", "value", 5, 0) < 0) {
		g_test_skip("no user xattrs here");
	} else {
		char value[16] = "";
		g_free(sync_with(&t, NULL, plain));
		g_assert_cmpint(getxattr(to, "user.test", value, sizeof(value)), ==, 5);
		g_assert_cmpstr(value, ==, "value");
	}
	trees_clear(&t);
}

static void test_errors_travel(void)
{
	struct trees t;
	trees_init(&t);
	put(t.src, "f", "text");
	const char *exclude[] = {"[", NULL};
	struct fssync_filter filter = {.exclude = exclude};
	struct pair *pair = pair_new(1000);
	struct fssync_root root = {.fd = t.src, .name = ""};
	struct sending sending = {.pair = pair, .roots = &root, .n_roots = 1, .filter = &filter};
	g_autoptr(GError) error = NULL;
	GThread *thread = g_thread_new("send", send_thread, &sending);
	g_assert_false(fssync_receive(&pair->b, t.dst, &plain, NULL, &error));
	pair_abort(pair->b.data);
	g_thread_join(thread);
	g_assert_cmpstr(error->message, ==, "error from sender: invalid excludepatterns: [[]: syntax error in pattern");
	g_assert_cmpstr(sending.error->message, ==, "invalid excludepatterns: [[]: syntax error in pattern");
	g_clear_error(&sending.error);
	pair_free(pair);
	trees_clear(&t);
}

static void set_cancel(void *data)
{
	cancel_set(data, ERROR_CANCELED, NULL);
}

static void *cancel_later(void *data)
{
	/* A later moment than that at which the receiver begins to wait, which nothing reports: time itself. */
	g_usleep(50000);
	set_cancel(data);
	return NULL;
}

static void test_cancel(void)
{
	struct trees t;
	trees_init(&t);
	struct pair *pair = pair_new(1000);
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autoptr(GError) error = NULL;
	GThread *thread = g_thread_new("cancel", cancel_later, c);
	g_assert_false(fssync_receive(&pair->b, t.dst, &plain, c, &error));
	g_assert_cmpstr(error->message, ==, "context canceled");
	g_thread_join(thread);
	pair_free(pair);
	trees_clear(&t);
}

/* A file that has another type when it is requested: an error, never an empty file. */
static bool turn_into_directory(void *data, struct fssync_stat *stat)
{
	const struct trees *t = data;
	if (strcmp(stat->path, "turned") == 0) {
		g_assert_cmpint(unlinkat(t->src, "turned", 0), ==, 0);
		g_assert_cmpint(mkdirat(t->src, "turned", 0755), ==, 0);
	}
	return true;
}

static void test_turned_file(void)
{
	struct trees t;
	trees_init(&t);
	put(t.src, "turned", "content");
	struct pair *pair = pair_new(1000);
	struct fssync_root root = {.fd = t.src, .name = ""};
	struct fssync_send_options options = {.map = turn_into_directory, .map_data = &t};
	struct sending sending = {.pair = pair, .roots = &root, .n_roots = 1, .options = &options};
	g_autoptr(GError) error = NULL;
	GThread *thread = g_thread_new("send", send_thread, &sending);
	g_assert_false(fssync_receive(&pair->b, t.dst, &plain, NULL, &error));
	g_thread_join(thread);
	g_assert_cmpstr(error->message, ==, "error from sender: open turned: no longer a regular file");
	g_assert_nonnull(sending.error);
	g_clear_error(&sending.error);
	pair_free(pair);
	trees_clear(&t);
}

/* Both sides walk deeper than the limit of open files. */
static void test_few_fds(void)
{
	struct trees t;
	struct rlimit before, few;
	trees_init(&t);
	scoped_fd at = fcntl(t.src, F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 300; i++) {
		g_assert_cmpint(mkdirat(at, "d", 0755), ==, 0);
		int next = openat(at, "d", O_RDONLY | O_DIRECTORY);
		put(at, "file", "before the directory is left");
		put(at, "z", "after");
		close(at);
		at = next;
	}
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &few);
	g_autofree char *changes = sync_with(&t, NULL, plain), *again = sync_with(&t, NULL, plain);
	setrlimit(RLIMIT_NOFILE, &before);
	g_assert_null(strstr(again, "A:"));
	g_assert_null(strstr(again, "M:"));
	assert_file(t.dst, "d/d/d/d/d/d/d/d/d/d/d/d/z", "after");
	trees_clear(&t);
}

/* A socket is sent as an empty file. */
static void test_socket(void)
{
	struct trees t;
	trees_init(&t);
	g_assert_cmpint(mknodat(t.src, "socket", S_IFSOCK | 0600, 0), ==, 0);
	assert_sync(&t, NULL, plain, "A:socket");
	assert_file(t.dst, "socket", "");
	trees_clear(&t);
}

/* ---- metadata only */

static bool is_numbered(void *data, const char *path)
{
	return g_str_has_suffix(path, "1") || strcmp(path, "foo") == 0 || strcmp(path, "wanted") == 0;
}

/* The paths of the file of announcements, joined by blanks. */
static char *announced_paths(int dir)
{
	GString *paths = g_string_new(NULL);
	scoped_fd fd = openat(dir, FSSYNC_METADATA_NAME, O_RDONLY | O_NOFOLLOW);
	uint8_t bytes[4096];
	ssize_t n = read(fd, bytes, sizeof bytes);
	g_assert_cmpint(n, >=, 0);
	for (ssize_t at = 0; at < n;) {
		uint32_t length = bytes[at] | (uint32_t)bytes[at + 1] << 8;
		struct fssync_stat stat = {0};
		assert_succeeds(stat_decode((struct slice){bytes + at + 4, length}, &stat, &failure));
		g_string_append_printf(paths, "%s%s", at ? " " : "", stat.path);
		fssync_stat_clear(&stat);
		at += 4 + length;
	}
	return g_string_free(paths, FALSE);
}

static void test_metadata_only(void)
{
	static const struct fssync_receive_options some = {.metadata_only = true, .wanted = is_numbered},
						   none = {.metadata_only = true};
	struct trees t;
	trees_init(&t);
	mkdirat(t.src, "dir", 0700);
	mkdirat(t.src, "dir/sub", 0700);
	mkdirat(t.src, "dir/sub2", 0700);
	mkdirat(t.src, "wanted", 0700);
	put(t.src, "data", "data");
	put(t.src, "dir/file1", "file1");
	put(t.src, "dir/file2", "file2");
	put(t.src, "dir/sub/bar1", "bar1");
	put(t.src, "dir/sub2/bar2", "bar2");
	put(t.src, "foo", "foo");
	put(t.src, "wanted/x", "x");
	put(t.src, FSSYNC_METADATA_NAME, "a name that is not transferred");
	const char *all =
		"data dir dir/file1 dir/file2 dir/sub dir/sub/bar1 dir/sub2 dir/sub2/bar2 foo wanted wanted/x";
	assert_sync(&t, NULL, some,
		    "A:dir A:dir/file1 A:dir/sub A:dir/sub/bar1 A:foo A:wanted A:" FSSYNC_METADATA_NAME);
	g_autofree char *first = announced_paths(t.dst);
	g_assert_cmpstr(first, ==, all);
	assert_file(t.dst, "dir/file1", "file1");
	assert_file(t.dst, "dir/sub/bar1", "bar1");
	assert_file(t.dst, "data", NULL);
	struct stat st;
	g_assert_cmpint(fstatat(t.dst, FSSYNC_METADATA_NAME, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	g_assert_cmpint(st.st_mode, ==, S_IFREG | 0644);

	/* Again, after changes: what is not wanted any more goes; the file of announcements is written anew. */
	assert_succeeds(tree_remove_at(t.src, "dir/sub", &failure));
	put(t.src, "dir/file1", "file1-updated");
	assert_sync(&t, NULL, some,
		    "R:" FSSYNC_METADATA_NAME " U:dir M:dir/file1 R:dir/sub U:foo U:wanted A:" FSSYNC_METADATA_NAME);
	assert_file(t.dst, "dir/file1", "file1-updated");
	assert_sync(&t, NULL, none, "R:" FSSYNC_METADATA_NAME " R:dir R:foo R:wanted A:" FSSYNC_METADATA_NAME);
	g_autofree char *last = announced_paths(t.dst);
	g_assert_cmpstr(last, ==, "data dir dir/file1 dir/file2 dir/sub2 dir/sub2/bar2 foo wanted wanted/x");
	trees_clear(&t);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fssync/first-and-again", test_first_and_again);
	g_test_add_func("/fssync/linked", test_linked);
	g_test_add_func("/fssync/hash", test_hash);
	g_test_add_func("/fssync/changes", test_changes);
	g_test_add_func("/fssync/merge", test_merge);
	g_test_add_func("/fssync/filters", test_filters);
	g_test_add_func("/fssync/hard-link-reset", test_hard_link_reset);
	g_test_add_func("/fssync/many", test_many);
	g_test_add_func("/fssync/roots", test_roots);
	g_test_add_func("/fssync/xattrs", test_xattrs);
	g_test_add_func("/fssync/errors-travel", test_errors_travel);
	g_test_add_func("/fssync/cancel", test_cancel);
	g_test_add_func("/fssync/turned-file", test_turned_file);
	g_test_add_func("/fssync/socket", test_socket);
	g_test_add_func("/fssync/few-fds", test_few_fds);
	g_test_add_func("/fssync/metadata-only", test_metadata_only);
	return g_test_run();
}
