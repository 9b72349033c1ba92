/* SPDX-License-Identifier: Apache-2.0 */
/* Any stream, in every mode: nothing outside the root changes, and there is no sanitizer report. */
#include "snapshot/apply.h"
#include "base/scope.h"
#include "os/tree.h"
#include <fcntl.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct source {
	const uint8_t *bytes;
	size_t n;
};

static ssize_t next(void *data, void *buffer, size_t n, GError **error)
{
	struct source *s = data;
	size_t take = MIN(n, s->n);
	if (take > 0)
		memcpy(buffer, s->bytes, take);
	s->bytes += take;
	s->n -= take;
	return (ssize_t)take;
}

static void run(int top, const uint8_t *bytes, size_t n, enum apply_mode mode)
{
	g_assert_cmpint(mkdirat(top, "root", 0700), ==, 0);
	scoped_fd root = openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct source s = {bytes, n};
	const struct apply_options options = {.mode = mode};
	struct apply_result result;
	g_autoptr(GError) error = NULL;
	g_assert_true(apply_stream(next, &s, root, &options, &result, &error) == !error);
	int64_t used, inodes;
	g_assert_true(tree_remove_at(top, "root", NULL));
	g_assert_true(tree_usage(top, &used, &inodes, NULL));
	g_assert_cmpint(inodes, ==, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autofree char *top = g_dir_make_tmp("apply-fuzz-XXXXXX", NULL);
	scoped_fd fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	run(fd, bytes, n, APPLY_NATIVE);
	run(fd, bytes, n, APPLY_OVERLAY);
	run(fd, bytes, n, APPLY_ARCHIVE);
	tree_remove_at(AT_FDCWD, top, NULL);
	return 0;
}
