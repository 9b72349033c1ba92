/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/header_filter.h"
#include "base/limits.h"
#include <string.h>

#define HEAD_BYTES 9
#define VALUE_BYTES_MAX 65536 /* nghttp2's NGHTTP2_HD_MAX_NV */
#define BLOCK_BYTES_MAX MIB(16)
#define BLOCK_FRAMES_MAX 4096
#define FRAME_PAYLOAD 16384 /* every peer accepts that much */

enum { TYPE_HEADERS = 1, TYPE_CONTINUATION = 9 };
enum { FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4, FLAG_PADDED = 8, FLAG_PRIORITY = 0x20 };

struct header_filter {
	uint8_t head[HEAD_BYTES];
	size_t n_head;     /* bytes of the frame header received so far */
	size_t left;       /* rest of the frame's payload */
	bool collecting;   /* a header block that may need rewriting */
	guint frames;      /* number of its frames */
	GByteArray *raw;   /* owned: its frames as received */
	GByteArray *block; /* owned: their fragments */
	size_t payload_at; /* of the current frame, in raw */
	uint8_t stream[4], end_stream;
};

header_filter *header_filter_new(void)
{
	header_filter *f = g_new0(header_filter, 1);
	f->raw = g_byte_array_new();
	f->block = g_byte_array_new();
	return f;
}

void header_filter_free(header_filter *f)
{
	if (!f)
		return;
	g_byte_array_unref(f->raw);
	g_byte_array_unref(f->block);
	g_free(f);
}

/* ---- HPACK: only the lengths of fields */

struct block {
	const uint8_t *bytes;
	size_t n, at;
};

/* Decodes an integer whose first byte contains `bits` bits of it. */
static bool take_integer(struct block *b, unsigned bits, size_t *ret)
{
	uint8_t mask = (uint8_t)((1u << bits) - 1);
	if (b->at >= b->n)
		return false;
	size_t value = b->bytes[b->at++] & mask;
	for (unsigned shift = 0; value >= mask || shift > 0; shift += 7) {
		if (b->at >= b->n || shift > 28)
			return false;
		uint8_t byte = b->bytes[b->at++];
		value += (size_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			break;
	}
	*ret = value;
	return true;
}

static bool take_string(struct block *b, size_t *ret_n)
{
	if (!take_integer(b, 7, ret_n) || *ret_n > b->n - b->at)
		return false;
	b->at += *ret_n;
	return true;
}

/* Parses one field or table size; *ret_drop: it does not change the table and its value is too long. */
static bool take_field(struct block *b, bool *ret_drop)
{
	uint8_t first = b->at < b->n ? b->bytes[b->at] : 0;
	size_t index, n_name, n_value;
	*ret_drop = false;
	if (first & 0x80)
		return take_integer(b, 7, &index);
	if ((first & 0xe0) == 0x20)
		return take_integer(b, 5, &index);
	bool indexing = (first & 0xc0) == 0x40;
	if (!take_integer(b, indexing ? 6 : 4, &index) || (index == 0 && !take_string(b, &n_name)) ||
	    !take_string(b, &n_value))
		return false;
	*ret_drop = !indexing && n_value > VALUE_BYTES_MAX;
	return true;
}

/* Returns the block without overlong fields; NULL: it is damaged, or needs no change. */
static GByteArray *block_shorten(const GByteArray *block)
{
	struct block b = {block->data, block->len, 0};
	g_autoptr(GByteArray) out = g_byte_array_new();
	while (b.at < b.n) {
		size_t start = b.at;
		bool drop;
		if (!take_field(&b, &drop))
			return NULL;
		if (!drop)
			g_byte_array_append(out, b.bytes + start, (guint)(b.at - start));
	}
	return out->len < block->len ? g_steal_pointer(&out) : NULL;
}

/* ---- frames */

static bool emit(const header_filter *f, const GByteArray *block, header_sink_fn sink, void *data, GError **error)
{
	size_t at = 0;
	do {
		size_t n = MIN(block->len - at, FRAME_PAYLOAD);
		bool first = at == 0, last = at + n == block->len;
		uint8_t head[HEAD_BYTES] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n,
					    first ? TYPE_HEADERS : TYPE_CONTINUATION,
					    (uint8_t)((first ? f->end_stream : 0) | (last ? FLAG_END_HEADERS : 0))};
		memcpy(head + 5, f->stream, sizeof f->stream);
		if (!sink(data, head, sizeof head, error) || !sink(data, block->data + at, n, error))
			return false;
		at += n;
	} while (at < block->len);
	return true;
}

