/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of steps to their proxy: heads in and outside of a tunnel, chunked bodies in pieces, and heads of responses. What is
 * accepted has one meaning: it is the same after it was written again, and nothing of it begins another line.
 */
#include "netproxy/chunks.h"
#include "netproxy/request.h"
#include "netproxy/response.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	g_assert(!strpbrk(text, "\r\n"));
}

static void check_target(const struct netproxy_target *t)
{
	g_auto(netproxy_target) again = {0};
	g_autofree char *url = netproxy_target_url(t), *policy = netproxy_target_policy_url(t);
	check_text(policy);
	g_assert(netproxy_target_parse(url, strlen(url), &again, NULL));
	g_autofree char *twice = netproxy_target_url(&again);
	g_assert(strcmp(url, twice) == 0 && again.port == t->port && strcmp(again.host, t->host) == 0);
	g_autofree char *authorization = netproxy_target_authorization(t);
	if (authorization)
		check_text(authorization);
}

static void fuzz_head(const char *bytes, size_t n, const struct netproxy_target *tunnel)
{
	struct netproxy_request q;
	g_autoptr(GError) error = NULL;
	if (netproxy_request_parse(bytes, n, tunnel, &q, &error) != 0) {
		g_assert(error);
		return;
	}
	g_assert(netproxy_head_size(bytes, n, 0) == n);
	check_target(&q.target);
	for (guint i = 0; i < q.headers->len; i++)
		check_text(q.headers->pdata[i]);
	g_assert(!tunnel || (strcmp(q.target.host, tunnel->host) == 0 && q.target.port == tunnel->port));
	netproxy_request_clear(&q);
}

static void fuzz_chunks(const char *bytes, size_t n, size_t step)
{
	struct netproxy_chunks d = {0};
	for (size_t at = 0; at < n && d.state != NETPROXY_CHUNKS_END;) {
		const char *part = NULL;
		size_t n_part = 0, n_step = MIN(step, n - at);
		ssize_t used = netproxy_chunks_take(&d, bytes + at, n_step, &part, &n_part, NULL);
		if (used < 0)
			return;
		g_assert(used > 0 && (size_t)used <= n_step);
		g_assert(n_part == 0 || (part >= bytes + at && part + n_part <= bytes + at + used));
		at += (size_t)used;
	}
}

static void fuzz_response(const char *bytes, size_t n)
{
	struct netproxy_response r = {0};
	bool ok = true;
	for (size_t at = 0; ok && at < n;) {
		const char *end = memchr(bytes + at, '\n', n - at);
		size_t n_line = end ? (size_t)(end - bytes) - at + 1 : n - at;
		ok = netproxy_response_line(&r, bytes + at, n_line, NULL);
		at += n_line;
	}
	if (ok && netproxy_response_finish(&r, false, NULL)) {
		g_autofree char *head = netproxy_response_head(&r, true, true);
		g_assert(netproxy_head_size(head, strlen(head), 0) == strlen(head));
	}
	netproxy_response_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct netproxy_target tunnel = {.is_https = true, .host = (char *)(uintptr_t) "h", .port = 443};
	const char *bytes = (const char *)data;
	fuzz_head(bytes, size, NULL);
	fuzz_head(bytes, size, &tunnel);
	fuzz_chunks(bytes, size, SIZE_MAX);
	fuzz_chunks(bytes, size, 3);
	fuzz_response(bytes, size);
	return 0;
}
