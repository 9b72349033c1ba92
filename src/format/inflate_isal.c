/* SPDX-License-Identifier: Apache-2.0 */
#include "format/inflate.h"
#include <isa-l/igzip_lib.h>

struct inflater {
	struct inflate_state state;
};

inflater *inflater_new(void)
{
	inflater *i = g_new0(inflater, 1);
	inflater_next_member(i);
	return i;
}

void inflater_free(inflater *i)
{
	g_free(i);
}

void inflater_next_member(inflater *i)
{
	isal_inflate_init(&i->state);
	i->state.crc_flag = ISAL_GZIP;
}

enum inflate_result inflater_run(inflater *i, struct slice *in, uint8_t *out, size_t out_bytes, size_t *ret_n_out)
{
	struct inflate_state *s = &i->state;
	s->next_in = (uint8_t *)(gpointer)in->ptr; /* not modified */
	s->avail_in = (uint32_t)in->len;
	s->next_out = out;
	s->avail_out = (uint32_t)out_bytes;
	int r = isal_inflate(s);
	in->ptr += in->len - s->avail_in;
	in->len = s->avail_in;
	*ret_n_out = out_bytes - s->avail_out;
	if (r == ISAL_INCORRECT_CHECKSUM)
		return INFLATE_BAD_CHECKSUM;
	if (r < 0)
		return s->block_state == ISAL_BLOCK_NEW_HDR ? INFLATE_BAD_HEADER : INFLATE_BAD_DATA;
	return s->block_state == ISAL_BLOCK_FINISH ? INFLATE_END : INFLATE_MORE;
}
