/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "base/limits.h"
#include "control.pb-c.h"
#include "filesync.pb-c.h"
#include "fsutil.pb-c.h"
#include "health.pb-c.h"
#include "ops.pb-c.h"
#include "status.pb-c.h"

static void test_copy(void)
{
	Fsutil__Stat stat = FSUTIL__STAT__INIT;
	Fsutil__Packet packet = FSUTIL__PACKET__INIT;
	stat.path = (char *)"a/b";
	stat.mode = 0644;
	packet.stat = &stat;
	packet.id = 7;
	Fsutil__Packet *copy = message_copy(&packet);
	g_assert_cmpstr(copy->stat->path, ==, "a/b");
	g_assert_cmpuint(copy->id, ==, 7);
	guard_free(copy);
	guard_free(NULL);
	g_autoptr(GError) error = NULL;
	Fsutil__Packet *empty = guard_unpack(&fsutil__packet__descriptor, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_null(empty->stat);
	guard_free(empty);
}

static void refused(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t n, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autofree uint8_t *exact = g_memdup2(bytes, n);
	g_assert_null(guard_unpack(descriptor, exact, n, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
	g_assert_nonnull(strstr(error->message, text));
}

static void test_malformed(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} cases[] = {
		{"\x08", 1, "type: truncated"},
		{"\x12\x05\x0a", 3, "stat: length beyond"},
		{"\x12\x03\x0a\x05x", 5, "path: length beyond"},
		{"\x12\x03\x0a\x01\xff", 5, "path: not valid UTF-8"},
		{"\x12\x03\x0a\x01\x00", 5, "path: not valid UTF-8"},
		{"\x0a\x00", 2, "type: wrong wire type"},
		{"\x00\x00", 2, "malformed field tag"},
		{"\x7b", 1, "unknown field: malformed"},
		{"\x7a\xff\xff\xff\xff\x0f", 6, "unknown field: malformed"},
		{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "type: truncated"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, "malformed field tag"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		refused(&fsutil__packet__descriptor, cases[i].bytes, cases[i].n, cases[i].text);
}

/* Nesting in pb.Definition.Source.locations... is limited; a message type that contains itself is constructed here. */
static const ProtobufCMessageDescriptor loop_descriptor;
static const ProtobufCFieldDescriptor loop_fields[] = {
	{"self", 1, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_MESSAGE, 0, 0, &loop_descriptor, NULL, 0, 0, NULL, NULL},
};
static const unsigned loop_indices[] = {0};
static const ProtobufCIntRange loop_ranges[] = {{1, 0}, {0, 1}};
static const ProtobufCMessageDescriptor loop_descriptor = {
	PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	"loop",
	"Loop",
	"Loop",
	"",
	sizeof(ProtobufCMessage) + 8,
	1,
	loop_fields,
	loop_indices,
	1,
	loop_ranges,
	NULL,
	NULL,
	NULL,
	NULL,
};

static GBytes *nest(size_t levels)
{
	/* Encoded from the innermost message outwards, in reverse. */
	g_autoptr(GByteArray) reversed = g_byte_array_new();
	for (size_t i = 1; i < levels; i++) {
		size_t n = reversed->len;
		uint8_t length[] = {(uint8_t)(n >> 7), (uint8_t)((n & 0x7f) | (n >= 0x80 ? 0x80 : 0)), 0x0a};
		g_byte_array_append(reversed, n >= 0x80 ? length : length + 1, n >= 0x80 ? 3 : 2);
	}
	uint8_t *bytes = g_malloc(reversed->len + 1);
	for (guint i = 0; i < reversed->len; i++)
		bytes[i] = reversed->data[reversed->len - 1 - i];
	return g_bytes_new_take(bytes, reversed->len);
}

static void test_depth(void)
{
	for (size_t levels = 1; levels <= 102; levels++) {
		g_autoptr(GBytes) bytes = nest(levels);
		gsize n;
		const uint8_t *p = g_bytes_get_data(bytes, &n);
		g_autoptr(GError) error = NULL;
		bool ok = guard_check(&loop_descriptor, p, n, &error);
		g_assert_cmpint(ok, ==, levels <= (size_t)LIMIT_PROTO_DEPTH);
	}
}

static void test_repeated(void)
{
	size_t n = (size_t)LIMIT_PROTO_REPEATED;
	g_autofree uint8_t *bytes = g_malloc((n + 1) * 2);
	for (size_t i = 0; i <= n; i++) {
		bytes[2 * i] = 3 << 3 | 2; /* google.rpc.Status.details */
		bytes[2 * i + 1] = 0;
	}
	g_autoptr(GError) error = NULL;
	g_assert_true(guard_check(&google__status__descriptor, bytes, n * 2, &error));
	g_assert_false(guard_check(&google__status__descriptor, bytes, (n + 1) * 2, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

static void test_unknown_bytes(void)
{
	size_t limit = (size_t)LIMIT_PROTO_UNKNOWN_BYTES;
	for (size_t n = limit; n <= limit + 1; n++) {
		g_autofree uint8_t *bytes = g_malloc0(n);
		size_t body = n - 4;
		bytes[0] = 15 << 3 | 2;
		bytes[1] = (uint8_t)(body & 0x7f) | 0x80;
		bytes[2] = (uint8_t)(body >> 7 & 0x7f) | 0x80;
		bytes[3] = (uint8_t)(body >> 14);
		g_assert_cmpint(guard_check(&filesync__bytes_message__descriptor, bytes, n, NULL), ==, n == limit);
	}
}

static void test_all_descriptors_take_nothing(void)
{
	static const ProtobufCMessageDescriptor *const all[] = {
		&control__solve_request__descriptor,
		&control__status_response__descriptor,
		&pb__definition__descriptor,
		&pb__op__descriptor,
		&health__health_list_response__descriptor,
	};
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		void *m = guard_unpack(all[i], NULL, 0, NULL);
		g_assert_nonnull(m);
		guard_free(m);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/guard/copy", test_copy);
	g_test_add_func("/guard/malformed", test_malformed);
	g_test_add_func("/guard/depth", test_depth);
	g_test_add_func("/guard/repeated", test_repeated);
	g_test_add_func("/guard/unknown-bytes", test_unknown_bytes);
	g_test_add_func("/guard/all-descriptors-take-nothing", test_all_descriptors_take_nothing);
	return g_test_run();
}
