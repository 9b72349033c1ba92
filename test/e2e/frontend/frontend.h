/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend: a frontend for tests that speaks LLBBridge over its stdin and stdout. The option "mode" names what it does: a
 * correct build, or one of many kinds of misbehaviour. frontend_image.sh, frontend_hostile.sh and frontend_runtimes.sh make
 * images of it.
 *
 *	cc -static -o frontend *.c -lnghttp2
 *
 * A new mode is a function and a row in the table of its theme. Thread: one.
 */
#pragma once
#define _GNU_SOURCE
#include <nghttp2/nghttp2.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE "/moby.buildkit.v1.frontend.LLBBridge/"
#define LEN(array) (sizeof(array) / sizeof *(array))

struct mode {
	const char *name; /* NULL: the end of the table */
	void (*run)(void);
	bool raw; /* it writes the first bytes of the connection itself */
};
/* The modes by theme. */
extern const struct mode builds[], ends[], frames[], calls[];

/* ---- message.c: errors, options, bytes, protobuf and digests */

struct bytes {
	uint8_t *data;
	size_t n, size;
};
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
const char *option(const char *name);
void put(struct bytes *b, const void *data, size_t n);
void put_varint(struct bytes *b, uint64_t v);
void put_number(struct bytes *b, unsigned field, uint64_t v);
void put_field(struct bytes *b, unsigned field, const void *data, size_t n);
void put_text(struct bytes *b, unsigned field, const char *text);
void put_message(struct bytes *b, unsigned field, struct bytes m);
void put_entry(struct bytes *b, unsigned field, const char *key, const char *value);
bool take_varint(struct bytes *b, uint64_t *ret);
struct bytes get_nth(struct bytes m, unsigned field, unsigned nth);
struct bytes get(struct bytes m, unsigned field);
char *text_of(struct bytes b);
char *digest_text(struct bytes m);

/* ---- connection.c: HTTP/2 */

extern nghttp2_session *session; /* NULL in raw modes */
struct call {
	int32_t id;
	bool closed;
	int status; /* grpc-status; -1: none */
	char *message;
	struct bytes sent; /* the request with its prefix */
	size_t offset;
	struct bytes received;
};
__attribute__((noreturn)) void nap(void);
void write_all(const void *data, size_t n);
void flush(void);
void connect_daemon(void);
struct call *call_start_raw(const char *path, struct bytes sent);
struct call *call_start(const char *method, struct bytes request);
bool call_wait(struct call *c);
struct bytes reply_of(const struct call *c);
struct call *call_any(const char *method, struct bytes request);

/* ---- bridge.c: calls of LLBBridge */

void return_error(int code, const char *message);
struct bytes call(const char *method, struct bytes request);
struct bytes definition_of(struct bytes op);
struct bytes file_definition(const char *path, const void *data, size_t n);
struct bytes solve_request(struct bytes definition);
struct bytes frontend_request(const char *frontend, const char *source, const char *mode);
char *ref_of(struct bytes reply);
char *solve(struct bytes request);
struct bytes return_request(const char *ref);
void return_ref(const char *ref);
void return_file(const char *data);
struct call *read_file(const char *ref, const char *path);

/* ---- modes that others use */

void mode_wrap(void);
void mode_error(void);
