/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "base/scope.h"
#include "worker/files.h"

static int open_root(bridge *b, bridge_ref *ref, struct work *work, GError **error)
{
	cache_ref *result;
	if (!build_ref_result(b, ref, work, &result, error))
		return -1;
	return cache_ref_open_tree(builder_worker(build_of_bridge(b)->builder)->cache, result, CACHE_TREE_READ, work,
				   error);
}

GBytes *build_read_file(bridge *b, bridge_ref *ref, const char *path, int64_t offset, int64_t length, struct work *work,
			GError **error)
{
	scoped_fd root_fd = open_root(b, ref, work, error);
	return root_fd < 0 ? NULL : files_read(root_fd, path, offset, length, error);
}

GPtrArray *build_read_dir(bridge *b, bridge_ref *ref, const char *path, const char *include, struct work *work,
			  GError **error)
{
	scoped_fd root_fd = open_root(b, ref, work, error);
	return root_fd < 0 ? NULL : files_list(root_fd, path, include, error);
}

bool build_stat_file(bridge *b, bridge_ref *ref, const char *path, struct work *work, struct fssync_stat *ret,
		     GError **error)
{
	scoped_fd root_fd = open_root(b, ref, work, error);
	return root_fd >= 0 && files_stat(root_fd, path, true, ret, error);
}
