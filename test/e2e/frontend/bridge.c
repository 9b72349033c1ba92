/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of LLBBridge, definitions and results. */
#include "frontend.h"

void return_error(int code, const char *message)
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
struct bytes call(const char *method, struct bytes request)
{
	struct call *c = call_any(method, request);
	if (c->status != 0) {
		return_error(c->status, c->message ? c->message : "");
		exit(0);
	}
	return reply_of(c);
}

/* Definition of one op, whose output 0 is the result. */
struct bytes definition_of(struct bytes op)
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
struct bytes file_definition(const char *path, const void *data, size_t n)
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

struct bytes solve_request(struct bytes definition)
{
	struct bytes request = {0};
	put_message(&request, 1, definition);
	put_number(&request, 5, 1); /* allowResultReturn */
	put_number(&request, 6, 1); /* allowResultArrayRef */
	return request;
}

/* A request X, except "mode", "source" and "cmdline". */
struct bytes frontend_request(const char *frontend, const char *source, const char *mode)
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
char *ref_of(struct bytes reply)
{
	return text_of(get(get(get(reply, 3), 3), 1));
}

char *solve(struct bytes request)
{
	return ref_of(call("Solve", request));
}

struct bytes return_request(const char *ref)
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

void return_ref(const char *ref)
{
	call("Return", return_request(ref));
}

void return_file(const char *data)
{
	return_ref(solve(solve_request(file_definition("/answer", data, strlen(data)))));
}

struct call *read_file(const char *ref, const char *path)
{
	struct bytes request = {0};
	put_text(&request, 1, ref);
	put_text(&request, 2, path);
	return call_any("ReadFile", request);
}
