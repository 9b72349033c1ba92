/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile receiver: patterns up to the first NUL (one per line; "+" includes, ">" follows, others exclude), then
 * messages, each after its length.
 */
#include "base/scope.h"
#include "fssync/fssync.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
	const uint8_t *bytes;
	size_t n;
};

static bool fuzz_send(void *data, const void *head, size_t n_head, const void *body, size_t n_body, GError **error)
{
	return true;
}

static GBytes *fuzz_recv(void *data, GError **error)
{
	struct input *in = data;
	if (in->n == 0)
		return NULL;
	size_t n = MIN((size_t)*in->bytes, in->n - 1);
	GBytes *message = g_bytes_new(in->bytes + 1, n);
	in->bytes += n + 1;
	in->n -= n + 1;
	return message;
}

static int make_tree(void)
{
	g_autofree char *dir = g_dir_make_tmp("fuzz-fssync-XXXXXX", NULL);
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	g_assert(fd >= 0 && mkdirat(fd, "dir", 0700) == 0 && symlinkat("dir/loop", fd, "link") == 0);
	g_assert(symlinkat("../link", fd, "dir/loop") == 0);
	scoped_fd file = openat(fd, "dir/file.c", O_WRONLY | O_CREAT, 0600);
	g_assert(write(file, "text", 4) == 4 && linkat(fd, "dir/file.c", fd, "hard", 0) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static int tree = -1;
	if (tree < 0)
		tree = make_tree();
	if (n > 4096)
		return 0;
	const uint8_t *nul = memchr(bytes, 0, n);
	size_t n_text = nul ? (size_t)(nul - bytes) : n;
	g_autofree char *text = g_strndup((const char *)bytes, n_text);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GPtrArray *lists[3] = {g_ptr_array_new(), g_ptr_array_new(), g_ptr_array_new()};
	for (char **line = lines; *line; line++)
		g_ptr_array_add(lists[**line == '+'   ? 0
				      : **line == '>' ? 1
						      : 2],
				*line + (**line == '+' || **line == '>'));
	for (int i = 0; i < 3; i++)
		g_ptr_array_add(lists[i], NULL);
	struct input in = {nul ? nul + 1 : bytes + n, nul ? n - n_text - 1 : 0};
	struct fssync_channel channel = {.send = fuzz_send, .recv = fuzz_recv, .data = &in};
	struct fssync_root root = {.fd = tree, .name = ""};
	struct fssync_filter filter = {.include = (const char *const *)lists[0]->pdata,
				       .follow = (const char *const *)lists[1]->pdata,
				       .exclude = (const char *const *)lists[2]->pdata};
	g_autoptr(GError) error = NULL;
	(void)fssync_send(&channel, &root, 1, &filter, NULL, NULL, &error);
	for (int i = 0; i < 3; i++)
		g_clear_pointer(&lists[i], g_ptr_array_unref);
	return 0;
}
