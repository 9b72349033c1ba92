/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_commands.h"
#include "api/message_json.h"
#include "format/gotemplate.h"

/* Adds what a template prints for a field that the document omits or has as a number. */
static void put_template_fields(json_writer *w, const ProtobufCMessage *m)
{
	json_object_member_begin(w, GOTEMPLATE_FIELDS);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		if (f->label == PROTOBUF_C_LABEL_REPEATED || f->type == PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->type == PROTOBUF_C_TYPE_ENUM) {
			const int *value = (const void *)((const char *)m + f->offset);
			const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(f->descriptor, *value);
			if (named)
				json_put_string_member(w, f->name, named->name);
		} else if (message_json_is_zero(f, m)) {
			json_key(w, f->name);
			if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES)
				json_put_string(w, "");
			else if (f->type == PROTOBUF_C_TYPE_BOOL)
				json_put_bool(w, false);
			else
				json_put_int(w, 0);
		}
	}
	json_object_end(w);
}

char *history_json(const Control__BuildHistoryEvent *e)
{
	static const struct message_json style = {.more = put_template_fields};
	json_writer *w = json_writer_new(0);
	message_json_put(w, &style, &e->base);
	return json_writer_take(&w, NULL);
}
