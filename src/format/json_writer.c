/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_writer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

struct json_writer {
	GString *out;
	int indent;
	size_t max;       /* bytes */
	GByteArray *open; /* '{' or '[' per level */
	bool first;       /* the innermost container is empty so far */
	bool after_key;
};

json_writer *json_writer_new(int indent)
{
	json_writer *w = g_new0(json_writer, 1);
	w->out = g_string_sized_new(256);
	w->indent = indent;
	w->max = SIZE_MAX;
	w->open = g_byte_array_new();
	w->first = true;
	return w;
}

void json_writer_free(json_writer *w)
{
	if (!w)
		return;
	if (w->out)
		g_string_free(w->out, TRUE);
	g_byte_array_unref(w->open);
	g_free(w);
}

void json_writer_set_max(json_writer *w, size_t max)
{
	w->max = max;
}

bool json_writer_is_full(const json_writer *w)
{
	return w->out->len > w->max;
}

char *json_writer_take(json_writer **w, size_t *ret_len)
{
	g_assert((*w)->open->len == 0);
	if (ret_len)
		*ret_len = (*w)->out->len;
	char *text = g_string_free(g_steal_pointer(&(*w)->out), FALSE);
	json_writer_free(g_steal_pointer(w));
	return text;
}

/* ---- structure */

static void line_break(json_writer *w)
{
	if (w->indent == 0)
		return;
	g_string_append_c(w->out, '\n');
	for (size_t i = (size_t)w->indent * w->open->len; i > 0; i--)
		g_string_append_c(w->out, ' ');
}

/* Writes comma and line break before a key or an array item. */
static void item_begin(json_writer *w)
{
	if (w->open->len == 0)
		return;
	if (!w->first)
		g_string_append_c(w->out, ',');
	w->first = false;
	line_break(w);
}

static void value_begin(json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	g_assert(w->open->len == 0 || w->open->data[w->open->len - 1] == '[');
	item_begin(w);
}

static void container_begin(json_writer *w, guint8 kind)
{
	value_begin(w);
	g_string_append_c(w->out, (char)kind);
	g_byte_array_append(w->open, &kind, 1);
	w->first = true;
}

static void container_end(json_writer *w, guint8 kind, char end)
{
	g_assert(w->open->len > 0 && w->open->data[w->open->len - 1] == kind && !w->after_key);
	bool empty = w->first;
	g_byte_array_set_size(w->open, w->open->len - 1);
	if (!empty)
		line_break(w);
	g_string_append_c(w->out, end);
	w->first = false;
}

void json_object_begin(json_writer *w)
{
	container_begin(w, '{');
}

void json_object_end(json_writer *w)
{
	container_end(w, '{', '}');
}

void json_array_begin(json_writer *w)
{
	container_begin(w, '[');
}

void json_array_end(json_writer *w)
{
	container_end(w, '[', ']');
}

/* ---- strings */

static void escape_append(GString *out, unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		g_string_append_c(out, '\\');
		g_string_append_c(out, (char)c);
		break;
	case '\b':
		g_string_append(out, "\\b");
		break;
	case '\f':
		g_string_append(out, "\\f");
		break;
	case '\n':
		g_string_append(out, "\\n");
		break;
	case '\r':
		g_string_append(out, "\\r");
		break;
	case '\t':
		g_string_append(out, "\\t");
		break;
	default:
		g_string_append(out, "\\u00");
		g_string_append_c(out, "0123456789abcdef"[c >> 4]);
		g_string_append_c(out, "0123456789abcdef"[c & 15]);
	}
}

/*
 * One bit per ASCII character that needs no escape: all but controls, quote, backslash and characters special in HTML.
 */
static bool is_plain(unsigned char c)
{
	static const uint32_t plain[8] = {0,
					  ~(UINT32_C(1) << ('"' - 32) | UINT32_C(1) << ('&' - 32) |
					    UINT32_C(1) << ('<' - 32) | UINT32_C(1) << ('>' - 32)),
					  ~(UINT32_C(1) << ('\\' - 64)), ~UINT32_C(0)};
	return plain[c >> 5] >> (c & 31) & 1;
}

