/* SPDX-License-Identifier: Apache-2.0 */
#include "llb/op_json.h"
#include "llb/definition.h"
#include "errdefs.pb-c.h"
#include <string.h>

enum dialect { GO_JSON, PROTO_JSON };

static void put_message(json_writer *w, const ProtobufCMessage *m, enum dialect dialect);

static void put_enum(json_writer *w, const ProtobufCEnumDescriptor *descriptor, int value)
{
	const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(descriptor, value);
	if (named)
		json_put_string(w, named->name);
	else
		json_put_int(w, value);
}

static void put_int64(json_writer *w, int64_t value, enum dialect dialect)
{
	char text[24];
	g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, value);
	if (dialect == PROTO_JSON)
		json_put_string(w, text);
	else
		json_put_int(w, value);
}

static void put_uint64(json_writer *w, uint64_t value, enum dialect dialect)
{
	char text[24];
	g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, value);
	if (dialect == PROTO_JSON)
		json_put_string(w, text);
	else
		json_put_uint(w, value);
}

/* Writes one value of a field, stored at p. LLB messages use only these types. */
static void put_value(json_writer *w, const ProtobufCFieldDescriptor *f, const void *p, enum dialect dialect)
{
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		json_put_string(w, *(char *const *)p);
	} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		put_message(w, *(const ProtobufCMessage *const *)p, dialect);
	} else if (f->type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *b = p;
		json_put_base64(w, b->data, b->len);
	} else if (f->type == PROTOBUF_C_TYPE_BOOL) {
		json_put_bool(w, *(const protobuf_c_boolean *)p);
	} else if (f->type == PROTOBUF_C_TYPE_INT64) {
		put_int64(w, *(const int64_t *)p, dialect);
	} else if (f->type == PROTOBUF_C_TYPE_UINT64) {
		put_uint64(w, *(const uint64_t *)p, dialect);
	} else if (f->type == PROTOBUF_C_TYPE_UINT32) {
		json_put_uint(w, *(const uint32_t *)p);
	} else if (f->type == PROTOBUF_C_TYPE_ENUM && dialect == PROTO_JSON) {
		put_enum(w, f->descriptor, *(const int *)p);
	} else {
		json_put_int(w, *(const int32_t *)p);
	}
}

static size_t value_size(const ProtobufCFieldDescriptor *f)
{
	switch ((unsigned)f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		return sizeof(int64_t);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return sizeof(int32_t);
	}
}

static bool is_zero(const ProtobufCFieldDescriptor *f, const void *p)
{
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !**(char *const *)p;
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)p)->len == 0;
	static const char zeros[sizeof(ProtobufCBinaryData)];
	return memcmp(p, zeros, value_size(f)) == 0;
}

/* ---- maps: repeated messages named ...Entry with the fields key and value */

static bool is_map(const ProtobufCFieldDescriptor *f)
{
	if (f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	const ProtobufCMessageDescriptor *d = f->descriptor;
	return g_str_has_suffix(d->name, "Entry") && d->n_fields == 2 && strcmp(d->fields[0].name, "key") == 0;
}

static const char *entry_key(const ProtobufCMessage *entry)
{
	return *(char *const *)((const char *)entry + entry->descriptor->fields[0].offset);
}

static int entry_compare(const void *a, const void *b)
{
	return strcmp(entry_key(*(ProtobufCMessage *const *)a), entry_key(*(ProtobufCMessage *const *)b));
}

static void put_map(json_writer *w, ProtobufCMessage *const *entries, size_t n, enum dialect dialect)
{
	g_autofree ProtobufCMessage **sorted = g_memdup2(entries, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, entry_compare);
	json_object_begin(w);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && strcmp(entry_key(sorted[i]), entry_key(sorted[i + 1])) == 0)
			continue; /* duplicate key: a map has only one */
		const ProtobufCFieldDescriptor *value = &sorted[i]->descriptor->fields[1];
		json_key(w, entry_key(sorted[i]));
		put_value(w, value, (const char *)sorted[i] + value->offset, dialect);
	}
	json_object_end(w);
}

/* ---- messages */

