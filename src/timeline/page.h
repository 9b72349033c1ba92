/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: the HTML pages about builds: one build, all builds, two builds compared.
 *
 *	timeline_analyze(t, now_ns);
 *	g_autofree char *html = timeline_page_build(t, &(struct timeline_page){.now_ns = now_ns});
 *
 * Each page is one document with its style and script inside and uses nothing of the network. All texts are escaped, and a
 * content security policy (timeline_policy) permits only the style and the script by their digests. Pure. Thread: that of
 * the timeline.
 */
#pragma once
#include "timeline/timeline.h"

struct timeline_page {
	int64_t now_ns;
	bool is_live;       /* served: the script asks for changes */
	bool is_served;     /* logs are separate pages; otherwise the document is a file and contains them */
	const char *notice; /* NULL: none */
};
char *timeline_page_build(const timeline *t, const struct timeline_page *page);
char *timeline_page_compare(const timeline *a, const timeline *b, const struct timeline_page *page);

struct timeline_entry {                   /* a build of the list; texts are borrowed */
	const char *ref, *title, *error;  /* title: "": none; error: NULL: it succeeded or runs */
	int64_t created_ns, completed_ns; /* 0: it runs */
	int32_t n_steps, n_cached, n_warnings;
	bool is_pinned;
};
char *timeline_page_list(const struct timeline_entry *entries, size_t n, const struct timeline_page *page);
/* A page with one text, and a form that asks for the token of the debug address. */
char *timeline_page_message(const char *title, const char *text, bool ask_token);

/* The value of Content-Security-Policy for these pages. */
char *timeline_policy(bool is_served);
/* The log of a step as text. */
char *timeline_step_log(const struct timeline_step *s);
/* The path of a build's pages below "/": "builds/REF", escaped. */
char *timeline_build_path(const char *ref);
