/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/scope.h"
#include "build_options.h"
#include "client/policy_json.h"
#include "format/gotype.h"
#include <fcntl.h>
#include <unistd.h>

/* Reads at most one byte more than the size limit of a policy, so that a longer file is detected. */
static GByteArray *read_file(const char *path, GError **error)
{
	scoped_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	guint8 chunk[16384];
	ssize_t n = fd < 0 ? -1 : 1;
	while (n > 0 && bytes->len <= LIMIT_POLICY_BYTES) {
		n = read(fd, chunk, sizeof chunk);
		if (n > 0)
			g_byte_array_append(bytes, chunk, (guint)n);
	}
	if (n >= 0)
		return g_steal_pointer(&bytes);
	return error_null_errno(error, errno, "%s %s", fd < 0 ? "open" : "read", path);
}

bool build_policy_read(struct build_options *o, const flags *f, GError **error)
{
	const char *path = flags_string(f, "source-policy-file");
	if (!*path)
		return true;
	g_autoptr(GByteArray) bytes = read_file(path, error);
	if (!bytes)
		return false;
	o->source_policy = policy_json_read(bytes->data, bytes->len, error);
	g_autofree char *quoted = go_quote(path);
	if (!o->source_policy)
		g_prefix_error(error, "failed to unmarshal source-policy-file %s: ", quoted);
	return o->source_policy != NULL;
}
