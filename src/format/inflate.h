/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate: decompresses gzip members, with ISA-L, or with zlib in a self-contained build (ISA-L has no static library).
 *
 *	inflater *i = inflater_new();
 *	while (in.len > 0)
 *		if (inflater_run(i, &in, out, sizeof out, &n_out) == INFLATE_END) inflater_next_member(i);
 *
 * Header and trailer of each member are parsed and checked. Thread: one at a time.
 */
#pragma once
#include "base/scope.h"

enum inflate_result { INFLATE_MORE, INFLATE_END, INFLATE_BAD_HEADER, INFLATE_BAD_DATA, INFLATE_BAD_CHECKSUM };
typedef struct inflater inflater;

inflater *inflater_new(void);
void inflater_free(inflater *i);
void inflater_next_member(inflater *i);
/* Consumes in and fills out until one of them or the member ends; advances in. */
enum inflate_result inflater_run(inflater *i, struct slice *in, uint8_t *out, size_t out_bytes, size_t *ret_n_out);
