/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error: the error domain of all modules. Its codes are gRPC's; its details are sent to clients unchanged.
 *
 *	if (fd < 0) return error_set_errno(error, errno, "open %s", name);
 *	if (n > max) return error_set(error, ERROR_RESOURCE_EXHAUSTED, "message of %zu bytes", n);
 *	if (!digest_parse(text, &digest, error)) return error_prefix(error, "read %s: ", name);
 *	if (!executor_run(e, step, work, &exit, error)) { error_add_detail(*error, "errdefs.Vertex", json); return false; }
 *
 * A GError of another domain (GIO, GLib) is sent to peers as ERROR_UNKNOWN.
 * Thread: any; an error belongs to one thread at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

/* https://grpc.io/docs/guides/status-codes/ */
enum error_code {
	ERROR_CANCELED = 1,
	ERROR_UNKNOWN = 2,
	ERROR_INVALID_ARGUMENT = 3,
	ERROR_DEADLINE_EXCEEDED = 4,
	ERROR_NOT_FOUND = 5,
	ERROR_ALREADY_EXISTS = 6,
	ERROR_PERMISSION_DENIED = 7,
	ERROR_RESOURCE_EXHAUSTED = 8,
	ERROR_FAILED_PRECONDITION = 9,
	ERROR_ABORTED = 10,
	ERROR_OUT_OF_RANGE = 11,
	ERROR_UNIMPLEMENTED = 12,
	ERROR_INTERNAL = 13,
	ERROR_UNAVAILABLE = 14,
	ERROR_DATA_LOSS = 15,
	ERROR_UNAUTHENTICATED = 16,
};

/* A detail in the encoding of upstream's clients: Any{type_url "github.com/moby/buildkit/<type>+json", value json}. */
struct error_detail {
	char *type; /* owned: "errdefs.Vertex", "errdefs.Source", "errdefs.Solve", "gatewayapi.ExitMessage", ... */
	char *json; /* owned */
};

GQuark error_domain(void);

/* Sets the error and returns false, so that callers can return the result. */
bool error_set(GError **error, enum error_code code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/*
 * The same from an errno value: "<text>: <strerror in Go's words, lower case>". ENOSPC, EDQUOT and ENOMEM become
 * RESOURCE_EXHAUSTED, ENOENT NOT_FOUND, EEXIST ALREADY_EXISTS, ECANCELED CANCELED, the rest UNKNOWN.
 */
bool error_set_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same in functions that return a pointer: NULL. */
#define error_null(...) (error_set(__VA_ARGS__), NULL)
#define error_null_errno(...) (error_set_errno(__VA_ARGS__), NULL)

/* Prefixes an error that is set, or passes one on, and returns false or NULL. */
#define error_prefix(...) (g_prefix_error(__VA_ARGS__), false)
#define error_prefix_null(...) (g_prefix_error(__VA_ARGS__), NULL)
#define error_propagate(...) (g_propagate_error(__VA_ARGS__), false)
#define error_propagate_null(...) (g_propagate_error(__VA_ARGS__), NULL)

/* The text of an errno value as printed by the Go runtime ("no such file or directory"). */
const char *error_errno_text(int errnum);

/*
 * True for EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT and EIO: what the machine lacks or failed at, which says nothing about
 * the object. Such a failure is reported even where an object that is missing or of another type is passed over.
 */
bool error_errno_is_shortage(int errnum);

/* The gRPC code of any GError; ERROR_UNKNOWN for other domains. */
enum error_code error_get_code(const GError *error);
bool error_is(const GError *error, enum error_code code);
const char *error_code_name(enum error_code code); /* "NotFound", as Go prints it */

/* Adds a detail (innermost first). Does nothing if the error is of another domain: convert it first. */
void error_add_detail(GError *error, const char *type, const char *json);
/* The details, innermost first; borrowed from the error. NULL if there are none. */
const GPtrArray *error_get_details(const GError *error); /* of struct error_detail */
bool error_has_detail(const GError *error, const char *type);

/* Replaces the detail of this type that was added last, or adds it. */
void error_set_detail(GError *error, const char *type, const char *json);

/*
 * Attaches an object that the error and its copies keep: what a failed operation leaves for its caller. state is taken.
 * Does nothing but release it if the error is of another domain.
 */
void error_set_state(GError *error, void *state, void *(*ref)(void *state), void (*unref)(void *state));
void *error_get_state(const GError *error); /* borrowed; NULL: none */
void error_clear_state(GError *error);      /* NULL is allowed */

/*
 * Converts the code to the one that clients of a build see: upstream reports build failures as Unknown, and clients
 * print any other code before the text. Codes that describe the call itself (canceled, deadline exceeded,
 * unimplemented, resource exhausted, unavailable, internal) are kept.
 */
void error_hide_code(GError **error);
/* Marks the code as a peer's answer to one of our calls: error_hide_code keeps it. */
void error_keep_code(GError *error);
/*
 * Marks the text as a client's answer to one of our calls. Callers may prefix it for logs and vertices, but
 * error_hide_code removes the prefixes: upstream reports such errors with the client's text alone.
 */
void error_keep_text(GError *error);

/* Converts any GError to this domain, keeping text and code, so that details can be added. */
void error_convert(GError **error);
