/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_commands.h"
#include "format/gotemplate.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A message whose fields are not yet added to its JSON object. */
struct pending {
	const ProtobufCMessage *message;
	json_t *object; /* borrowed from the document */
};

static const void *member(const ProtobufCMessage *m, unsigned offset)
{
	return (const char *)m + offset;
}

/* Adds an empty object for a submessage; its members are added later, which avoids recursion. */
static json_t *message_value(GArray *work, const ProtobufCMessage *m)
{
	struct pending one = {m, json_object()};
	g_array_append_val(work, one);
	return one.object;
}

static size_t width_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(int64_t);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		break;
	}
	return sizeof(int32_t);
}

/* Returns NULL for zero values, which omitempty drops from a struct. Lists keep their zero values. */
static json_t *value_of(GArray *work, ProtobufCType type, const void *at, bool keep_zero)
{
	if (type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *m = *(ProtobufCMessage *const *)at;
		return m ? message_value(work, m) : NULL;
	}
	if (type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(char *const *)at;
		return keep_zero || (text && *text) ? json_string(text ? text : "") : NULL;
	}
	if (type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *b = at;
		g_autofree char *text = b->len ? g_base64_encode(b->data, b->len) : g_strdup("");
		return keep_zero || b->len ? json_string(text) : NULL;
	}
	if (type == PROTOBUF_C_TYPE_BOOL) {
		bool b = *(const protobuf_c_boolean *)at;
		return keep_zero || b ? json_boolean(b) : NULL;
	}
	int64_t n = width_of(type) == sizeof(int64_t) ? *(const int64_t *)at : *(const int32_t *)at;
	return keep_zero || n ? json_integer(n) : NULL;
}

static char *map_key(const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
	const void *at = member(entry, key->offset);
	if (key->type == PROTOBUF_C_TYPE_STRING)
		return g_strdup(*(char *const *)at);
	int64_t n = width_of(key->type) == sizeof(int64_t) ? *(const int64_t *)at : *(const int32_t *)at;
	return g_strdup_printf("%" G_GINT64_FORMAT, n);
}

static json_t *map_value(GArray *work, ProtobufCMessage *const *entries, size_t n)
{
	g_autoptr(GTree) sorted = g_tree_new_full((GCompareDataFunc)(void (*)(void))strcmp, NULL, g_free, NULL);
	json_t *object = json_object();
	for (size_t i = 0; i < n; i++)
		g_tree_replace(sorted, map_key(entries[i]), entries[i]);
	for (GTreeNode *node = g_tree_node_first(sorted); node; node = g_tree_node_next(node)) {
		const ProtobufCMessage *entry = g_tree_node_value(node);
		const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
		json_t *one = value_of(work, value->type, member(entry, value->offset), true);
		json_object_set_new(object, g_tree_node_key(node), one ? one : json_null());
	}
	return object;
}

static json_t *list_value(GArray *work, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *m)
{
	size_t n = *(const size_t *)member(m, field->quantifier_offset);
	const char *items = *(char *const *)member(m, field->offset);
	if (n == 0)
		return NULL;
	const ProtobufCMessageDescriptor *item = field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
	if (item && item->n_fields == 2 && g_str_has_suffix(item->short_name, "Entry") &&
	    strcmp(item->fields[0].name, "key") == 0)
		return map_value(work, (ProtobufCMessage *const *)(const void *)items, n);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *one = value_of(work, field->type, items + i * width_of(field->type), true);
		json_array_append_new(list, one ? one : json_null());
	}
	return list;
}

/* Text that a template prints for a field which is missing or a number in the JSON document. NULL: same as the JSON. */
static json_t *shown_value(const ProtobufCFieldDescriptor *field, const void *at)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return NULL;
	switch ((int)field->type) {
	case PROTOBUF_C_TYPE_ENUM: {
		const ProtobufCEnumDescriptor *d = field->descriptor;
		const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(d, *(const int *)at);
		return value ? json_string(value->name) : NULL;
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		return NULL;
	case PROTOBUF_C_TYPE_STRING: {
		const char *text = *(char *const *)at;
		return text && *text ? NULL : json_string("");
	}
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)at)->len ? NULL : json_string("");
	case PROTOBUF_C_TYPE_BOOL:
		return *(const protobuf_c_boolean *)at ? NULL : json_false();
	default: {
		bool zero = width_of(field->type) == sizeof(int64_t) ? *(const int64_t *)at == 0
								     : *(const int32_t *)at == 0;
		return zero ? json_integer(0) : NULL;
	}
	}
}

static void fill(GArray *work, struct pending one)
{
	const ProtobufCMessageDescriptor *d = one.message->descriptor;
	json_t *fields = json_object();
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &d->fields[i];
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) /* records have no trace */
			continue;
		json_t *value = field->label == PROTOBUF_C_LABEL_REPEATED
					? list_value(work, field, one.message)
					: value_of(work, field->type, member(one.message, field->offset), false);
		if (value)
			json_object_set_new(one.object, field->name, value);
		json_t *shown = shown_value(field, member(one.message, field->offset));
		if (shown)
			json_object_set_new(fields, field->name, shown);
	}
	json_object_set_new(one.object, GOTEMPLATE_FIELDS, fields);
}

char *history_json(const Control__BuildHistoryEvent *e)
{
	g_autoptr(GArray) work = g_array_new(FALSE, FALSE, sizeof(struct pending));
	json_t *document = message_value(work, &e->base);
	for (guint i = 0; i < work->len; i++)
		fill(work, g_array_index(work, struct pending, i));
	char *raw = json_dumps(document, JSON_COMPACT);
	char *text = g_strdup(raw ? raw : "null");
	free(raw);
	json_decref(document);
	return text;
}