static bool collect_end(header_filter *f, header_sink_fn sink, void *data, GError **error)
{
	g_autoptr(GByteArray) shorter = f->block->len > VALUE_BYTES_MAX ? block_shorten(f->block) : NULL;
	bool ok = shorter ? emit(f, shorter, sink, data, error) : sink(data, f->raw->data, f->raw->len, error);
	f->collecting = false;
	g_byte_array_set_size(f->raw, 0);
	g_byte_array_set_size(f->block, 0);
	return ok;
}

/* The payload of a frame of the block is complete. Another frame type is passed on: the session refuses it. */
static bool collect_frame(header_filter *f, header_sink_fn sink, void *data, GError **error)
{
	const uint8_t *payload = f->raw->data + f->payload_at;
	size_t n = f->raw->len - f->payload_at, skip = 0, padding = 0;
	uint8_t type = f->head[3], flags = f->head[4];
	if (type == TYPE_HEADERS && (flags & FLAG_PADDED) && n > 0) {
		padding = payload[0];
		skip = 1;
	}
	if (type == TYPE_HEADERS && (flags & FLAG_PRIORITY))
		skip += 5;
	f->n_head = 0;
	if ((f->frames > 1 && type != TYPE_CONTINUATION) || skip + padding > n) {
		g_byte_array_set_size(f->block, 0);
		return collect_end(f, sink, data, error);
	}
	g_byte_array_append(f->block, payload + skip, (guint)(n - skip - padding));
	return !(flags & FLAG_END_HEADERS) || collect_end(f, sink, data, error);
}

/* The header of a frame is complete. */
static bool frame_begin(header_filter *f, header_sink_fn sink, void *data, GError **error)
{
	const uint8_t *h = f->head;
	f->left = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
	if (!f->collecting && h[3] == TYPE_HEADERS && (!(h[4] & FLAG_END_HEADERS) || f->left > VALUE_BYTES_MAX)) {
		f->collecting = true;
		f->frames = 0;
		f->end_stream = h[4] & FLAG_END_STREAM;
		memcpy(f->stream, h + 5, sizeof f->stream);
	}
	if (!f->collecting) {
		if (f->left == 0)
			f->n_head = 0;
		return sink(data, h, HEAD_BYTES, error);
	}
	if (++f->frames > BLOCK_FRAMES_MAX || f->raw->len + f->left > (size_t)BLOCK_BYTES_MAX)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "header block is larger than %lld bytes or %d frames",
				 BLOCK_BYTES_MAX, BLOCK_FRAMES_MAX);
	g_byte_array_append(f->raw, h, HEAD_BYTES);
	f->payload_at = f->raw->len;
	return f->left > 0 || collect_frame(f, sink, data, error);
}

bool header_filter_pass(header_filter *f, const uint8_t *bytes, size_t n, header_sink_fn sink, void *data,
			GError **error)
{
	while (n > 0) {
		bool in_head = f->n_head < HEAD_BYTES;
		size_t take = MIN(n, in_head ? HEAD_BYTES - f->n_head : f->left);
		if (in_head)
			memcpy(f->head + f->n_head, bytes, take);
		else if (f->collecting)
			g_byte_array_append(f->raw, bytes, (guint)take);
		else if (!sink(data, bytes, take, error))
			return false;
		bytes += take;
		n -= take;
		if (in_head) {
			f->n_head += take;
			if (f->n_head == HEAD_BYTES && !frame_begin(f, sink, data, error))
				return false;
			continue;
		}
		f->left -= take;
		if (f->left > 0)
			continue;
		if (f->collecting) {
			if (!collect_frame(f, sink, data, error))
				return false;
		} else {
			f->n_head = 0;
		}
	}
	return true;
}
