/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wire.h"
#include "api/guard.h"
#include "filesync.pb-c.h"
#include "ops.pb-c.h"
#include <string.h>

static void test_varint(void)
{
	static const struct {
		uint64_t value;
		size_t n;
	} rows[] = {{0, 1}, {1, 1}, {127, 1}, {128, 2}, {300, 2}, {16383, 2}, {16384, 3}, {UINT64_MAX, 10}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint8_t bytes[WIRE_VARINT_BYTES];
		const uint8_t *at = bytes;
		uint64_t value = 42;
		g_assert_cmpuint(wire_put_varint(bytes, rows[i].value), ==, rows[i].n);
		g_assert_cmpint(wire_read_varint(&at, bytes + rows[i].n, &value), ==, WIRE_VARINT_OK);
		g_assert_cmpuint(value, ==, rows[i].value);
		g_assert_true(at == bytes + rows[i].n);
		at = bytes;
		g_assert_cmpint(wire_read_varint(&at, bytes + rows[i].n - 1, &value), ==, WIRE_VARINT_SHORT);
	}
}

static void test_bad_varint(void)
{
	uint8_t bytes[12];
	const uint8_t *at = bytes;
	uint64_t value = 42;
	memset(bytes, 0x80, sizeof bytes);
	g_assert_cmpint(wire_read_varint(&at, bytes + sizeof bytes, &value), ==, WIRE_VARINT_LONG);
	g_assert_true(at == bytes + WIRE_VARINT_BYTES);
	g_assert_cmpuint(value, ==, 42);
	bytes[9] = 2; /* bit 64 */
	at = bytes;
	g_assert_cmpint(wire_read_varint(&at, bytes + sizeof bytes, &value), ==, WIRE_VARINT_WIDE);
	g_assert_cmpuint(value, ==, 0);
	bytes[9] = 1;
	at = bytes;
	g_assert_cmpint(wire_read_varint(&at, bytes + sizeof bytes, &value), ==, WIRE_VARINT_OK);
	g_assert_cmpuint(value, ==, UINT64_C(1) << 63);
}

/* The head and the payload are what protobuf-c packs, and are read back without a copy. */
static void test_bytes_message(void)
{
	static const size_t sizes[] = {1, 127, 128, 70000};
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree uint8_t *data = g_malloc0(sizes[i]);
		Filesync__BytesMessage m = FILESYNC__BYTES_MESSAGE__INIT;
		m.data = (ProtobufCBinaryData){sizes[i], data};
		g_autoptr(GBytes) packed = message_pack(&m);
		gsize n, n_payload = 0;
		const uint8_t *bytes = g_bytes_get_data(packed, &n), *payload = NULL;
		uint8_t head[WIRE_HEAD_BYTES];
		size_t n_head = wire_put_head(head, 1, sizes[i]);
		g_assert_cmpuint(n_head + sizes[i], ==, n);
		g_assert_cmpmem(head, n_head, bytes, n_head);
		g_assert_true(wire_read_bytes_message(bytes, n, &payload, &n_payload));
		g_assert_true(payload == bytes + n_head);
		g_assert_cmpuint(n_payload, ==, sizes[i]);
		g_assert_false(wire_read_bytes_message(bytes, n - 1, &payload, &n_payload));
	}
}

static void test_unusual_bytes_message(void)
{
	const uint8_t *payload = NULL;
	size_t n = 42;
	g_assert_true(wire_read_bytes_message((const uint8_t *)"", 0, &payload, &n));
	g_assert_cmpuint(n, ==, 0);
	g_assert_false(wire_read_bytes_message((const uint8_t *)"\x12\x01x", 3, &payload, &n));  /* field 2 */
	g_assert_false(wire_read_bytes_message((const uint8_t *)"\x0a", 1, &payload, &n));       /* no length */
	g_assert_false(wire_read_bytes_message((const uint8_t *)"\x0a\x01xy", 4, &payload, &n)); /* more behind it */
}

static void test_types(void)
{
	g_assert_cmpint(wire_type_of(PROTOBUF_C_TYPE_MESSAGE), ==, WIRE_BYTES);
	g_assert_cmpint(wire_type_of(PROTOBUF_C_TYPE_SFIXED32), ==, WIRE_32);
	g_assert_cmpint(wire_type_of(PROTOBUF_C_TYPE_DOUBLE), ==, WIRE_64);
	g_assert_cmpint(wire_type_of(PROTOBUF_C_TYPE_ENUM), ==, WIRE_VARINT);
	g_assert_cmpuint(wire_value_size(PROTOBUF_C_TYPE_BOOL), ==, sizeof((Pb__Mount *)0)->readonly);
	g_assert_cmpuint(wire_value_size(PROTOBUF_C_TYPE_BYTES), ==, sizeof((Filesync__BytesMessage *)0)->data);
	g_assert_cmpuint(wire_value_size(PROTOBUF_C_TYPE_INT64), ==, sizeof((Pb__Mount *)0)->input);
	g_assert_cmpuint(wire_value_size(PROTOBUF_C_TYPE_STRING), ==, sizeof((Pb__Mount *)0)->dest);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/varint", test_varint);
	g_test_add_func("/bad-varint", test_bad_varint);
	g_test_add_func("/bytes-message", test_bytes_message);
	g_test_add_func("/unusual-bytes-message", test_unusual_bytes_message);
	g_test_add_func("/types", test_types);
	return g_test_run();
}
