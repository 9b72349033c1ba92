/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wire_fault.h"
#include "api/wire.h"
#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define EOF_TEXT "unexpected EOF"
#define OVERFLOW_TEXT "proto: integer overflow"
#define LENGTH_TEXT "proto: negative length found during unmarshaling"
#define GROUP_TEXT "proto: unexpected end of group"

struct level {
	const ProtobufCMessageDescriptor *descriptor;
	const uint8_t *end;
};
struct scan {
	const uint8_t *at;
	struct level levels[100]; /* LIMIT_PROTO_DEPTH; deeper ones are skipped */
	size_t depth;
	char *fault; /* owned; set once */
};

static bool fault(struct scan *s, const char *text)
{
	s->fault = g_strdup(text);
	return false;
}

static bool read_varint(struct scan *s, const uint8_t *end, uint64_t *ret)
{
	enum wire_varint result = wire_read_varint(&s->at, end, ret);
	if (result == WIRE_VARINT_SHORT || result == WIRE_VARINT_LONG)
		return fault(s, result == WIRE_VARINT_SHORT ? EOF_TEXT : OVERFLOW_TEXT);
	return true;
}

static bool skip_bytes(struct scan *s, const uint8_t *end, size_t n)
{
	if ((size_t)(end - s->at) < n)
		return fault(s, EOF_TEXT);
	s->at += n;
	return true;
}

static bool read_length(struct scan *s, const uint8_t *end, size_t *ret)
{
	uint64_t n;
	if (!read_varint(s, end, &n))
		return false;
	if (n > G_MAXINT64 - (uint64_t)G_MAXINT32)
		return fault(s, LENGTH_TEXT);
	if (n > (uint64_t)(end - s->at))
		return fault(s, EOF_TEXT);
	*ret = (size_t)n;
	return true;
}

/* Skips an unknown field, including groups within it. */
static bool skip_value(struct scan *s, const uint8_t *end, unsigned wire)
{
	uint64_t value;
	size_t n;
	for (size_t groups = 0;;) {
		switch (wire) {
		case WIRE_VARINT:
			if (!read_varint(s, end, &value))
				return false;
			break;
		case WIRE_64:
		case WIRE_32:
			if (!skip_bytes(s, end, wire == WIRE_64 ? 8 : 4))
				return false;
			break;
		case WIRE_BYTES:
			if (!read_length(s, end, &n) || !skip_bytes(s, end, n))
				return false;
			break;
		case WIRE_GROUP:
			groups++;
			break;
		case WIRE_GROUP_END:
			if (groups == 0)
				return fault(s, GROUP_TEXT);
			groups--;
			break;
		default:
			s->fault = g_strdup_printf("proto: illegal wireType %u", wire);
			return false;
		}
		if (groups == 0)
			return true;
		if (!read_varint(s, end, &value))
			return false;
		wire = value & 7;
	}
}

/* Go's name of a field: "lower_case" becomes LowerCase. */
static char *go_field_name(const char *name)
{
	GString *go = g_string_new(NULL);
	bool upper = true;
	for (const char *c = name; *c; c++) {
		if (*c != '_')
			g_string_append_c(go, upper ? g_ascii_toupper(*c) : *c);
		upper = *c == '_';
	}
	return g_string_free(go, FALSE);
}

/* The name without its package; a nested message is Outer_Inner. */
static char *go_message_name(const ProtobufCMessageDescriptor *d)
{
	size_t package = strlen(d->package_name);
	return g_strdelimit(g_strdup(d->name + (package ? package + 1 : 0)), ".", '_');
}

static bool is_map_entry(const ProtobufCMessageDescriptor *d)
{
	return d->n_fields == 2 && g_str_has_suffix(d->short_name, "Entry") && strcmp(d->fields[0].name, "key") == 0;
}

static bool check_tag(struct scan *s, const ProtobufCMessageDescriptor *d, uint64_t tag)
{
	int32_t number = (int32_t)(tag >> 3);
	if (is_map_entry(d) || ((tag & 7) != WIRE_GROUP_END && number > 0))
		return true;
	g_autofree char *name = go_message_name(d);
	if ((tag & 7) == WIRE_GROUP_END)
		s->fault = g_strdup_printf("proto: %s: wiretype end group for non-group", name);
	else
		s->fault = g_strdup_printf("proto: %s: illegal tag %d (wire type %" G_GUINT64_FORMAT ")", name, number,
					   tag);
	return false;
}

static bool scan_packed(struct scan *s, const ProtobufCFieldDescriptor *field, const uint8_t *end)
{
	while (s->at < end)
		if (!skip_value(s, end, wire_type_of(field->type)))
			return false;
	return true;
}

static bool scan_bytes(struct scan *s, const ProtobufCFieldDescriptor *field, const uint8_t *end)
{
	size_t n;
	if (!read_length(s, end, &n))
		return false;
	if (wire_type_of(field->type) != WIRE_BYTES)
		return scan_packed(s, field, s->at + n);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE && s->depth < G_N_ELEMENTS(s->levels)) {
		s->levels[s->depth++] = (struct level){field->descriptor, s->at + n};
		return true;
	}
	return skip_bytes(s, end, n);
}

static bool scan_field(struct scan *s, const struct level *level)
{
	uint64_t tag;
	if (!read_varint(s, level->end, &tag) || !check_tag(s, level->descriptor, tag))
		return false;
	unsigned wire = tag & 7;
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(level->descriptor, (unsigned)(tag >> 3));
	if (!field)
		return skip_value(s, level->end, wire);
	bool packed = field->label == PROTOBUF_C_LABEL_REPEATED && wire == WIRE_BYTES;
	if (wire != wire_type_of(field->type) && !packed && !is_map_entry(level->descriptor)) {
		g_autofree char *name = go_field_name(field->name);
		s->fault = g_strdup_printf("proto: wrong wireType = %u for field %s", wire, name);
		return false;
	}
	return wire == WIRE_BYTES ? scan_bytes(s, field, level->end) : skip_value(s, level->end, wire);
}

char *wire_fault(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n)
{
	struct scan s = {.at = bytes, .depth = 1};
	if (n == 0)
		return NULL;
	s.levels[0] = (struct level){descriptor, bytes + n};
	while (s.depth > 0) {
		struct level level = s.levels[s.depth - 1];
		if (s.at == level.end)
			s.depth--;
		else if (!scan_field(&s, &level))
			return s.fault;
	}
	return NULL;
}
