/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile sender: the input is a list of messages, each after its length (one byte; 255: the rest). The receiver may
 * fail, but must not access files outside its directory.
 */
#include "base/scope.h"
#include "fssync/fssync.h"
#include "os/tree.h"
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
	size_t n = *in->bytes;
	in->bytes++;
	in->n--;
	n = n == 255 ? in->n : MIN(n, in->n);
	GBytes *message = g_bytes_new(in->bytes, n);
	in->bytes += n;
	in->n -= n;
	return message;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static char *dir;
	if (!dir) {
		dir = g_dir_make_tmp("fuzz-fssync-XXXXXX", NULL);
		g_autofree char *link = g_build_filename(dir, "outside", NULL);
		g_assert(mkdir(link, 0700) == 0);
	}
	if (n == 0)
		return 0;
	g_autofree char *root = g_build_filename(dir, "root", NULL);
	if (mkdir(root, 0700) < 0)
		return 0;
	scoped_fd fd = open(root, O_RDONLY | O_DIRECTORY);
	(void)!symlinkat("../outside", fd, "link");
	struct input in = {bytes + 1, n - 1};
	struct fssync_channel channel = {.send = fuzz_send, .recv = fuzz_recv, .data = &in};
	struct fssync_receive_options options = {.merge = bytes[0] & 1,
						 .diff_none = bytes[0] & 2,
						 .set_owner = true,
						 .owner_uid = getuid(),
						 .owner_gid = getgid()};
	g_autoptr(GError) error = NULL;
	(void)fssync_receive(&channel, fd, &options, NULL, &error);
	g_autofree char *outside = g_build_filename(dir, "outside", NULL);
	g_autoptr(GDir) listing = g_dir_open(outside, 0, NULL);
	g_assert(listing && !g_dir_read_name(listing));
	tree_remove_at(AT_FDCWD, root, NULL);
	return 0;
}
