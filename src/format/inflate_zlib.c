/* SPDX-License-Identifier: Apache-2.0 */
#include "format/inflate.h"
#include <string.h>
#include <zlib.h>

enum { GZIP_WINDOW_BITS = 16 + MAX_WBITS };

struct inflater {
	z_stream stream;
};

inflater *inflater_new(void)
{
	inflater *i = g_new0(inflater, 1);
	if (inflateInit2(&i->stream, GZIP_WINDOW_BITS) != Z_OK)
		g_error("zlib: out of memory"); /* aborts like g_new */
	return i;
}

void inflater_free(inflater *i)
{
	if (i)
		inflateEnd(&i->stream);
	g_free(i);
}

void inflater_next_member(inflater *i)
{
	inflateReset(&i->stream);
}

/* zlib describes errors only by text. */
static enum inflate_result result_of(int r, const char *words)
{
	if (r == Z_STREAM_END)
		return INFLATE_END;
	if (r == Z_OK || r == Z_BUF_ERROR)
		return INFLATE_MORE;
	if (words && (strstr(words, "data check") || strstr(words, "length check")))
		return INFLATE_BAD_CHECKSUM;
	return words && strstr(words, "header") ? INFLATE_BAD_HEADER : INFLATE_BAD_DATA;
}

enum inflate_result inflater_run(inflater *i, struct slice *in, uint8_t *out, size_t out_bytes, size_t *ret_n_out)
{
	z_stream *s = &i->stream;
	s->next_in = (uint8_t *)(gpointer)in->ptr; /* not modified */
	s->avail_in = (uInt)in->len;
	s->next_out = out;
	s->avail_out = (uInt)out_bytes;
	int r = inflate(s, Z_NO_FLUSH);
	in->ptr += in->len - s->avail_in;
	in->len = s->avail_in;
	*ret_n_out = out_bytes - s->avail_out;
	return result_of(r, s->msg);
}
