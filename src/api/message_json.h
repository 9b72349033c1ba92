/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_json: messages as JSON objects, from their descriptors.
 *
 *	static const struct message_json style = {0};
 *	message_json_put(w, &style, &exec->base);          {"meta":{"args":[...]},...}: names of the .proto, no zero values
 *
 * Maps are objects with sorted keys. The depth is bounded if the message was checked by api/guard. Thread: any.
 */
#pragma once
#include "format/json_writer.h"
#include <protobuf-c/protobuf-c.h>

struct message_json {
	bool proto; /* as protojson: lowerCamelCase names, 64-bit integers as strings, enums by name */
	/* Writes messages of some types in their own form; false: this one has none. May be NULL. */
	bool (*special)(json_writer *w, const ProtobufCMessage *m);
	/* Adds members behind the fields. May be NULL. */
	void (*more)(json_writer *w, const ProtobufCMessage *m);
};
/* m may be NULL: null. */
void message_json_put(json_writer *w, const struct message_json *style, const ProtobufCMessage *m);
/* The member of the field with this tag, if it is set and not zero. */
void message_json_put_field(json_writer *w, const struct message_json *style, const ProtobufCMessage *m, unsigned tag);
/* Whether a field that is not repeated has the default value. */
bool message_json_is_zero(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m);
