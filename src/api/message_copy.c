/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message_copy.h"
#include "api/wire.h"
#include <string.h>

static void *bytes_copy(arena *a, const void *bytes, size_t n)
{
	return n ? memcpy(arena_alloc(a, n), bytes, n) : NULL;
}

/* value is a bitwise copy of the original: replaces its pointers by copies in the arena. */
static void value_own(arena *a, ProtobufCType type, void *value)
{
	if (type == PROTOBUF_C_TYPE_STRING) {
		char **text = value;
		if (*text && **text)
			*text = arena_strdup(a, *text);
		else if (*text)
			*text = (char *)protobuf_c_empty_string;
	} else if (type == PROTOBUF_C_TYPE_BYTES) {
		ProtobufCBinaryData *bytes = value;
		bytes->data = bytes_copy(a, bytes->data, bytes->len);
	} else if (type == PROTOBUF_C_TYPE_MESSAGE) {
		void **message = value;
		if (*message)
			*message = message_copy_in(a, *message);
	}
}

static void list_own(arena *a, ProtobufCType type, void **list, size_t n)
{
	size_t size = wire_value_size(type);
	*list = bytes_copy(a, *list, n * size);
	for (size_t i = 0; i < n; i++)
		value_own(a, type, (char *)*list + i * size);
}

static void unknown_own(arena *a, ProtobufCMessage *m)
{
	size_t n = m->n_unknown_fields;
	m->unknown_fields = bytes_copy(a, m->unknown_fields, n * sizeof *m->unknown_fields);
	for (size_t i = 0; i < n; i++)
		m->unknown_fields[i].data = bytes_copy(a, m->unknown_fields[i].data, m->unknown_fields[i].len);
}

void *message_copy_in(arena *a, const void *message)
{
	const ProtobufCMessageDescriptor *d = ((const ProtobufCMessage *)message)->descriptor;
	char *copy = bytes_copy(a, message, d->sizeof_message);
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		void *value = copy + f->offset;
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			list_own(a, f->type, value, *(size_t *)(void *)(copy + f->quantifier_offset));
		else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
			 *(const uint32_t *)(const void *)(copy + f->quantifier_offset) == f->id)
			value_own(a, f->type, value);
	}
	unknown_own(a, (ProtobufCMessage *)(void *)copy);
	return copy;
}