/* Returns the length of the UTF-8 sequence at text, 0 if it is invalid (also for surrogates and overlong forms). */
static size_t sequence_length(const char *text, size_t n)
{
	gunichar c = g_utf8_get_char_validated(text, (gssize)MIN(n, 4));
	if (c == (gunichar)-1 || c == (gunichar)-2)
		return 0;
	return (size_t)g_unichar_to_utf8(c, NULL);
}

static bool is_line_separator(const char *text, size_t n)
{
	return n >= 3 && memcmp(text, "\xe2\x80", 2) == 0 && (text[2] == '\xa8' || text[2] == '\xa9');
}

static void quote_append(GString *out, const char *text, size_t n)
{
	g_string_append_c(out, '"');
	for (size_t i = 0; i < n;) {
		size_t run = i;
		while (run < n && is_plain((unsigned char)text[run]))
			run++;
		g_string_append_len(out, text + i, (gssize)(run - i));
		i = run;
		if (i == n)
			break;
		if ((unsigned char)text[i] < 0x80) {
			escape_append(out, (unsigned char)text[i++]);
			continue;
		}
		size_t len = sequence_length(text + i, n - i);
		if (len == 0) {
			g_string_append(out, "\\ufffd");
			i++;
		} else if (is_line_separator(text + i, n - i)) {
			g_string_append(out, text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029");
			i += 3;
		} else {
			g_string_append_len(out, text + i, (gssize)len);
			i += len;
		}
	}
	g_string_append_c(out, '"');
}

void json_key(json_writer *w, const char *key)
{
	g_assert(w->open->len > 0 && w->open->data[w->open->len - 1] == '{' && !w->after_key);
	item_begin(w);
	quote_append(w->out, key, strlen(key));
	g_string_append(w->out, w->indent ? ": " : ":");
	w->after_key = true;
}

void json_put_string(json_writer *w, const char *text)
{
	json_put_string_len(w, text ? text : "", text ? strlen(text) : 0);
}

void json_put_string_len(json_writer *w, const char *text, size_t n)
{
	value_begin(w);
	quote_append(w->out, text, n);
}

/* ---- other values */

void json_put_int(json_writer *w, int64_t value)
{
	value_begin(w);
	g_string_append_printf(w->out, "%" G_GINT64_FORMAT, value);
}

void json_put_uint(json_writer *w, uint64_t value)
{
	value_begin(w);
	g_string_append_printf(w->out, "%" G_GUINT64_FORMAT, value);
}

/* Formats with the fewest digits that give the same number, as printf("%e"): "d.ddde+xx". */
static void double_shortest(double value, char ret_text[32])
{
	for (int digits = 0; digits <= 16; digits++) {
		char format[8];
		g_snprintf(format, sizeof format, "%%.%de", digits);
		g_ascii_formatd(ret_text, 32, format, value);
		if (g_ascii_strtod(ret_text, NULL) == value)
			return;
	}
}

void json_put_double(json_writer *w, double value)
{
	value_begin(w);
	if (!isfinite(value)) { /* Go refuses them, and our values are always finite */
		g_string_append(w->out, "null");
		return;
	}
	char text[32];
	double_shortest(value, text);
	char *e = strchr(text, 'e');
	int exponent = (int)g_ascii_strtoll(e + 1, NULL, 10);
	if (value != 0 && (exponent < -6 || exponent >= 21)) {
		*e = '\0'; /* Go writes e-9 instead of e-09 */
		g_string_append_printf(w->out, "%se%+d", text, exponent);
		return;
	}
	int fraction = (int)MAX(0, (e - text) - (text[0] == '-' ? 1 : 0) - 2) - exponent;
	char format[8], plain[64];
	g_snprintf(format, sizeof format, "%%.%df", MAX(0, fraction));
	g_string_append(w->out, g_ascii_formatd(plain, sizeof plain, format, value));
}

void json_put_bool(json_writer *w, bool value)
{
	value_begin(w);
	g_string_append(w->out, value ? "true" : "false");
}

void json_put_null(json_writer *w)
{
	value_begin(w);
	g_string_append(w->out, "null");
}

void json_put_base64(json_writer *w, const void *bytes, size_t n)
{
	value_begin(w);
	g_autofree char *text = g_base64_encode(bytes ? bytes : (const void *)"", n);
	g_string_append_printf(w->out, "\"%s\"", text);
}

/*
 * Copies a string of raw JSON with its escapes; escapes characters special in HTML as Go's compact does. Returns the
 * rest.
 */
static size_t raw_string(json_writer *w, const char *json, size_t n, size_t i)
{
	g_string_append_c(w->out, json[i++]);
	while (i < n) {
		char c = json[i];
		if (is_line_separator(json + i, n - i)) {
			g_string_append(w->out, json[i + 2] == '\xa8' ? "\\u2028" : "\\u2029");
			i += 3;
			continue;
		}
		if (c == '<' || c == '>' || c == '&')
			escape_append(w->out, (unsigned char)c);
		else
			g_string_append_c(w->out, c);
		i++;
		if (c == '\\' && i < n)
			g_string_append_c(w->out, json[i++]);
		else if (c == '"')
			break;
	}
	return i;
}

void json_put_raw(json_writer *w, const char *json, size_t n)
{
	value_begin(w);
	guint base = w->open->len;
	bool first = true;
	for (size_t i = 0; i < n && !json_writer_is_full(w);) {
		guint8 c = (guint8)json[i];
		if (g_ascii_isspace(c)) {
			i++;
			continue;
		}
		bool closes = c == '}' || c == ']';
		if (first && !closes && w->open->len > base)
			line_break(w);
		if (c == '"') {
			i = raw_string(w, json, n, i);
			first = false;
			continue;
		}
		i++;
		if (closes && w->open->len > base) {
			g_byte_array_set_size(w->open, w->open->len - 1);
			if (!first)
				line_break(w);
		}
		g_string_append_c(w->out, (char)c);
		first = c == '{' || c == '[' || c == ',';
		if (c == '{' || c == '[')
			g_byte_array_append(w->open, &c, 1);
		else if (c == ':' && w->indent)
			g_string_append_c(w->out, ' ');
	}
	g_byte_array_set_size(w->open, base);
	w->first = false;
}

/* ---- jansson values: iterative, with a stack of open containers */

struct open_value {
	const json_t *value;
	const char **keys; /* owned; objects only */
	size_t next, n;
};

static void open_value_clear(gpointer data)
{
	struct open_value *o = data;
	g_free(o->keys);
}

static void open_value_push(json_writer *w, GArray *stack, const json_t *value, bool sorted)
{
	struct open_value o = {.value = value};
	if (json_is_array(value)) {
		o.n = json_array_size(value);
		json_array_begin(w);
	} else {
		o.n = json_object_size(value);
		o.keys = g_new(const char *, o.n + 1);
		size_t i = 0;
		const char *key;
		json_t *member;
		json_object_foreach((json_t *)value, key, member) o.keys[i++] = key;
		if (sorted)
			qsort(o.keys, o.n, sizeof *o.keys, text_order);
		json_object_begin(w);
	}
	g_array_append_val(stack, o);
}

static void put_scalar(json_writer *w, const json_t *value)
{
	if (json_is_string(value))
		json_put_string_len(w, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value))
		json_put_int(w, json_integer_value(value));
	else if (json_is_real(value))
		json_put_double(w, json_real_value(value));
	else if (json_is_boolean(value))
		json_put_bool(w, json_is_true(value));
	else
		json_put_null(w);
}

