/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_writer: writes JSON exactly as Go's encoding/json does (hashed bytes must be equal).
 *
 *	g_autoptr(json_writer) w = json_writer_new(0);           0: compact, 2: two-space MarshalIndent
 *	json_object_begin(w);
 *	json_key(w, "Digest"); json_put_string(w, text);
 *	json_object_end(w);
 *	g_autofree char *text = json_writer_take(&w, NULL);
 *
 * Escapes <, >, & and U+2028/9 as \u00XX, invalid UTF-8 as \ufffd; []byte as base64. The caller determines the key
 * order. Invalid nesting is an assertion failure. Thread: one at a time.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

typedef struct json_writer json_writer;

json_writer *json_writer_new(int indent);
void json_writer_free(json_writer *w);
/*
 * Limits json_put_raw, whose output can be many times its input: it ends when the document has more than max bytes, which
 * json_writer_is_full tells; then the writer can only be freed.
 */
void json_writer_set_max(json_writer *w, size_t max);
bool json_writer_is_full(const json_writer *w);
/* Finishes the document; frees the writer and sets *w to NULL. ret_len may be NULL. */
char *json_writer_take(json_writer **w, size_t *ret_len);

void json_object_begin(json_writer *w);
void json_object_end(json_writer *w);
void json_array_begin(json_writer *w);
void json_array_end(json_writer *w);
void json_key(json_writer *w, const char *key);
void json_put_string(json_writer *w, const char *text);
void json_put_string_len(json_writer *w, const char *text, size_t n);
void json_put_int(json_writer *w, int64_t value);
void json_put_uint(json_writer *w, uint64_t value);
void json_put_double(json_writer *w, double value); /* formatted like Go's float64 */
void json_put_bool(json_writer *w, bool value);
void json_put_null(json_writer *w);
void json_put_base64(json_writer *w, const void *bytes, size_t n);
/* Writes valid compact JSON unchanged (json.RawMessage), or re-indented if the writer indents. */
void json_put_raw(json_writer *w, const char *json, size_t n);
/* Writes any jansson value; object keys sorted (map) or in their original order (ordered). */
void json_put_value(json_writer *w, const json_t *value, bool sorted);

/* Write key and value, or the beginning of the value. */
void json_object_member_begin(json_writer *w, const char *key);
void json_array_member_begin(json_writer *w, const char *key);
void json_put_int_member(json_writer *w, const char *key, int64_t value);
void json_put_bool_member(json_writer *w, const char *key, bool value);
/* Write key and value; omitted if empty, zero or false ("omitempty"). */
void json_put_string_member(json_writer *w, const char *key, const char *text);
void json_put_string_member_nonempty(json_writer *w, const char *key, const char *text);
void json_put_int_member_nonzero(json_writer *w, const char *key, int64_t value);
void json_put_bool_member_true(json_writer *w, const char *key, bool value);
void json_put_strings_member_nonempty(json_writer *w, const char *key, char *const *list, size_t n);
/* table: char * to char *, or NULL; keys are sorted. */
void json_put_map_member_nonempty(json_writer *w, const char *key, GHashTable *table);
/* A list of strings; or null instead of an empty list, as Go writes a nil slice. */
void json_put_strings(json_writer *w, char *const *list, size_t n);
void json_put_strings_or_null(json_writer *w, char *const *list, size_t n);

/* Parses untrusted JSON: duplicate keys and trailing bytes are refused; depth is limited; at most max_bytes. */
json_t *json_read(const void *bytes, size_t n, size_t max_bytes, const char *what, GError **error);
/*
 * Parses the value at the beginning of a stream, as Go's json.Decoder does: following bytes are ignored, and the last
 * of several equal keys is used.
 */
json_t *json_read_first(const void *bytes, size_t n, size_t max_bytes, const char *what, GError **error);

/* The member of that name, else one whose name differs in case only, as Go's decoder has it. NULL: none. Borrowed. */
json_t *json_member_any_case(const json_t *object, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_writer, json_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)
