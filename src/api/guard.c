/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "api/wire.h"
#include "api/wire_fault.h"
#include "base/limits.h"

struct level {
	const ProtobufCMessageDescriptor *descriptor;
	const uint8_t *end;
};

struct walk {
	const uint8_t *at;
	struct level levels[100]; /* LIMIT_PROTO_DEPTH */
	size_t depth;
	size_t unknown_bytes;
	size_t repeated;
};
G_STATIC_ASSERT(G_N_ELEMENTS(((struct walk *)0)->levels) == 100);

static bool refuse(GError **error, const char *field, const char *what)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid protobuf message: %s: %s", field, what);
}

static bool read_varint(struct walk *w, const uint8_t *end, uint64_t *ret)
{
	return wire_read_varint(&w->at, end, ret) == WIRE_VARINT_OK;
}

/* Skips a value without a length prefix; false if it is truncated or has an unknown wire type. */
static bool skip_scalar(struct walk *w, const uint8_t *end, unsigned wire)
{
	uint64_t ignored;
	size_t left = (size_t)(end - w->at);
	switch (wire) {
	case WIRE_VARINT:
		return read_varint(w, end, &ignored);
	case WIRE_64:
	case WIRE_32: {
		size_t n = wire == WIRE_64 ? 8 : 4;
		if (left < n)
			return false;
		w->at += n;
		return true;
	}
	default:
		return false;
	}
}

static bool read_length(struct walk *w, const uint8_t *end, size_t *ret)
{
	uint64_t n;
	if (!read_varint(w, end, &n) || n > (uint64_t)(end - w->at))
		return false;
	*ret = (size_t)n;
	return true;
}

static bool count_items(struct walk *w, const char *field, size_t n, GError **error)
{
	w->repeated += n;
	if (w->repeated > LIMIT_PROTO_REPEATED)
		return refuse(error, field, "too many repeated items");
	return true;
}

static bool check_packed(struct walk *w, const ProtobufCFieldDescriptor *field, const uint8_t *end, GError **error)
{
	size_t n = 0;
	for (; w->at < end; n++)
		if (!skip_scalar(w, end, wire_type_of(field->type)))
			return refuse(error, field->name, "truncated packed value");
	return count_items(w, field->name, n, error);
}

static bool check_unknown(struct walk *w, const uint8_t *start, const uint8_t *end, unsigned wire, GError **error)
{
	size_t n = 0;
	if (wire == WIRE_BYTES ? !read_length(w, end, &n) : !skip_scalar(w, end, wire))
		return refuse(error, "unknown field", "malformed value");
	w->at += n;
	w->unknown_bytes += (size_t)(w->at - start);
	if (w->unknown_bytes > (size_t)LIMIT_PROTO_UNKNOWN_BYTES)
		return refuse(error, "unknown fields", "too many bytes");
	return true;
}

static bool check_bytes_field(struct walk *w, const ProtobufCFieldDescriptor *field, const uint8_t *end, GError **error)
{
	size_t n;
	if (!read_length(w, end, &n))
		return refuse(error, field->name, "length beyond the end");
	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		if (w->depth == G_N_ELEMENTS(w->levels))
			return refuse(error, field->name, "nested too deeply");
		w->levels[w->depth++] = (struct level){field->descriptor, w->at + n};
		return true;
	}
	if (field->type == PROTOBUF_C_TYPE_STRING && !g_utf8_validate_len((const char *)w->at, n, NULL))
		return refuse(error, field->name, "not valid UTF-8");
	if (wire_type_of(field->type) != WIRE_BYTES)
		return check_packed(w, field, w->at + n, error);
	w->at += n;
	return true;
}

static bool check_field(struct walk *w, const struct level *level, GError **error)
{
	const uint8_t *start = w->at;
	uint64_t tag;
	if (!read_varint(w, level->end, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return refuse(error, level->descriptor->name, "malformed field tag");
	unsigned wire = tag & 7;
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(level->descriptor, (unsigned)(tag >> 3));
	if (!field)
		return check_unknown(w, start, level->end, wire, error);
	bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
	bool packed = repeated && wire == WIRE_BYTES && wire_type_of(field->type) != WIRE_BYTES;
	if (wire != wire_type_of(field->type) && !packed)
		return refuse(error, field->name, "wrong wire type");
	if (repeated && !packed && !count_items(w, field->name, 1, error))
		return false;
	if (wire == WIRE_BYTES)
		return check_bytes_field(w, field, level->end, error);
	return skip_scalar(w, level->end, wire) || refuse(error, field->name, "truncated value");
}

bool guard_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error)
{
	if (n == 0)
		return true;
	struct walk w;
	w.at = bytes;
	w.depth = 1;
	w.unknown_bytes = w.repeated = 0;
	w.levels[0] = (struct level){descriptor, bytes + n};
	while (w.depth > 0) {
		struct level level = w.levels[w.depth - 1];
		if (w.at == level.end)
			w.depth--;
		else if (!check_field(&w, &level, error))
			return false;
	}
	return true;
}

void *guard_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error)
{
	if (!guard_check(descriptor, bytes, n, error))
		return NULL;
	void *message = protobuf_c_message_unpack(descriptor, NULL, n, n ? bytes : (const uint8_t *)"");
	if (!message)
		refuse(error, descriptor->name, "cannot be unpacked");
	return message;
}

void *guard_unpack_go(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error)
{
	g_autoptr(GError) refused = NULL;
	void *message = guard_unpack(descriptor, bytes, n, &refused);
	if (message)
		return message;
	g_autofree char *fault = wire_fault(descriptor, bytes, n);
	if (fault)
		error_set(error, ERROR_INVALID_ARGUMENT, "%s", fault);
	else
		g_propagate_error(error, g_steal_pointer(&refused));
	return NULL;
}

void guard_free(void *message)
{
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
}

GBytes *message_pack(const void *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = g_malloc(n ? n : 1);
	protobuf_c_message_pack(message, bytes);
	return g_bytes_new_take(bytes, n);
}

void *message_copy(const void *message)
{
	const ProtobufCMessage *m = message;
	g_autoptr(GBytes) bytes = message_pack(message);
	gsize n;
	const uint8_t *data = g_bytes_get_data(bytes, &n);
	return protobuf_c_message_unpack(m->descriptor, NULL, n, n ? data : (const uint8_t *)"");
}
