/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tar_maker.h"
#include "lib/outcome.h"

struct maker_source {
	const GByteArray *bytes;
	size_t at, step;
};

bool maker_append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

GByteArray *maker_tar(const struct made_entry *entries, size_t n)
{
	GByteArray *out = g_byte_array_new();
	g_autoptr(tar_writer) w = tar_writer_new(maker_append, out);
	for (size_t i = 0; i < n; i++) {
		const struct made_entry *e = &entries[i];
		bool has_data = e->type == '0' && e->text;
		struct tar_xattr xattr = {e->xattr, e->xattr_value, e->xattr_value ? strlen(e->xattr_value) : 0};
		struct tar_entry h = {.name = e->name,
				      .type = e->type,
				      .mode = e->mode          ? e->mode
					      : e->type == '5' ? 0755
							       : 0644,
				      .uid = e->uid,
				      .gid = e->uid,
				      .mtime_s = 1000000000 + (int64_t)i,
				      .device_major = e->major,
				      .device_minor = e->minor,
				      .xattrs = &xattr,
				      .n_xattrs = e->xattr ? 1 : 0};
		if (has_data)
			h.size = (int64_t)strlen(e->text);
		else
			h.link = e->text;
		assert_succeeds(tar_writer_entry(w, &h, &failure));
		if (has_data)
			assert_succeeds(tar_writer_data(w, e->text, strlen(e->text), &failure));
	}
	assert_succeeds(tar_writer_finish(w, &failure));
	return out;
}

static ssize_t maker_read(void *data, void *buffer, size_t n, GError **error)
{
	struct maker_source *s = data;
	size_t take = MIN(MIN(n, s->step), s->bytes->len - s->at);
	if (take > 0)
		memcpy(buffer, s->bytes->data + s->at, take);
	s->at += take;
	return (ssize_t)take;
}

bool maker_apply(const GByteArray *tar, int root_fd, const struct apply_options *options, struct apply_result *result,
		 GError **error)
{
	struct maker_source s = {tar, 0, 100000};
	struct apply_result unused;
	return apply_stream(maker_read, &s, root_fd, options, result ? result : &unused, error);
}