static bool is_container(const json_t *value)
{
	return json_is_object(value) || json_is_array(value);
}

void json_put_value(json_writer *w, const json_t *value, bool sorted)
{
	if (!is_container(value)) {
		put_scalar(w, value);
		return;
	}
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct open_value));
	g_array_set_clear_func(stack, open_value_clear);
	open_value_push(w, stack, value, sorted);
	while (stack->len > 0) {
		struct open_value *o = &g_array_index(stack, struct open_value, stack->len - 1);
		bool is_array = json_is_array(o->value);
		if (o->next == o->n) {
			if (is_array)
				json_array_end(w);
			else
				json_object_end(w);
			g_array_set_size(stack, stack->len - 1);
			continue;
		}
		const json_t *item;
		if (is_array) {
			item = json_array_get(o->value, o->next++);
		} else {
			const char *key = o->keys[o->next++];
			json_key(w, key);
			item = json_object_get(o->value, key);
		}
		if (is_container(item))
			open_value_push(w, stack, item, sorted);
		else
			put_scalar(w, item);
	}
}

/* ---- members */

void json_object_member_begin(json_writer *w, const char *key)
{
	json_key(w, key);
	json_object_begin(w);
}

void json_array_member_begin(json_writer *w, const char *key)
{
	json_key(w, key);
	json_array_begin(w);
}

