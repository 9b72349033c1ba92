/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message_json.h"
#include "api/wire.h"
#include <string.h>

static void put_enum(json_writer *w, const ProtobufCEnumDescriptor *descriptor, int value)
{
	const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(descriptor, value);
	if (named)
		json_put_string(w, named->name);
	else
		json_put_int(w, value);
}

static void put_int64(json_writer *w, int64_t value, bool as_text)
{
	char text[24];
	g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, value);
	if (as_text)
		json_put_string(w, text);
	else
		json_put_int(w, value);
}

static void put_uint64(json_writer *w, uint64_t value, bool as_text)
{
	char text[24];
	g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, value);
	if (as_text)
		json_put_string(w, text);
	else
		json_put_uint(w, value);
}

/* One value of a field, at p. The messages that are written have only these types. */
static void put_value(json_writer *w, const struct message_json *style, const ProtobufCFieldDescriptor *f,
		      const void *p)
{
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		json_put_string(w, *(char *const *)p);
	} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		message_json_put(w, style, *(const ProtobufCMessage *const *)p);
	} else if (f->type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *b = p;
		json_put_base64(w, b->data, b->len);
	} else if (f->type == PROTOBUF_C_TYPE_BOOL) {
		json_put_bool(w, *(const protobuf_c_boolean *)p);
	} else if (f->type == PROTOBUF_C_TYPE_INT64) {
		put_int64(w, *(const int64_t *)p, style->proto);
	} else if (f->type == PROTOBUF_C_TYPE_UINT64) {
		put_uint64(w, *(const uint64_t *)p, style->proto);
	} else if (f->type == PROTOBUF_C_TYPE_UINT32) {
		json_put_uint(w, *(const uint32_t *)p);
	} else if (f->type == PROTOBUF_C_TYPE_ENUM && style->proto) {
		put_enum(w, f->descriptor, *(const int *)p);
	} else {
		json_put_int(w, *(const int32_t *)p);
	}
}

bool message_json_is_zero(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m)
{
	static const char zeros[sizeof(ProtobufCBinaryData)];
	const void *p = (const char *)m + f->offset;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !**(char *const *)p;
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)p)->len == 0;
	return memcmp(p, zeros, wire_value_size(f->type)) == 0;
}

/* ---- maps: repeated messages named ...Entry with fields key and value */

static bool is_map(const ProtobufCFieldDescriptor *f)
{
	if (f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	const ProtobufCMessageDescriptor *d = f->descriptor;
	return g_str_has_suffix(d->name, "Entry") && d->n_fields == 2 && strcmp(d->fields[0].name, "key") == 0;
}

static char *entry_key(const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
	const void *p = (const char *)entry + key->offset;
	if (key->type == PROTOBUF_C_TYPE_STRING)
		return g_strdup(*(char *const *)p);
	int64_t n = wire_value_size(key->type) == sizeof(int64_t) ? *(const int64_t *)p : *(const int32_t *)p;
	return g_strdup_printf("%" G_GINT64_FORMAT, n);
}

/* Of entries with the same key the last one counts. */
static void put_map(json_writer *w, const struct message_json *style, ProtobufCMessage *const *entries, size_t n)
{
	g_autoptr(GTree) sorted = g_tree_new_full((GCompareDataFunc)(void (*)(void))strcmp, NULL, g_free, NULL);
	for (size_t i = 0; i < n; i++)
		g_tree_replace(sorted, entry_key(entries[i]), entries[i]);
	json_object_begin(w);
	for (GTreeNode *node = g_tree_node_first(sorted); node; node = g_tree_node_next(node)) {
		const ProtobufCMessage *entry = g_tree_node_value(node);
		const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
		json_key(w, g_tree_node_key(node));
		put_value(w, style, value, (const char *)entry + value->offset);
	}
	json_object_end(w);
}

/* ---- messages */

static void put_name(json_writer *w, const struct message_json *style, const char *name)
{
	if (!style->proto || !strchr(name, '_')) {
		json_key(w, name);
		return;
	}
	g_autofree char *camel = g_strdup(name);
	char *to = camel;
	for (const char *from = name; *from; from++)
		*to++ = *from == '_' && from[1] ? g_ascii_toupper(*++from) : *from;
	*to = '\0';
	json_key(w, camel);
}

static void put_field(json_writer *w, const struct message_json *style, const ProtobufCMessage *m,
		      const ProtobufCFieldDescriptor *f)
{
	const char *p = (const char *)m + f->offset, *quantifier = (const char *)m + f->quantifier_offset;
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		bool is_oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
		if (is_oneof ? *(const uint32_t *)(const void *)quantifier != f->id : message_json_is_zero(f, m))
			return;
		put_name(w, style, f->name);
		put_value(w, style, f, p);
		return;
	}
	size_t n = *(const size_t *)(const void *)quantifier;
	if (n == 0)
		return;
	put_name(w, style, f->name);
	const char *items = *(const char *const *)(const void *)p;
	if (is_map(f)) {
		put_map(w, style, (ProtobufCMessage *const *)(const void *)items, n);
		return;
	}
	json_array_begin(w);
	for (size_t i = 0; i < n; i++)
		put_value(w, style, f, items + i * wire_value_size(f->type));
	json_array_end(w);
}

void message_json_put_field(json_writer *w, const struct message_json *style, const ProtobufCMessage *m, unsigned tag)
{
	put_field(w, style, m, protobuf_c_message_descriptor_get_field(m->descriptor, tag));
}

void message_json_put(json_writer *w, const struct message_json *style, const ProtobufCMessage *m)
{
	if (!m) {
		json_put_null(w);
		return;
	}
	if (style->special && style->special(w, m))
		return;
	json_object_begin(w);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		put_field(w, style, m, &m->descriptor->fields[i]);
	if (style->more)
		style->more(w, m);
	json_object_end(w);
}
