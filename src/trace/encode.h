/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode: appends fields of protobuf messages to a byte array; private to this module.
 *
 *	encode_text(out, 5, "name");
 *	encode_pair_int(out, 9, "exit.code", 1);      a KeyValue as field 9
 *
 * Texts are cut to LIMIT_SPAN_TEXT_BYTES, at the end of a character, and made valid UTF-8. Thread: one at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

void encode_bytes(GByteArray *out, uint32_t field, const void *bytes, size_t n);
void encode_text(GByteArray *out, uint32_t field, const char *text); /* omitted if NULL or empty */
void encode_int(GByteArray *out, uint32_t field, int64_t value);     /* omitted if 0 */
void encode_fixed64(GByteArray *out, uint32_t field, uint64_t value);
void encode_fixed32(GByteArray *out, uint32_t field, uint32_t value);
void encode_pair_text(GByteArray *out, uint32_t field, const char *key, const char *value);
void encode_pair_texts(GByteArray *out, uint32_t field, const char *key, const char *const *values);
void encode_pair_int(GByteArray *out, uint32_t field, const char *key, int64_t value);
void encode_pair_bool(GByteArray *out, uint32_t field, const char *key, bool value);
