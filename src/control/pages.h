/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages: the builds of the daemon as pages for a browser: running ones from their progress, completed ones from the history.
 *
 *	control_pages *p = control_pages_new(builder);
 *	struct control_page page;
 *	if (control_pages_get(p, "/builds/REF", "", &page)) ...
 *	control_page_clear(&page);
 *
 *	/                       all builds
 *	/builds/REF             one build; below it: data.json (?since=VERSION), log/N, trace.json, file.html
 *	/compare?a=REF&b=REF    two builds
 *
 * The builds that were looked at last are kept in memory. Thread: one at a time.
 */
#pragma once
#include "builder/build.h"

typedef struct control_pages control_pages;
struct control_page {
	int status; /* of HTTP: 200 or 404 */
	const char *type;
	char *body;     /* owned */
	char *filename; /* owned: to be stored under this name; NULL: to be shown */
};

control_pages *control_pages_new(builder *b); /* borrowed */
void control_pages_free(control_pages *p);
/* path: as in the request, escaped. False: no such page. */
bool control_pages_get(control_pages *p, const char *path, const char *query, struct control_page *ret);
void control_page_clear(struct control_page *page);