void json_put_int_member(json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_put_int(w, value);
}

void json_put_bool_member(json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_put_bool(w, value);
}

void json_put_string_member(json_writer *w, const char *key, const char *text)
{
	json_key(w, key);
	json_put_string(w, text);
}

void json_put_string_member_nonempty(json_writer *w, const char *key, const char *text)
{
	if (text && *text)
		json_put_string_member(w, key, text);
}

void json_put_int_member_nonzero(json_writer *w, const char *key, int64_t value)
{
	if (value == 0)
		return;
	json_put_int_member(w, key, value);
}

void json_put_bool_member_true(json_writer *w, const char *key, bool value)
{
	if (!value)
		return;
	json_put_bool_member(w, key, true);
}

void json_put_strings(json_writer *w, char *const *list, size_t n)
{
	json_array_begin(w);
	for (size_t i = 0; i < n; i++)
		json_put_string(w, list[i]);
	json_array_end(w);
}

void json_put_strings_or_null(json_writer *w, char *const *list, size_t n)
{
	if (n > 0)
		json_put_strings(w, list, n);
	else
		json_put_null(w);
}

void json_put_strings_member_nonempty(json_writer *w, const char *key, char *const *list, size_t n)
{
	if (n == 0)
		return;
	json_key(w, key);
	json_put_strings(w, list, n);
}

void json_put_map_member_nonempty(json_writer *w, const char *key, GHashTable *table)
{
	if (!table || g_hash_table_size(table) == 0)
		return;
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(table), (GCompareFunc)g_strcmp0);
	json_object_member_begin(w, key);
	for (const GList *k = keys; k; k = k->next)
		json_put_string_member(w, k->data, g_hash_table_lookup(table, k->data));
	json_object_end(w);
}

/* ---- parsing */

json_t *json_member_any_case(const json_t *object, const char *name)
{
	json_t *exact = json_object_get(object, name), *value;
	const char *key;
	if (exact || !json_is_object(object))
		return exact;
	json_object_foreach((json_t *)object, key, value) if (g_ascii_strcasecmp(key, name) == 0) return value;
	return NULL;
}

/* Determines the nesting depth without parsing; must precede jansson, which recurses. */
static size_t depth_of(const char *json, size_t n)
{
	size_t depth = 0, max = 0;
	bool in_string = false;
	for (size_t i = 0; i < n; i++) {
		char c = json[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			depth++;
			max = MAX(max, depth);
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return max;
}

static json_t *json_load(const void *bytes, size_t n, size_t max_bytes, size_t flags, const char *what, GError **error)
{
	if (n > max_bytes)
		return error_null(error, ERROR_INVALID_ARGUMENT, "%s is too large: %zu bytes, limit is %zu", what, n,
				  max_bytes);
	if (depth_of(bytes, n) > (size_t)LIMIT_JSON_DEPTH)
		return error_null(error, ERROR_INVALID_ARGUMENT, "%s is nested more than %lld levels deep", what,
				  LIMIT_JSON_DEPTH);
	json_error_t why;
	json_t *value = json_loadb(bytes ? bytes : "", n, flags | JSON_DECODE_ANY, &why);
	if (!value)
		error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse %s: line %d column %d: %s", what, why.line,
			  why.column, why.text);
	return value;
}

json_t *json_read(const void *bytes, size_t n, size_t max_bytes, const char *what, GError **error)
{
	return json_load(bytes, n, max_bytes, JSON_REJECT_DUPLICATES, what, error);
}

json_t *json_read_first(const void *bytes, size_t n, size_t max_bytes, const char *what, GError **error)
{
	return json_load(bytes, n, max_bytes, JSON_DISABLE_EOF_CHECK, what, error);
}