static void put_name(json_writer *w, const char *name, enum dialect dialect)
{
	if (dialect == GO_JSON || !strchr(name, '_')) {
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

static bool is_oneof(const ProtobufCFieldDescriptor *f)
{
	return f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}

static void put_field(json_writer *w, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		      enum dialect dialect)
{
	const char *p = (const char *)m + f->offset;
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		if (is_oneof(f) ? *(const uint32_t *)((const char *)m + f->quantifier_offset) != f->id : is_zero(f, p))
			return;
		put_name(w, f->name, dialect);
		put_value(w, f, p, dialect);
		return;
	}
	size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
	if (n == 0)
		return;
	put_name(w, f->name, dialect);
	const char *items = *(const char *const *)p;
	if (is_map(f)) {
		put_map(w, (ProtobufCMessage *const *)items, n, dialect);
		return;
	}
	json_array_begin(w);
	for (size_t i = 0; i < n; i++)
		put_value(w, f, items + i * value_size(f), dialect);
	json_array_end(w);
}

/* Writes {"inputs":[...],"Op":{"exec":{...}},"platform":{...},"constraints":{}}. */
static void put_op(json_writer *w, const ProtobufCMessage *m)
{
	const Pb__Op *op = (const Pb__Op *)m;
	const ProtobufCMessageDescriptor *d = m->descriptor;
	json_object_begin(w);
	put_field(w, m, protobuf_c_message_descriptor_get_field(d, 1), GO_JSON);
	json_key(w, "Op");
	json_object_begin(w);
	if (op->op_case != PB__OP__OP__NOT_SET && op->exec)
		put_field(w, m, protobuf_c_message_descriptor_get_field(d, op->op_case), GO_JSON);
	json_object_end(w);
	put_field(w, m, protobuf_c_message_descriptor_get_field(d, 10), GO_JSON);
	put_field(w, m, protobuf_c_message_descriptor_get_field(d, 11), GO_JSON);
	json_object_end(w);
}

/* Indices are always written; the Action of a symlink is empty, because upstream's marshaller does not support it. */
static void put_file_action(json_writer *w, const ProtobufCMessage *m)
{
	const Pb__FileAction *a = (const Pb__FileAction *)m;
	json_object_begin(w);
	json_key(w, "input");
	json_put_int(w, a->input);
	json_key(w, "secondaryInput");
	json_put_int(w, a->secondaryinput);
	json_key(w, "output");
	json_put_int(w, a->output);
	json_key(w, "Action");
	json_object_begin(w);
	if (a->action_case != PB__FILE_ACTION__ACTION__NOT_SET && a->action_case != PB__FILE_ACTION__ACTION_SYMLINK &&
	    a->copy)
		put_field(w, m, protobuf_c_message_descriptor_get_field(m->descriptor, a->action_case), GO_JSON);
	json_object_end(w);
	json_object_end(w);
}

/* Id 0 is omitted: {"User":{}}. */
static void put_user(json_writer *w, const ProtobufCMessage *m)
{
	const Pb__UserOpt *user = (const Pb__UserOpt *)m;
	json_object_begin(w);
	json_key(w, "User");
	json_object_begin(w);
	if (user->user_case == PB__USER_OPT__USER_BY_NAME && user->byname) {
		json_key(w, "byName");
		put_message(w, &user->byname->base, GO_JSON);
	} else if (user->user_case == PB__USER_OPT__USER_BY_ID) {
		json_put_int_member_nonzero(w, "byId", user->byid);
	}
	json_object_end(w);
	json_object_end(w);
}

static void put_message(json_writer *w, const ProtobufCMessage *m, enum dialect dialect)
{
	if (!m) {
		json_put_null(w);
	} else if (dialect == GO_JSON && m->descriptor == &pb__op__descriptor) {
		put_op(w, m);
	} else if (dialect == GO_JSON && m->descriptor == &pb__file_action__descriptor) {
		put_file_action(w, m);
	} else if (dialect == GO_JSON && m->descriptor == &pb__user_opt__descriptor) {
		put_user(w, m);
	} else {
		json_object_begin(w);
		for (unsigned i = 0; i < m->descriptor->n_fields; i++)
			put_field(w, m, &m->descriptor->fields[i], dialect);
		json_object_end(w);
	}
}

void op_json_message(json_writer *w, const ProtobufCMessage *message)
{
	put_message(w, message, GO_JSON);
}

void op_protojson_message(json_writer *w, const ProtobufCMessage *message)
{
	put_message(w, message, PROTO_JSON);
}

char *llb_op_json(const Pb__Op *op)
{
	json_writer *w = json_writer_new(0);
	op_json_message(w, &op->base);
	return json_writer_take(&w, NULL);
}
