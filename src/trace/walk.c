/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/walk.h"
#include "api/guard.h"
#include "api/wire.h"
#include "otlp.pb-c.h"

/* The next field of a checked message. False at its end. ret_value is set for WIRE_BYTES only. */
static bool next_field(struct slice *rest, uint32_t *ret_field, struct slice *ret_value)
{
	const uint8_t *at = rest->ptr, *end = rest->ptr + rest->len;
	uint64_t tag, n = 0;
	if (rest->len == 0 || wire_read_varint(&at, end, &tag) != WIRE_VARINT_OK)
		return false;
	*ret_field = (uint32_t)(tag >> 3);
	*ret_value = (struct slice){0};
	switch ((enum wire_type)(tag & 7)) {
	case WIRE_VARINT:
		wire_read_varint(&at, end, &n);
		n = 0;
		break;
	case WIRE_64:
		n = 8;
		break;
	case WIRE_32:
		n = 4;
		break;
	case WIRE_BYTES:
		if (wire_read_varint(&at, end, &n) > WIRE_VARINT_WIDE)
			return false;
		*ret_value = (struct slice){at, n};
		break;
	case WIRE_GROUP:
	case WIRE_GROUP_END:
		return false;
	}
	if (n > (size_t)(end - at))
		return false;
	*rest = (struct slice){at + n, (size_t)(end - at) - n};
	return true;
}

/* The last field of this number, as decoders have it. */
static struct slice find_field(struct slice message, uint32_t wanted)
{
	uint32_t field;
	struct slice value, found = {0};
	while (next_field(&message, &field, &value))
		if (field == wanted && value.ptr)
			found = value;
	return found;
}

/* Calls fn for each embedded message of a repeated field until it returns false. */
static bool each_message(struct slice message, uint32_t wanted, bool (*fn)(void *data, struct slice one), void *data)
{
	uint32_t field;
	struct slice value;
	while (next_field(&message, &field, &value))
		if (field == wanted && value.ptr && !fn(data, value))
			return false;
	return true;
}

struct walk {
	struct trace_visit visit;
	bool (*fn)(void *data, const struct trace_visit *v);
	void *data;
};

static bool walk_span(void *data, struct slice span)
{
	struct walk *w = data;
	w->visit.span = span;
	return w->fn(w->data, &w->visit);
}

static bool walk_scope(void *data, struct slice scope)
{
	struct walk *w = data;
	w->visit.scope = find_field(scope, 1);
	w->visit.schema = find_field(scope, 3);
	return each_message(scope, 2, walk_span, w);
}

static bool walk_resource(void *data, struct slice group)
{
	struct walk *w = data;
	w->visit.resource = find_field(group, 1);
	return each_message(group, 2, walk_scope, w);
}

bool trace_walk(GBytes *message, bool (*fn)(void *data, const struct trace_visit *v), void *data, GError **error)
{
	gsize n = 0;
	const uint8_t *bytes = g_bytes_get_data(message, &n);
	if (!guard_check(&otlp__export_trace_service_request__descriptor, bytes, n, error))
		return false;
	struct walk w = {.fn = fn, .data = data};
	each_message((struct slice){bytes, n}, 1, walk_resource, &w);
	return true;
}
