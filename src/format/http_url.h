/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_url: parses and resolves http and https URLs as Go's net/url and net/http do, so that request lines have the
 * same bytes as upstream's: no re-encoding, no removal of "..", except in the Location of a redirect.
 *
 *	g_auto(http_url) u = {0};
 *	if (!http_url_parse("https://registry:5000/v2/a%2Fb?x=1", &u, error)) return false;
 *	g_autofree char *next = http_url_resolve(text, location, error);
 *
 * Input may come from a peer. Errors: INVALID_ARGUMENT. Thread: any; no state.
 */
#pragma once
#include "base/error.h"

struct http_url {
	bool is_https;
	char *userinfo;  /* owned, encoded as in the text; NULL: none */
	char *authority; /* owned: host with brackets and port as in the text, without userinfo */
	char *host;      /* owned: lower case, without brackets */
	int port;        /* 80 or 443 if the text has none */
	char *target;    /* owned: request target: path and query */
};
typedef struct http_url http_url;

bool http_url_parse(const char *text, struct http_url *ret, GError **error);
void http_url_clear(struct http_url *u);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(http_url, http_url_clear)

/* Returns the URL of a Location header in the answer of base. The scheme may change to http or https only. Owned. */
char *http_url_resolve(const char *base, const char *location, GError **error);

/* Compares scheme, host and port; false if one of them is not a URL. */
bool http_url_same_origin(const char *a, const char *b);

/* Returns the URL without user and password, for messages; an invalid URL becomes "invalid URL". Owned. */
char *http_url_show(const char *text);

/* Escapes a query component as Go's url.QueryEscape (space becomes "+"). Owned. */
char *http_url_query_escape(const char *text);
