/* SPDX-License-Identifier: Apache-2.0 */
/* Invalid packets, sent to both roles. */
#include "lib/fssync_pair.h"
#include "base/scope.h"
#include "fssync/packet.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct script {
	const char *path, *link; /* path NULL: end */
	uint32_t mode;
};

static void send_stat(struct fssync_channel *c, const struct script *s)
{
	struct fssync_stat stat = {
		.path = (char *)s->path, .linkname = (char *)(s->link ? s->link : ""), .mode = s->mode};
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	packet_append_stat(bytes, s->path ? &stat : NULL);
	g_assert_true(c->send(c->data, bytes->data, bytes->len, NULL, 0, NULL));
}

static void send_simple(struct fssync_channel *c, enum packet_type type, uint32_t id, const char *data)
{
	uint8_t head[PACKET_HEAD_SIZE];
	size_t n = packet_head(head, type, id, strlen(data));
	g_assert_true(c->send(c->data, head, n, data, strlen(data), NULL));
}

/* Ends the stream when the receiver reports an error. */
static void *close_on_error(void *data)
{
	struct fssync_channel *c = data;
	g_autoptr(GBytes) bytes = c->recv(c->data, NULL);
	c->close_send(c->data, NULL);
	return NULL;
}

/* Returns the error of a receiver that gets these entries; end: and then the end of the tree. */
static char *receive_script(const struct script *script, size_t n, bool end, int dst)
{
	struct pair *pair = pair_new(1 << 20);
	struct fssync_receive_options options = {0};
	g_autoptr(GError) error = NULL;
	for (size_t i = 0; i < n; i++)
		send_stat(&pair->a, &script[i]);
	if (end)
		pair->a.close_send(pair->a.data, NULL);
	GThread *thread = g_thread_new("peer", close_on_error, &pair->a);
	g_assert_false(fssync_receive(&pair->b, dst, &options, NULL, &error));
	pair_abort(pair->b.data);
	g_thread_join(thread);
	pair_free(pair);
	return g_strdup(error->message);
}

static int make_root(char **ret_dir)
{
	*ret_dir = g_dir_make_tmp("fssync-XXXXXX", NULL);
	return open(*ret_dir, O_RDONLY | O_DIRECTORY);
}

static void drop_root(int fd, char *dir)
{
	close(fd);
	assert_succeeds(tree_remove_at(AT_FDCWD, dir, &failure));
	g_free(dir);
}

#define D FSSYNC_MODE_DIR | 0755
#define L FSSYNC_MODE_SYMLINK | 0777

static void test_paths(void)
{
	static const struct {
		struct script script[3];
		const char *text;
	} table[] = {
		{{{"/abs", NULL, D}}, "absolute path /abs: invalid argument"},
		{{{"..", NULL, D}}, "escape check ..: invalid argument"},
		{{{"../x", NULL, D}}, "escape check ../x: invalid argument"},
		{{{"a//b", NULL, D}}, "unclean path a//b: invalid argument"},
		{{{"a/../b", NULL, D}}, "unclean path a/../b: invalid argument"},
		{{{"a/", NULL, D}}, "unclean path a/: invalid argument"},
		{{{"", NULL, D}}, "unclean path : invalid argument"},
		{{{"b", NULL, D}, {"a", NULL, D}}, "changes out of order: \"a\" \"b\""},
		{{{"b", NULL, D}, {"b", NULL, D}}, "changes out of order: \"b\" \"b\""},
		{{{"a/b", NULL, D}}, "changes out of order: \"a/b\" \"\""},
		{{{"l", "/etc", L}, {"l/passwd", NULL, D}}, "changes out of order: \"l/passwd\" \"l\""},
		{{{"h", "nowhere", 0644}}, "invalid link h to unknown path: \"nowhere\""},
		{{{"x", NULL, FSSYNC_MODE_IRREGULAR}}, "invalid file mode 2000000 of x"},
		{{{"s", "t", L}, {"t", "s", 0644}}, "invalid link t to unknown path: \"s\""},
		{{{"d", NULL, D}}, "EOF"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		char *dir;
		int fd = make_root(&dir);
		size_t n = table[i].script[1].path ? 2 : 1;
		g_autofree char *text = receive_script(table[i].script, n, strcmp(table[i].text, "EOF") == 0, fd);
		g_assert_cmpstr(text, ==, table[i].text);
		drop_root(fd, dir);
	}
}

static void test_data(void)
{
	char *dir;
	int fd = make_root(&dir);
	struct pair *pair = pair_new(1 << 20);
	struct fssync_receive_options options = {0};
	g_autoptr(GError) error = NULL;
	send_simple(&pair->a, PACKET_DATA, 7, "data");
	pair->a.close_send(pair->a.data, NULL);
	g_assert_false(fssync_receive(&pair->b, fd, &options, NULL, &error));
	g_assert_cmpstr(error->message, ==, "invalid file request 7");
	pair_free(pair);
	g_clear_error(&error);

	pair = pair_new(1 << 20);
	send_simple(&pair->a, PACKET_FIN, 0, "");
	g_assert_false(fssync_receive(&pair->b, fd, &options, NULL, &error));
	g_assert_cmpstr(error->message, ==, "transfer ended early");
	pair_free(pair);
	g_clear_error(&error);

	pair = pair_new(1 << 20);
	g_assert_true(pair->a.send(pair->a.data, "\x12\x7f", 2, NULL, 0, NULL));
	g_assert_false(fssync_receive(&pair->b, fd, &options, NULL, &error));
	g_assert_cmpstr(error->message, ==, "malformed packet in transfer");
	pair_free(pair);
	drop_root(fd, dir);
}

/* A receiver that requests files that were not announced, or twice. */
static void test_requests(void)
{
	static const uint32_t ids[][2] = {{5, 5}, {0, 0}};
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		char *dir;
		int fd = make_root(&dir);
		scoped_fd file = openat(fd, "f", O_WRONLY | O_CREAT, 0644);
		struct fssync_root root = {.fd = fd, .name = ""};
		struct pair *pair = pair_new(1 << 20);
		g_autoptr(GError) error = NULL;
		/* Requests after a short delay, when the walk is done. */
		for (int k = 0; k < 2; k++)
			send_simple(&pair->b, PACKET_REQ, ids[i][k], "");
		pair->b.close_send(pair->b.data, NULL);
		g_assert_false(fssync_send(&pair->a, &root, 1, NULL, NULL, NULL, &error));
		g_assert_true(g_str_has_prefix(error->message, "invalid file id "));
		pair_free(pair);
		drop_root(fd, dir);
	}
}

