/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that are not HTTP/2, and frames that break its rules. */
#include "frontend.h"

static void mode_garbage(void)
{
	write_all("Starting the frontend ...\n", 26);
	nap();
}

static void mode_garbage_exit(void)
{
	write_all("Starting the frontend ...\n", 26);
}

static void mode_http1(void)
{
	static const char text[] = "POST /x HTTP/1.1\r\nHost: localhost\r\n\r\n";
	write_all(text, sizeof text - 1);
	nap();
}

static void frame(unsigned type, unsigned flags, uint32_t stream, const void *payload, uint32_t n)
{
	uint8_t head[9] = {(uint8_t)(n >> 16),      (uint8_t)(n >> 8),      (uint8_t)n,
			   (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
			   (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
	write_all(head, sizeof head);
	if (payload)
		write_all(payload, n);
}

static void raw_start(void)
{
	write_all(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	frame(4, 0, 0, NULL, 0);
}

static void mode_zeros(void)
{
	static const char zeros[65536];
	raw_start();
	for (int i = 0; i < 200; i++)
		write_all(zeros, sizeof zeros);
	nap();
}

static void mode_ping_flood(void)
{
	raw_start();
	for (int i = 0; i < 1000000; i++)
		frame(6, 0, 0, "01234567", 8);
	nap();
}

static void mode_settings_flood(void)
{
	raw_start();
	for (int i = 0; i < 1000000; i++)
		frame(4, 0, 0, NULL, 0);
	nap();
}

/* Headers of a POST: indexed :method, :scheme, literal :path and :authority. */
static const uint8_t request_headers[] = {0x83, 0x86, 0x44, 2, '/', 'x', 0x41, 1, 'h'};

static void mode_reset_flood(void)
{
	raw_start();
	for (uint32_t id = 1; id < 200001; id += 2) {
		frame(1, 4, id, request_headers, sizeof request_headers);
		frame(3, 0, id, "\0\0\0\10", 4);
	}
	nap();
}

static void mode_continuation_flood(void)
{
	raw_start();
	frame(1, 0, 1, request_headers, sizeof request_headers);
	for (int i = 0; i < 100000; i++)
		frame(9, 0, 1, "", 0);
	nap();
}

static void mode_empty_data_flood(void)
{
	raw_start();
	frame(1, 4, 1, request_headers, sizeof request_headers);
	for (int i = 0; i < 1000000; i++)
		frame(0, 0, 1, "", 0);
}

static void mode_window_overflow(void)
{
	raw_start();
	frame(8, 0, 0, "\x7f\xff\xff\xff", 4);
	frame(8, 0, 0, "\x7f\xff\xff\xff", 4);
	nap();
}

static void mode_long_frame(void)
{
	raw_start();
	frame(0, 0, 1, NULL, 0xffffff);
	nap();
}

static void mode_data_without_stream(void)
{
	raw_start();
	frame(0, 0, 0, "data", 4);
	nap();
}

static void mode_push_promise(void)
{
	raw_start();
	frame(1, 4, 1, request_headers, sizeof request_headers);
	frame(5, 4, 1, "\0\0\0\2\x83", 5);
	nap();
}

static void mode_bad_hpack(void)
{
	raw_start();
	frame(1, 5, 1, "\xff\xff\xff\xff\xff\xff\xff", 7);
	nap();
}

const struct mode frames[] = {
	{"garbage", mode_garbage, true},
	{"garbage-exit", mode_garbage_exit, true},
	{"http1", mode_http1, true},
	{"zeros", mode_zeros, true},
	{"ping-flood", mode_ping_flood, true},
	{"settings-flood", mode_settings_flood, true},
	{"reset-flood", mode_reset_flood, true},
	{"continuation-flood", mode_continuation_flood, true},
	{"empty-data-flood", mode_empty_data_flood, true},
	{"window-overflow", mode_window_overflow, true},
	{"long-frame", mode_long_frame, true},
	{"data-without-stream", mode_data_without_stream, true},
	{"push-promise", mode_push_promise, true},
	{"bad-hpack", mode_bad_hpack, true},
	{NULL, NULL, false},
};
