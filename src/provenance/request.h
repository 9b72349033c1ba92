/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_request: a request as written to provenance, with its main context as the config source.
 *
 *	struct request_view v;
 *	request_view_init(&v, &capture->request, capture);
 *	request_view_clear(&v);
 *
 * Thread: one at a time.
 */
#pragma once
#include "provenance/capture.h"

struct request_view {
	const char *frontend;      /* borrowed from the capture; "": none */
	char *uri, *digest, *path; /* owned; uri and path "": none; digest NULL: unknown, else hex */
	const char *digest_algorithm;
	GHashTable *args;   /* owned */
	GHashTable *inputs; /* borrowed from the capture: char * to provenance_origin *; NULL: none */
	GHashTable *vcs;    /* owned: values of vcs:NAME options by NAME, after request_view_take_vcs */
};
void request_view_init(struct request_view *v, const struct provenance_request *r, const provenance_capture *c);
void request_view_clear(struct request_view *v);
void request_view_take_vcs(struct request_view *v);
/* Removes build arguments and labels; returns whether there were any. */
bool request_view_scrub(struct request_view *v);
/* Compares two requests, ignoring vcs options. */
bool request_view_equal(const struct request_view *a, const struct request_view *b);

/* Returns "sha1", or "sha256" for repositories with that hash. */
const char *git_digest_algorithm(const char *commit);