static void test_codec(void)
{
	struct fssync_xattr xattr = {(char *)"user.a", (void *)"v", 1};
	struct fssync_stat stat = {.path = (char *)"dir/\xff",
				   .mode = FSSYNC_MODE_DIR | 0755,
				   .uid = 1000,
				   .gid = 5,
				   .size = 1LL << 40,
				   .mtime_ns = -5,
				   .linkname = (char *)"x",
				   .devmajor = 3,
				   .devminor = 4,
				   .xattrs = &xattr,
				   .n_xattrs = 1};
	struct fssync_stat back;
	struct packet p;
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	packet_append_stat(bytes, &stat);
	assert_succeeds(packet_decode(bytes->data, bytes->len, &p, &failure));
	g_assert_true(p.has_stat && p.type == PACKET_STAT);
	assert_succeeds(stat_decode(p.stat, &back, &failure));
	g_assert_cmpstr(back.path, ==, stat.path);
	g_assert_cmpint(back.mtime_ns, ==, -5);
	g_assert_cmpint(back.size, ==, 1LL << 40);
	g_assert_cmpstr(back.xattrs[0].name, ==, "user.a");
	g_assert_cmpmem(back.xattrs[0].value, back.xattrs[0].len, "v", 1);
	fssync_stat_clear(&back);
	static const mode_t modes[] = {S_IFREG | 06755, S_IFDIR | 01777, S_IFLNK | 0777,
				       S_IFBLK | 0600,  S_IFCHR | 0620,  S_IFIFO};
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++)
		g_assert_cmpuint(fssync_mode_to_st(fssync_mode_from_st(modes[i])), ==, modes[i]);
}

static bool want_all(void *data, const char *path)
{
	return strchr(path, 'w') != NULL;
}

/* Transfers of metadata only check the paths of entries that are not created, too. */
static void test_metadata_only(void)
{
	static const struct {
		struct script script[3];
		const char *text;
	} table[] = {
		{{{"../x", NULL, 0644}}, "escape check ../x: invalid argument"},
		{{{"/x", NULL, 0644}}, "absolute path /x: invalid argument"},
		{{{"a", NULL, 0644}, {"a/w", NULL, 0644}}, "changes out of order: \"a/w\" \"a\""},
		{{{"a", NULL, D}, {"b/w", NULL, 0644}}, "changes out of order: \"b/w\" \"a\""},
		{{{"a", NULL, L}, {"a/w", NULL, 0644}}, "changes out of order: \"a/w\" \"a\""},
		{{{"b", NULL, 0644}, {"a", NULL, 0644}}, "changes out of order: \"a\" \"b\""},
		{{{"a", NULL, 0644}, {"a", NULL, D}}, "changes out of order: \"a\" \"a\""},
		{{{"a", NULL, D}, {"a/b", NULL, 0644}, {"a", NULL, D}}, "changes out of order: \"a\" \"a\""},
		{{{"a/b", NULL, 0644}}, "changes out of order: \"a/b\" \"\""},
		{{{".fsutil-metadata", NULL, 0644}, {".fsutil-metadata", NULL, D}},
		 "changes out of order: \".fsutil-metadata\" \".fsutil-metadata\""},
		{{{"a", "../x", 0644}}, "invalid link a to unknown path: \"../x\""},
		{{{"a", NULL, 0644}, {"w", "a", 0644}}, "invalid link w to unknown path: \"a\""},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		char *dir;
		int dst = make_root(&dir);
		struct pair *pair = pair_new(1 << 20);
		struct fssync_receive_options options = {.metadata_only = true, .wanted = want_all};
		g_autoptr(GError) error = NULL;
		for (size_t k = 0; k < 3 && table[i].script[k].path; k++)
			send_stat(&pair->a, &table[i].script[k]);
		GThread *thread = g_thread_new("peer", close_on_error, &pair->a);
		g_assert_false(fssync_receive(&pair->b, dst, &options, NULL, &error));
		g_assert_cmpstr(error->message, ==, table[i].text);
		pair_abort(pair->b.data);
		g_thread_join(thread);
		pair_free(pair);
		drop_root(dst, dir);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fssync/hostile/paths", test_paths);
	g_test_add_func("/fssync/hostile/data", test_data);
	g_test_add_func("/fssync/hostile/requests", test_requests);
	g_test_add_func("/fssync/hostile/metadata-only", test_metadata_only);
	g_test_add_func("/fssync/codec", test_codec);
	return g_test_run();
}
