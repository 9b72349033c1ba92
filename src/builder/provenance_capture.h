/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_capture: facts about how a result was made, as the solver and the bridge saw them.
 *
 *	g_autoptr(provenance_capture) c = provenance_capture_new();
 *	provenance_capture_add_source(c, PROVENANCE_GIT, &(struct provenance_source){.name = url, .pin = commit});
 *	provenance_capture_settle(c);
 *
 * Nothing here comes from what a frontend says of itself. Credentials in addresses are masked on their way in; of
 * secrets there are only ids. Plain data. Thread: one at a time; any number once settled.
 */
#pragma once
#include "format/platform.h"

enum provenance_kind {
	PROVENANCE_IMAGE,
	PROVENANCE_IMAGE_BLOB,
	PROVENANCE_GIT,
	PROVENANCE_HTTP,
	PROVENANCE_LOCAL,
	PROVENANCE_KINDS
};
struct provenance_source {
	char *name;    /* a reference, an address, or the name of a directory of the client */
	char *pin;     /* a digest or a commit; NULL: none */
	bool is_local; /* an image of a layout of the client */
	bool has_platform;
	struct platform platform;
};
struct provenance_id { /* of a secret or an SSH agent */
	char *id;
	bool optional;
};
/* What a frontend was asked. */
struct provenance_request {
	char *frontend;     /* owned; "": none */
	GHashTable *args;   /* owned, char * to char *; filtered */
	GHashTable *inputs; /* owned, char * to provenance_origin *: what made its inputs; NULL: none is known */
};
typedef struct provenance_capture {
	GPtrArray *sources[PROVENANCE_KINDS]; /* of struct provenance_source * */
	GPtrArray *secrets, *ssh;             /* of struct provenance_id * */
	struct provenance_request request;    /* args NULL: no frontend made it */
	struct provenance_request root;       /* of whoever asked the frontend; args NULL: nothing to say */
	bool network;                         /* a step had a network */
	bool incomplete;                      /* something was used that sources do not tell */
} provenance_capture;

provenance_capture *provenance_capture_new(void);
void provenance_capture_free(provenance_capture *c);
/* Copies; what is there already is not added twice. */
void provenance_capture_add_source(provenance_capture *c, enum provenance_kind kind,
				   const struct provenance_source *source);
void provenance_capture_add_secret(provenance_capture *c, const char *id, bool optional);
void provenance_capture_add_ssh(provenance_capture *c, const char *id, bool optional);
/* Everything but the requests. */
void provenance_capture_merge(provenance_capture *c, const provenance_capture *from);
/* Sorted; an image by digest goes when the same repository is there by tag. */
void provenance_capture_settle(provenance_capture *c);

/* Options as provenance shows them: without those about this machine and about attestations. Masks contexts. Owned. */
GHashTable *provenance_args(GHashTable *options);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(provenance_capture, provenance_capture_free)
