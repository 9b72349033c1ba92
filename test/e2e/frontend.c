/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend: a frontend for tests that speaks LLBBridge over its stdin and stdout. The option "mode" names what it does:
 * a correct build, or one of many kinds of misbehaviour. frontend_image.sh and frontend_hostile.sh make an image of it.
 *
 *	cc -static -o frontend frontend.c -lnghttp2
 */
#define _GNU_SOURCE
#include <nghttp2/nghttp2.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE "/moby.buildkit.v1.frontend.LLBBridge/"
#define LEN(array) (sizeof(array) / sizeof *(array))

extern char **environ;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(7);
}

/* Returns an option of the request, or NULL. */
static const char *option(const char *name)
{
	size_t n = strlen(name);
	for (char **e = environ; *e; e++) {
		const char *value = strncmp(*e, "BUILDKIT_FRONTEND_OPT_", 22) == 0 ? strchr(*e, '=') : NULL;
		if (value && strncmp(value + 1, name, n) == 0 && value[1 + n] == '=')
			return value + n + 2;
	}
	return NULL;
}

/* ---- bytes and protobuf */

struct bytes {
	uint8_t *data;
	size_t n, size;
};

static void put(struct bytes *b, const void *data, size_t n)
{
	if (b->n + n > b->size) {
		b->size = 2 * (b->n + n) + 64;
		b->data = realloc(b->data, b->size);
		if (!b->data)
			die("no memory");
	}
	if (n > 0)
		memcpy(b->data + b->n, data, n);
	b->n += n;
}

static void put_varint(struct bytes *b, uint64_t v)
{
	do {
		uint8_t byte = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
		put(b, &byte, 1);
		v >>= 7;
	} while (v > 0);
}

static void put_number(struct bytes *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

static void put_field(struct bytes *b, unsigned field, const void *data, size_t n)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	put(b, data, n);
}

static void put_text(struct bytes *b, unsigned field, const char *text)
{
	put_field(b, field, text, strlen(text));
}

static void put_message(struct bytes *b, unsigned field, struct bytes m)
{
	put_field(b, field, m.data, m.n);
	free(m.data);
}

/* An entry of a map of texts. */
static void put_entry(struct bytes *b, unsigned field, const char *key, const char *value)
{
	struct bytes entry = {0};
	put_text(&entry, 1, key);
	put_text(&entry, 2, value);
	put_message(b, field, entry);
}

static bool take_varint(struct bytes *b, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; b->n > 0 && shift < 64; shift += 7) {
		uint8_t byte = *b->data++;
		b->n--;
		*ret |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return false;
}

/* Returns the nth value of a field of bytes; an empty one if there is none. */
static struct bytes get_nth(struct bytes m, unsigned field, unsigned nth)
{
	uint64_t tag, v;
	while (m.n > 0 && take_varint(&m, &tag)) {
		if ((tag & 7) > 2 || (tag & 7) == 1 || !take_varint(&m, &v))
			break;
		if ((tag & 7) == 0)
			continue;
		if (v > m.n)
			break;
		if (tag >> 3 == field && nth-- == 0)
			return (struct bytes){.data = m.data, .n = v};
		m.data += v;
		m.n -= v;
	}
	return (struct bytes){0};
}

static struct bytes get(struct bytes m, unsigned field)
{
	return get_nth(m, field, 0);
}

static char *text_of(struct bytes b)
{
	return strndup(b.data ? (const char *)b.data : "", b.n);
}

/* ---- SHA-256, for the digests of ops (FIPS 180-4) */

static uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void sha_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], v[8];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
		       p[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t a = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
			     ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
		uint32_t b = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
			     ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += a;
		v[0] = a + b;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

/* Returns "sha256:..."; owned by the caller. */
static char *digest_text(struct bytes m)
{
	uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	struct bytes padded = {0};
	uint64_t bits = (uint64_t)m.n * 8;
	put(&padded, m.data, m.n);
	put(&padded, "\x80", 1);
	while (padded.n % 64 != 56)
		put(&padded, "", 1);
	for (int i = 7; i >= 0; i--)
		put(&padded, &(uint8_t){(uint8_t)(bits >> (8 * i))}, 1);
	for (size_t i = 0; i < padded.n; i += 64)
		sha_block(h, padded.data + i);
	free(padded.data);
	char *text = malloc(80);
	char *p = stpcpy(text, "sha256:");
	for (int i = 0; i < 8; i++)
		p += sprintf(p, "%08x", h[i]);
	return text;
}

/* ---- HTTP/2 */

static nghttp2_session *session; /* NULL in raw modes */

/* A process that is recognised by its command line, "sleep NAP"; it ends only when it is killed. */
__attribute__((noreturn)) static void nap(void)
{
	execl("/proc/self/exe", "sleep", option("nap") ? option("nap") : "0", NULL);
	die("exec: %s", strerror(errno));
}

static void write_all(const void *data, size_t n)
{
	const char *p = data;
	while (n > 0) {
		ssize_t written = write(1, p, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && !session) /* a raw mode, whose connection the daemon has closed */
			nap();
		if (written < 0)
			die("write: %s", strerror(errno));
		p += written;
		n -= (size_t)written;
	}
}

struct call {
	int32_t id;
	bool closed;
	int status; /* grpc-status; -1: none */
	char *message;
	struct bytes sent; /* the request with its prefix */
	size_t offset;
	struct bytes received;
};
static ssize_t on_send(nghttp2_session *s, const uint8_t *data, size_t n, int flags, void *user)
{
	write_all(data, n);
	return (ssize_t)n;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t n_name,
		     const uint8_t *value, size_t n_value, uint8_t flags, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(s, frame->hd.stream_id);
	if (c && n_name == 11 && memcmp(name, "grpc-status", 11) == 0)
		c->status = atoi((const char *)value);
	if (c && n_name == 12 && memcmp(name, "grpc-message", 12) == 0) {
		free(c->message);
		c->message = strndup((const char *)value, n_value);
	}
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(s, id);
	if (c)
		put(&c->received, data, n);
	return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t error, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(s, id);
	if (c)
		c->closed = true;
	return 0;
}

static ssize_t read_request(nghttp2_session *s, int32_t id, uint8_t *buffer, size_t n, uint32_t *flags,
			    nghttp2_data_source *source, void *user)
{
	struct call *c = source->ptr;
	size_t rest = c->sent.n - c->offset;
	if (n > rest)
		n = rest;
	memcpy(buffer, c->sent.data + c->offset, n);
	c->offset += n;
	if (c->offset == c->sent.n)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void flush(void)
{
	if (nghttp2_session_send(session) != 0)
		die("HTTP/2: cannot send");
}

static void connect_daemon(void)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_client_new(&session, callbacks, NULL);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
	flush();
}

#define HEADER(name, value)                                                                                            \
	{                                                                                                              \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE               \
	}

/* Starts a call with a request that has its prefix already. */
static struct call *call_start_raw(const char *path, struct bytes sent)
{
	struct call *c = calloc(1, sizeof *c);
	c->status = -1;
	c->sent = sent;
	const nghttp2_nv headers[] = {HEADER(":method", "POST"),
				      HEADER(":scheme", "http"),
				      HEADER(":path", path),
				      HEADER(":authority", "localhost"),
				      HEADER("content-type", "application/grpc"),
				      HEADER("te", "trailers")};
	nghttp2_data_provider provider = {.source.ptr = c, .read_callback = read_request};
	c->id = nghttp2_submit_request(session, NULL, headers, LEN(headers), &provider, c);
	flush();
	return c;
}

static struct call *call_start(const char *method, struct bytes request)
{
	char path[200];
	struct bytes sent = {0};
	uint8_t prefix[5] = {0, (uint8_t)(request.n >> 24), (uint8_t)(request.n >> 16), (uint8_t)(request.n >> 8),
			     (uint8_t)request.n};
	snprintf(path, sizeof path, "%s%s", *method == '/' ? "" : SERVICE, method);
	put(&sent, prefix, sizeof prefix);
	put(&sent, request.data, request.n);
	free(request.data);
	return call_start_raw(path, sent);
}

/* Waits for the end of the call; false if the connection ended before. */
static bool call_wait(struct call *c)
{
	static uint8_t buffer[65536];
	while (!c->closed) {
		ssize_t n = read(0, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || nghttp2_session_mem_recv(session, buffer, (size_t)n) < 0)
			return false;
		flush();
	}
	return true;
}

static struct bytes reply_of(const struct call *c)
{
	return c->received.n > 5 ? (struct bytes){.data = c->received.data + 5, .n = c->received.n - 5}
				 : (struct bytes){0};
}

/* Runs a call and returns it whatever its status is. */
static struct call *call_any(const char *method, struct bytes request)
{
	struct call *c = call_start(method, request);
	if (!call_wait(c))
		die("%s: the connection ended", method);
	return c;
}

/* ---- LLBBridge */

static void return_error(int code, const char *message)
{
	struct bytes request = {0}, status = {0};
	put_number(&status, 1, (uint64_t)code);
	put_text(&status, 2, message);
	put_message(&request, 2, status);
	struct call *c = call_any("Return", request);
	if (c->status != 0)
		die("Return: %d %s", c->status, c->message);
}

/* Runs a call that must succeed; its error is that of the build. */
static struct bytes call(const char *method, struct bytes request)
{
	struct call *c = call_any(method, request);
	if (c->status != 0) {
		return_error(c->status, c->message ? c->message : "");
		exit(0);
	}
	return reply_of(c);
}

/* Definition of one op, whose output 0 is the result. */
static struct bytes definition_of(struct bytes op)
{
	struct bytes definition = {0}, input = {0}, last = {0}, entry = {0}, metadata = {0};
	char *digest = digest_text(op);
	put_text(&input, 1, digest);
	put_message(&last, 1, input);
	put_message(&definition, 1, op);
	put_text(&entry, 1, digest);
	put_message(&entry, 2, metadata);
	put_message(&definition, 1, last);
	put_message(&definition, 2, entry);
	free(digest);
	return definition;
}

/* A tree with one file. */
static struct bytes file_definition(const char *path, const void *data, size_t n)
{
	struct bytes op = {0}, file = {0}, action = {0}, mkfile = {0};
	put_text(&mkfile, 1, path);
	put_number(&mkfile, 2, 0644);
	put_field(&mkfile, 3, data, n);
	put_number(&mkfile, 5, (uint64_t)-1);
	put_number(&action, 1, (uint64_t)-1);
	put_number(&action, 2, (uint64_t)-1);
	put_message(&action, 5, mkfile);
	put_message(&file, 2, action);
	put_message(&op, 4, file);
	put_message(&op, 11, (struct bytes){0});
	return definition_of(op);
}

static struct bytes solve_request(struct bytes definition)
{
	struct bytes request = {0};
	put_message(&request, 1, definition);
	put_number(&request, 5, 1); /* allowResultReturn */
	put_number(&request, 6, 1); /* allowResultArrayRef */
	return request;
}

/* A request X, except "mode", "source" and "cmdline". */
static struct bytes frontend_request(const char *frontend, const char *source, const char *mode)
{
	struct bytes request = {0};
	put_text(&request, 2, frontend);
	for (char **e = environ; *e; e++) {
		const char *value = strncmp(*e, "BUILDKIT_FRONTEND_OPT_", 22) == 0 ? strchr(*e, '=') : NULL;
		const char *second = value ? strchr(value + 1, '=') : NULL;
		if (!second)
			continue;
		char *key = strndup(value + 1, (size_t)(second - value - 1));
		if (strcmp(key, "mode") != 0 && strcmp(key, "source") != 0)
			put_entry(&request, 3, key, second + 1);
		free(key);
	}
	if (source)
		put_entry(&request, 3, "source", source);
	else
		put_entry(&request, 3, "cmdline", "");
	if (mode)
		put_entry(&request, 3, "mode", mode);
	put_number(&request, 5, 1);
	put_number(&request, 6, 1);
	return request;
}

/* The id of the single ref in a reply of Solve. */
static char *ref_of(struct bytes reply)
{
	return text_of(get(get(get(reply, 3), 3), 1));
}

static char *solve(struct bytes request)
{
	return ref_of(call("Solve", request));
}

static struct bytes return_request(const char *ref)
{
	struct bytes request = {0}, result = {0}, one = {0}, entry = {0};
	put_text(&one, 1, ref);
	put_message(&result, 3, one);
	put_text(&entry, 1, "frontend.test");
	put_text(&entry, 2, "seen");
	put_message(&result, 10, entry);
	put_message(&request, 1, result);
	return request;
}

static void return_ref(const char *ref)
{
	call("Return", return_request(ref));
}

static void return_file(const char *data)
{
	return_ref(solve(solve_request(file_definition("/answer", data, strlen(data)))));
}

static struct call *read_file(const char *ref, const char *path)
{
	struct bytes request = {0};
	put_text(&request, 1, ref);
	put_text(&request, 2, path);
	return call_any("ReadFile", request);
}

/* ---- correct modes */

static void mode_wrap(void)
{
	return_ref(solve(frontend_request("dockerfile.v0", NULL, NULL)));
}

/* What the process was started with. */
static void mode_env(void)
{
	struct bytes text = {0};
	char line[4200], cwd[4096];
	struct stat st;
	for (char **e = environ; *e; e++) {
		put(&text, *e, strlen(*e));
		put(&text, "\n", 1);
	}
	int n = snprintf(line, sizeof line, "cwd %s\nuid %d\n", getcwd(cwd, sizeof cwd), (int)getuid());
	put(&text, line, (size_t)n);
	int found = stat("/run/config/buildkit/metadata/frontend.bin", &st);
	n = snprintf(line, sizeof line, "metadata %d %o\n", found == 0 && st.st_size > 0, found == 0 ? st.st_mode : 0);
	put(&text, line, (size_t)n);
	int fd = open("/written", O_WRONLY | O_CREAT, 0600);
	n = snprintf(line, sizeof line, "writable %d\ninterfaces %d\n", fd >= 0,
		     access("/sys/class/net/eth0", F_OK) == 0 || access("/proc/net/dev", F_OK) == 0);
	put(&text, line, (size_t)n);
	put(&text, "", 1);
	return_file((const char *)text.data);
}

/* Reads a file of the input "in", from which the client has sent a definition. */
static void mode_inputs(void)
{
	struct bytes reply = call("Inputs", (struct bytes){0});
	struct bytes entry = get(reply, 1);
	char *name = text_of(get(entry, 1));
	if (strcmp(name, "in") != 0)
		die("no input but \"%s\"", name);
	struct bytes definition = {0}, value = get(entry, 2);
	put(&definition, value.data, value.n);
	char *ref = solve(solve_request(definition));
	struct call *c = read_file(ref, "/hello");
	if (c->status != 0)
		die("ReadFile: %s", c->message);
	return_ref(ref);
}

/* Requests itself with the input "in". */
static void mode_pass_inputs(void)
{
	struct bytes request = frontend_request("gateway.v0", option("source"), "inputs"), entry = {0};
	put_text(&entry, 1, "in");
	put_message(&entry, 2, file_definition("/hello", "hello", 5));
	put_message(&request, 13, entry);
	return_ref(solve(request));
}

static void mode_ping(void)
{
	struct bytes reply = call("Ping", (struct bytes){0});
	struct bytes text = {0};
	for (unsigned i = 0; get_nth(reply, 1, i).data; i++) {
		struct bytes id = get(get_nth(reply, 1, i), 1);
		put(&text, id.data, id.n);
		put(&text, "\n", 1);
	}
	struct call *health = call_any("/grpc.health.v1.Health/Check", (struct bytes){0});
	put(&text, health->status == 0 ? "healthy\n" : "ill\n", health->status == 0 ? 8 : 4);
	put(&text, "", 1);
	return_file((const char *)text.data);
}

static void mode_error(void)
{
	return_error(5, "the frontend says no");
}

/* Requests itself as a frontend. */
static void mode_nested(void)
{
	return_ref(solve(frontend_request("gateway.v0", option("source"), "wrap")));
}

/* A container that it does not release. */
static void mode_container(void)
{
	char *ref = solve(solve_request(file_definition("/x", "in a container", 14)));
	struct bytes request = {0}, mount = {0};
	put_text(&request, 1, "c1");
	put_text(&mount, 3, "/");
	put_text(&mount, 23, ref);
	put_message(&request, 2, mount);
	call("NewContainer", request);
	struct bytes read = {0};
	put_text(&read, 1, "c1");
	put_text(&read, 2, "/x");
	char *text = text_of(get(call("ReadFileContainer", read), 1));
	return_file(text);
}

static void mode_log(void)
{
	fputs("a line of the frontend\n", stderr);
	mode_wrap();
}

/* ---- the end of the process */

static void mode_hang(void)
{
	nap();
}

static void mode_exit0(void)
{
}

static void mode_exit3(void)
{
	exit(3);
}

/* Not by abort or kill: signals that the first process of a namespace sends to itself have no effect. */
static void mode_crash(void)
{
	*(volatile int *)8 = 0;
}

static void mode_return_hang(void)
{
	mode_wrap();
	nap();
}

static void mode_return_exit5(void)
{
	mode_wrap();
	exit(5);
}

static void mode_error_exit5(void)
{
	mode_error();
	exit(5);
}

/* Processes in other sessions and without the pipes. */
static void mode_leak(void)
{
	for (int i = 0; i < 3; i++) {
		if (fork() != 0)
			continue;
		setsid();
		for (int fd = 0; fd < 10; fd++)
			close(fd);
		nap();
	}
	mode_wrap();
}

static void mode_close_stdout(void)
{
	close(1);
	nap();
}

static void mode_close_stdin(void)
{
	close(0);
	struct bytes request = {0};
	call_start("Ping", request);
	nap();
}

static void mode_log_flood(void)
{
	char line[1000];
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	for (int i = 0; i < 20000; i++)
		fwrite(line, 1, sizeof line, stderr);
	mode_wrap();
}

static void mode_log_binary(void)
{
	for (int i = 0; i < 1000; i++)
		fputc(i & 255, stderr);
	mode_wrap();
}

/* ---- bytes that are not HTTP/2 */

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

/* ---- messages that are not gRPC or not protobuf */

/* The error of a call is that of the build, so that the test sees it. */
static void return_status_of(struct call *c)
{
	if (!call_wait(c))
		die("the connection ended");
	return_error(c->status > 0 ? c->status : 2, c->message ? c->message : "the call worked");
}

static void raw_call(const void *prefix, size_t n_body)
{
	struct bytes sent = {0};
	uint8_t *body = calloc(1, n_body + 1);
	put(&sent, prefix, 5);
	put(&sent, body, n_body);
	free(body);
	return_status_of(call_start_raw(SERVICE "Ping", sent));
}

static void mode_large_message(void)
{
	raw_call("\0\2\0\0\0", 1 << 25);
}

static void mode_short_message(void)
{
	raw_call("\0\0\0\0\x64", 10);
}

static void mode_compressed(void)
{
	raw_call("\1\0\0\0\4", 4);
}

static void mode_bad_protobuf(void)
{
	struct bytes request = {0};
	put(&request, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11);
	return_status_of(call_start("Solve", request));
}

static void mode_unknown_method(void)
{
	return_status_of(call_start("Nothing", (struct bytes){0}));
}

static void mode_unknown_service(void)
{
	return_status_of(call_start("/moby.buildkit.v1.Control/ListWorkers", (struct bytes){0}));
}

/* ---- requests that ask for what they must not get */

static void mode_solve_garbage(void)
{
	struct bytes definition = {0};
	put_text(&definition, 1, "this is no op");
	return_status_of(call_start("Solve", solve_request(definition)));
}

static void mode_solve_missing_input(void)
{
	struct bytes definition = {0}, op = {0}, input = {0};
	put_text(&input, 1, "sha256:1111111111111111111111111111111111111111111111111111111111111111");
	put_message(&op, 1, input);
	put_message(&definition, 1, op);
	return_status_of(call_start("Solve", solve_request(definition)));
}

static void mode_solve_both(void)
{
	struct bytes request = solve_request(file_definition("/x", "x", 1));
	put_text(&request, 2, "dockerfile.v0");
	return_status_of(call_start("Solve", request));
}

static void mode_unknown_frontend(void)
{
	return_status_of(call_start("Solve", frontend_request("nothing.v0", NULL, NULL)));
}

/* A step on the host's network, which the build does not allow. */
static void mode_network(void)
{
	struct bytes op = {0}, exec = {0}, meta = {0}, mount = {0};
	put_text(&meta, 1, "/true");
	put_text(&meta, 3, "/");
	put_message(&exec, 1, meta);
	put_number(&mount, 1, (uint64_t)-1);
	put_text(&mount, 3, "/");
	put_message(&exec, 2, mount);
	put_number(&exec, 3, 1);
	put_message(&op, 2, exec);
	return_status_of(call_start("Solve", solve_request(definition_of(op))));
}

static void mode_read_unknown(void)
{
	return_status_of(read_file("nothing", "/etc/passwd"));
}

/* Paths are resolved inside of the tree. */
static void mode_read_outside(void)
{
	char *ref = solve(solve_request(file_definition("/x", "x", 1)));
	return_status_of(read_file(ref, "../../../../../../etc/passwd"));
}

static void mode_recursion(void)
{
	return_status_of(call_start("Solve", frontend_request("gateway.v0", option("source"), "recursion")));
}

/* More frontends at once than a build may have; all but this one hang. */
static void mode_breadth(void)
{
	struct call *calls[100];
	for (size_t i = 0; i < LEN(calls); i++)
		calls[i] = call_start("Solve", frontend_request("gateway.v0", option("source"), "hang"));
	for (;;) {
		for (size_t i = 0; i < LEN(calls); i++)
			if (calls[i]->closed) {
				return_status_of(calls[i]);
				return;
			}
		uint8_t buffer[4096];
		ssize_t n = read(0, buffer, sizeof buffer);
		if (n <= 0 || nghttp2_session_mem_recv(session, buffer, (size_t)n) < 0)
			die("the connection ended");
		flush();
	}
}

/* Calls whose replies are never read. */
static void mode_unread(void)
{
	size_t size = 1 << 20;
	char *data = malloc(size);
	memset(data, 'x', size);
	char *ref = solve(solve_request(file_definition("/x", data, size)));
	for (int i = 0; i < 300; i++) {
		struct bytes request = {0};
		put_text(&request, 1, ref);
		put_text(&request, 2, "/x");
		call_start("ReadFile", request);
	}
	nap();
}

/* ---- results that make no sense */

static void mode_return_nothing(void)
{
	return_status_of(call_start("Return", (struct bytes){0}));
}

static void mode_return_both(void)
{
	struct bytes request = {0}, status = {0};
	put_number(&status, 1, 3);
	put_message(&request, 1, (struct bytes){0});
	put_message(&request, 2, status);
	return_status_of(call_start("Return", request));
}

static void mode_return_unknown(void)
{
	return_status_of(call_start("Return", return_request("nothing")));
}

static void mode_return_twice(void)
{
	char *ref = solve(frontend_request("dockerfile.v0", NULL, NULL));
	return_ref(ref);
	struct call *c = call_any("Return", return_request(ref));
	if (c->status == 0 || !c->message || strcmp(c->message, "gateway result is already set") != 0)
		die("the second Return: %d %s", c->status, c->message);
}

/* A config that is not JSON, for an exporter of images. */
static void mode_bad_config(void)
{
	struct bytes request = {0}, result = {0}, one = {0}, entry = {0};
	char *ref = solve(solve_request(file_definition("/x", "x", 1)));
	put_text(&one, 1, ref);
	put_message(&result, 3, one);
	put_text(&entry, 1, "containerimage.config");
	put_text(&entry, 2, "{");
	put_message(&result, 10, entry);
	put_message(&request, 1, result);
	call("Return", request);
}

static void mode_bad_warning(void)
{
	struct bytes request = {0};
	put_text(&request, 1, "no digest");
	put_number(&request, 2, 1u << 31);
	put_text(&request, 3, "\xff\xfe");
	call_any("Warn", request);
	mode_wrap();
}

/* ---- the table */

static const struct {
	const char *name;
	void (*run)(void);
	bool raw; /* it writes the first bytes of the connection itself */
} modes[] = {
	{"wrap", mode_wrap, false},
	{"env", mode_env, false},
	{"inputs", mode_inputs, false},
	{"pass-inputs", mode_pass_inputs, false},
	{"ping", mode_ping, false},
	{"error", mode_error, false},
	{"nested", mode_nested, false},
	{"container", mode_container, false},
	{"log", mode_log, false},
	{"hang", mode_hang, false},
	{"silence", mode_hang, true},
	{"exit0", mode_exit0, false},
	{"exit3", mode_exit3, false},
	{"crash", mode_crash, false},
	{"return-hang", mode_return_hang, false},
	{"return-exit5", mode_return_exit5, false},
	{"error-exit5", mode_error_exit5, false},
	{"leak", mode_leak, false},
	{"close-stdout", mode_close_stdout, false},
	{"close-stdin", mode_close_stdin, false},
	{"log-flood", mode_log_flood, false},
	{"log-binary", mode_log_binary, false},
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
	{"large-message", mode_large_message, false},
	{"short-message", mode_short_message, false},
	{"compressed", mode_compressed, false},
	{"bad-protobuf", mode_bad_protobuf, false},
	{"unknown-method", mode_unknown_method, false},
	{"unknown-service", mode_unknown_service, false},
	{"solve-garbage", mode_solve_garbage, false},
	{"solve-missing-input", mode_solve_missing_input, false},
	{"solve-both", mode_solve_both, false},
	{"unknown-frontend", mode_unknown_frontend, false},
	{"network", mode_network, false},
	{"read-unknown", mode_read_unknown, false},
	{"read-outside", mode_read_outside, false},
	{"recursion", mode_recursion, false},
	{"breadth", mode_breadth, false},
	{"unread", mode_unread, false},
	{"return-nothing", mode_return_nothing, false},
	{"return-both", mode_return_both, false},
	{"return-unknown", mode_return_unknown, false},
	{"return-twice", mode_return_twice, false},
	{"bad-config", mode_bad_config, false},
	{"bad-warning", mode_bad_warning, false},
};

int main(int argc, char **argv)
{
	const char *mode = option("mode");
	if (strcmp(argv[0], "sleep") == 0)
		for (;;)
			pause();
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < LEN(modes); i++) {
		if (strcmp(modes[i].name, mode ? mode : "wrap") != 0)
			continue;
		if (!modes[i].raw)
			connect_daemon();
		modes[i].run();
		return 0;
	}
	die("unknown mode %s", mode);
}
