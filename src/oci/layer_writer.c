/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/layer_writer.h"
#include "base/limits.h"
#include "format/estargz.h"
#include <errno.h>
#include <unistd.h>

#define TABLE_DIGEST "containerd.io/snapshot/stargz/toc.digest"
#define PLAIN_BYTES "io.containers.estargz.uncompressed-size"

static const char *const media_types[] = {
	[COMPRESSION_NONE] = OCI_LAYER,
	[COMPRESSION_GZIP] = OCI_LAYER_GZIP,
	[COMPRESSION_ZSTD] = OCI_LAYER_ZSTD,
	[COMPRESSION_ESTARGZ] = OCI_LAYER_GZIP,
};

struct layer_writer {
	enum compression compression;
	hasher *plain; /* owned: hashes the uncompressed stream */
	uint64_t n_plain;
	compressor *stage;       /* owned; NULL: uncompressed, or estargz */
	estargz_writer *estargz; /* owned, or NULL */
	blob_writer *blob;       /* owned */
};

static bool write_blob(void *writer, const void *bytes, size_t n, GError **error)
{
	return blob_writer_append(((layer_writer *)writer)->blob, bytes, n, error);
}

layer_writer *layer_writer_new(blob_store *blobs, enum compression compression, int level, GError **error)
{
	g_autoptr(layer_writer) w = g_new0(layer_writer, 1);
	w->compression = compression;
	w->plain = hasher_new_sha256();
	w->blob = blob_store_write(blobs, NULL, LIMIT_LAYER_BYTES, error);
	bool ok = w->blob != NULL;
	if (ok && compression == COMPRESSION_ESTARGZ)
		ok = (w->estargz = estargz_writer_new(level, write_blob, w, error)) != NULL;
	else if (ok && compression != COMPRESSION_NONE)
		ok = (w->stage = compressor_new(compression, level, write_blob, w, error)) != NULL;
	return ok ? g_steal_pointer(&w) : NULL;
}

void layer_writer_free(layer_writer *w)
{
	if (!w)
		return;
	hasher_free(w->plain);
	compressor_free(w->stage);
	estargz_writer_free(w->estargz);
	blob_writer_free(w->blob);
	g_free(w);
}

static void count(layer_writer *w, const void *bytes, size_t n)
{
	hasher_update(w->plain, bytes, n);
	w->n_plain += n;
}

bool layer_writer_write(void *writer, const void *bytes, size_t n, GError **error)
{
	layer_writer *w = writer;
	count(w, bytes, n);
	if (w->estargz)
		return estargz_writer_write(w->estargz, bytes, n, error);
	return w->stage ? compressor_write(w->stage, bytes, n, error) : write_blob(w, bytes, n, error);
}

bool layer_writer_finish(layer_writer *w, struct digest *ret_tar, GError **error)
{
	if (ret_tar) {
		g_autoptr(hasher) tar = hasher_copy(w->plain);
		hasher_finish(tar, ret_tar);
	}
	if (w->stage)
		return compressor_finish(w->stage, error);
	if (!w->estargz)
		return true;
	if (!estargz_writer_finish(w->estargz, error))
		return false;
	const GString *tail = estargz_writer_tail(w->estargz);
	count(w, tail->str, tail->len);
	return true;
}

oci_descriptor *layer_writer_commit(layer_writer *w, struct digest *ret_diff_id, GError **error)
{
	struct digest digest;
	int64_t size = (int64_t)blob_writer_size(w->blob);
	if (!blob_writer_commit(w->blob, &digest, error))
		return NULL;
	hasher_finish(w->plain, ret_diff_id);
	oci_descriptor *d = oci_descriptor_new(media_types[w->compression], &digest, size);
	if (!w->estargz)
		return d;
	g_autofree char *n_plain = g_strdup_printf("%" G_GUINT64_FORMAT, w->n_plain);
	oci_descriptor_annotate(d, TABLE_DIGEST, estargz_writer_table_digest(w->estargz)->text);
	oci_descriptor_annotate(d, PLAIN_BYTES, n_plain);
	return d;
}

enum compression layer_compression(const oci_descriptor *d)
{
	if (g_str_has_suffix(d->media_type, "+gzip") || g_str_has_suffix(d->media_type, ".gzip"))
		return oci_descriptor_annotation(d, TABLE_DIGEST) ? COMPRESSION_ESTARGZ : COMPRESSION_GZIP;
	if (g_str_has_suffix(d->media_type, "+zstd") || g_str_has_suffix(d->media_type, ".zstd"))
		return COMPRESSION_ZSTD;
	return COMPRESSION_NONE;
}

int64_t layer_tar_bytes(const oci_descriptor *d, int fd, GError **error)
{
	uint8_t footer[ESTARGZ_FOOTER_BYTES];
	int64_t table_at, footer_at = d->size - (int64_t)sizeof footer;
	if (layer_compression(d) != COMPRESSION_ESTARGZ || footer_at < 0)
		return d->size;
	ssize_t n = TEMP_FAILURE_RETRY(pread(fd, footer, sizeof footer, footer_at));
	if (n < 0) {
		error_set_errno(error, errno, "read estargz footer");
		return -1;
	}
	bool has_table = n == sizeof footer && estargz_footer_read(footer, &table_at) && table_at < footer_at;
	return has_table ? table_at : d->size;
}
