/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are not gRPC or protobuf, requests for what a frontend must not get, results that make no sense. */
#include "frontend.h"

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

const struct mode calls[] = {
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
	{NULL, NULL, false},
};
