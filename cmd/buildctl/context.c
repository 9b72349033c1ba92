/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "client/display_model.h"
#include "command.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Text that an error detail adds in front of the message, as upstream's clients print it. */
static void prefix_of_detail(const struct error_detail *detail, GError **error)
{
	static const struct {
		const char *type, *text;
	} known[] = {{"errdefs.FrontendCap", "unsupported frontend capability"},
		     {"errdefs.Subrequest", "unsupported request"}};
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		if (strcmp(known[i].type, detail->type) != 0)
			continue;
		g_autoptr(json_t) json =
			json_read(detail->json, strlen(detail->json), (size_t)LIMIT_CONFIG_BYTES, "detail", NULL);
		const char *name = json_string_value(json_object_get(json, "name"));
		g_prefix_error(error, "%s %s: ", known[i].text, name ? name : "");
	}
}

bool call_failed(const char *what, GError **error)
{
	enum error_code code = error && *error ? error_get_code(*error) : ERROR_UNKNOWN;
	const GPtrArray *details = error ? error_get_details(*error) : NULL;
	if (code != ERROR_UNKNOWN)
		g_prefix_error(error, "%s: ", error_code_name(code));
	for (guint i = 0; details && i < details->len; i++)
		prefix_of_detail(details->pdata[i], error);
	return error_prefix(error, "%s: ", what);
}

bool print_text(const char *text, GError **error)
{
	/* Masks control characters: descriptions, names and frontend results contain text from Dockerfiles. */
	g_autofree char *safe = isatty(STDOUT_FILENO) ? model_safe_lines(text) : NULL;
	if (fputs(safe ? safe : text, stdout) == EOF || fflush(stdout) == EOF)
		return error_set_errno(error, errno, "write standard output");
	return true;
}

/* The string is interned because --wait calls this once per second. */
static const char *first_existing(const char *dir, const char *const *names)
{
	for (; *names; names++) {
		g_autofree char *path = g_build_filename(dir, *names, NULL);
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return g_intern_string(path);
	}
	return "";
}

/* The strings are never freed. */
static bool read_tls(const flags *f, struct rpc_tls *ret, GError **error)
{
	ret->server_name = flags_string(f, "tlsservername");
	ret->ca_file = flags_string(f, "tlscacert");
	ret->cert_file = flags_string(f, "tlscert");
	ret->key_file = flags_string(f, "tlskey");
	const char *dir = flags_string(f, "tlsdir");
	if (!*dir)
		return true;
	if (*ret->ca_file || *ret->cert_file || *ret->key_file)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "cannot specify tlsdir and tlscacert/tlscert/tlskey at the same time");
	ret->ca_file = first_existing(dir, (const char *const[]){"ca.pem", "ca.crt", NULL});
	ret->cert_file = first_existing(dir, (const char *const[]){"cert.pem", "tls.crt", NULL});
	ret->key_file = first_existing(dir, (const char *const[]){"key.pem", "tls.key", NULL});
	return true;
}

static rpc_conn *connect_once(struct context *x, GError **error)
{
	struct connection_options options = {.timeout_ms = (int)flags_int(x->global, "timeout") * 1000};
	if (!read_tls(x->global, &options.tls, error))
		return NULL;
	const char *address = flags_string(x->global, "addr");
	rpc_conn *conn = connection_open(x->loop, address, &options, x->cancel, error);
	if (conn)
		rpc_conn_trace(conn, g_str_has_prefix(address, "unix://") ? address + strlen("unix://") : address);
	if (!conn && error && !error_is(*error, ERROR_UNAVAILABLE))
		g_prefix_error(error, "failed to dial \"%s\" . make sure buildkitd is running: ", address);
	return conn;
}

/* A failed connection is reported as the error of the first call, with the text that gRPC clients print. */
static bool connect_failed(const char *what, GError *problem, GError **error)
{
	if (!error_is(problem, ERROR_UNAVAILABLE))
		return error_propagate(error, problem);
	bool dialing = g_str_has_prefix(problem->message, "dial ");
	g_autofree char *text =
		g_strdup_printf("transport: %s: %s",
				dialing ? "Error while dialing" : "authentication handshake failed", problem->message);
	g_autofree char *quoted = go_quote(text);
	error_set(error, ERROR_UNAVAILABLE, "connection error: desc = %s", quoted);
	g_error_free(problem);
	return what ? call_failed(what, error) : false;
}

/* --wait: retries once per second until the daemon answers or --timeout has passed. */
rpc_conn *context_connect(struct context *x, const char *what, GError **error)
{
	int64_t timeout_s = flags_int(x->global, "timeout");
	gint64 until = g_get_monotonic_time() + timeout_s * G_USEC_PER_SEC;
	while (!x->conn) {
		g_autoptr(GError) problem = NULL;
		x->conn = connect_once(x, &problem);
		bool again = flags_bool(x->global, "wait") && error_is(problem, ERROR_UNAVAILABLE) &&
			     !cancel_is_set(x->cancel) && (timeout_s == 0 || g_get_monotonic_time() < until);
		if (!x->conn && !again) {
			connect_failed(what, g_steal_pointer(&problem), error);
			return NULL;
		}
		if (!x->conn && !cancel_sleep(x->cancel, 1000, error))
			return NULL;
	}
	return x->conn;
}
