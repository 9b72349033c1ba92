/* SPDX-License-Identifier: Apache-2.0 */
#include "export/rewrite.h"
#include "base/limits.h"
#include "base/scope.h"
#include "export/tar_clamp.h"
#include "format/json_writer.h"
#include "oci/layer_writer.h"
#include "progress/progress.h"
#include <string.h>
#include <time.h>

#define COPY_BYTES MIB(1)
#define ANNOTATION "buildkit/rewritten-timestamp"

/* Stream: blob > decompressor > tar_clamp > layer_writer. */
static bool to_clamp(void *clamp, const void *bytes, size_t n, GError **error)
{
	return tar_clamp_write(clamp, bytes, n, error);
}

static bool blob_pump(int fd, int64_t left, decompressor *d, cancel *c, GError **error)
{
	g_autofree char *buffer = g_malloc(COPY_BYTES);
	for (;;) {
		if (!cancel_check(c, error))
			return false;
		ssize_t n = TEMP_FAILURE_RETRY(read(fd, buffer, (size_t)MIN(left, COPY_BYTES)));
		if (n < 0)
			return error_set_errno(error, errno, "read blob");
		if (n == 0)
			return decompressor_finish(d, error);
		left -= n;
		if (!decompressor_write(d, buffer, (size_t)n, error))
			return false;
	}
}

static oci_descriptor *stream(int fd, const oci_descriptor *from, const struct rewrite_options *o, cancel *c,
			      struct digest *ret_diff_id, GError **error)
{
	int64_t n = layer_tar_bytes(from, fd, error);
	g_autoptr(layer_writer) out = n < 0 ? NULL : layer_writer_new(o->blobs, o->compression, o->level, error);
	if (!out)
		return NULL;
	g_autoptr(tar_clamp) clamp = tar_clamp_new(o->epoch_s, layer_writer_write, out);
	g_autoptr(decompressor) in = decompressor_new(false, LIMIT_LAYER_BYTES, to_clamp, clamp);
	if (!blob_pump(fd, n, in, c, error) || !tar_clamp_finish(clamp, error) ||
	    !layer_writer_finish(out, NULL, error))
		return NULL;
	return cache_hold_layer(o->cache, out, o->holds, ret_diff_id, error);
}

static bool layer_rewrite(oci_layer *l, const struct rewrite_options *o, struct work *work, GError **error)
{
	GError *why = NULL;
	scoped_fd fd = blob_store_find_verified(o->blobs, &l->descriptor->digest, &why);
	if (fd < 0) {
		if (why)
			g_propagate_error(error, why);
		else
			error_set(error, ERROR_NOT_FOUND, "blob %s: not found", l->descriptor->digest.text);
		return false;
	}
	struct digest diff_id;
	oci_descriptor *d = stream(fd, l->descriptor, o, work->cancel, &diff_id, error);
	if (!d)
		return false;
	g_autofree char *epoch = g_strdup_printf("%" G_GINT64_FORMAT, o->epoch_s);
	oci_descriptor_annotate(d, ANNOTATION, epoch);
	oci_descriptor_free(l->descriptor);
	l->descriptor = d;
	l->diff_id = diff_id;
	return true;
}

/* Formats seconds like Go's time.Time.String in UTC. */
static char *go_time_text(int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm tm;
	char text[64] = "";
	if (gmtime_r(&when, &tm))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
	return g_strdup(text);
}

static bool is_base_layer(const json_t *diff_ids, guint i, const oci_layer *l)
{
	const char *text = json_string_value(json_array_get(diff_ids, i));
	return text && g_str_equal(text, l->diff_id.text);
}

bool rewrite_layers(GPtrArray *layers, const struct rewrite_options *o, struct work *work, GError **error)
{
	g_autofree char *when = go_time_text(o->epoch_s);
	g_autofree char *id =
		g_strdup_printf("rewriting layers with source-date-epoch %" G_GINT64_FORMAT " (%s)", o->epoch_s, when);
	g_autoptr(json_t) base = NULL;
	if (o->base)
		base = json_read(g_bytes_get_data(o->base, NULL), g_bytes_get_size(o->base), LIMIT_CONFIG_BYTES,
				 "base image config", NULL);
	const json_t *diff_ids = json_object_get(json_object_get(base, "rootfs"), "diff_ids");
	int64_t started_ns = 0;
	progress_status_start(work->progress, id, NULL, &started_ns);
	bool diverged = false;
	for (guint i = 0; i < layers->len; i++) {
		struct cache_layer_result *r = g_ptr_array_index(layers, i);
		diverged = diverged || !is_base_layer(diff_ids, i, r->layer);
		if (diverged && !layer_rewrite(r->layer, o, work, error))
			return false;
		if (diverged)
			g_clear_pointer(&r->provider, blob_provider_unref);
	}
	progress_status_end(work->progress, id, NULL, started_ns);
	return true;
}
