/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_capture: facts about how a result was built, recorded by the solver and the bridge.
 *
 *	g_autoptr(provenance_capture) c = provenance_capture_new();
 *	provenance_capture_add_source(c, SOURCE_MATERIAL_GIT, &(struct provenance_source){.name = url, .pin = commit});
 *	provenance_capture_settle(c);
 *
 * Claims of frontends are not recorded. Credentials in addresses are masked when added; secrets are recorded by id
 * only. Plain data. Thread: one at a time; any number after provenance_capture_settle.
 */
#pragma once
#include "format/platform.h"
#include "source/kinds.h"
#include "resources/sampler.h"

struct provenance_source {
	char *name;    /* a reference, an address, or the name of a local directory */
	char *pin;     /* a digest or a commit; NULL: none */
	bool is_local; /* an image of an OCI layout of the client */
	char *bundle;  /* git: the locator of the bundle that it was taken from; NULL: none */
	bool has_platform;
	struct platform platform;
};
struct provenance_id { /* id of a secret or an SSH agent */
	char *id;
	bool optional;
};
/* A request of a step through its proxy whose effect on the result is not known. */
struct provenance_untracked {
	char *op, *name;    /* digest and command line of the step */
	char *method, *uri; /* "": there were too many */
	const char *reason; /* a constant */
};
/* A request to a frontend. */
struct provenance_request {
	char *frontend;     /* owned; "": none */
	GHashTable *args;   /* owned, char * to char *; filtered */
	GHashTable *inputs; /* owned, char * to provenance_origin *: origins of its inputs; NULL: none is known */
};
typedef struct provenance_capture {
	GPtrArray *sources[SOURCE_MATERIAL_COUNT]; /* element type: struct provenance_source * */
	GPtrArray *secrets, *ssh;                  /* element type: struct provenance_id * */
	struct provenance_request request;         /* args NULL: no frontend */
	struct provenance_request root;            /* the outermost request; args NULL: none */
	bool network;                              /* a step had network access */
	bool proxy;                                /* through a proxy */
	GHashTable *usages;                        /* digests of steps that ran to step_usage *, both owned */
	GPtrArray *untracked;                      /* element type: struct provenance_untracked * */
	bool incomplete;                           /* an input has no known digest */
} provenance_capture;

provenance_capture *provenance_capture_new(void);
void provenance_capture_free(provenance_capture *c);
/* Copies the argument; ignores duplicates. */
void provenance_capture_add_source(provenance_capture *c, enum source_material kind,
				   const struct provenance_source *source);
void provenance_capture_add_secret(provenance_capture *c, const char *id, bool optional);
void provenance_capture_add_ssh(provenance_capture *c, const char *id, bool optional);
/* Copies the argument. */
void provenance_capture_add_untracked(provenance_capture *c, const struct provenance_untracked *request);
/* Takes a reference. */
void provenance_capture_add_usage(provenance_capture *c, const char *digest, step_usage *usage);
/* Merges everything but the requests. */
void provenance_capture_merge(provenance_capture *c, const provenance_capture *from);
/* Sorts the lists; removes an image by digest if the same repository is present by tag. */
void provenance_capture_settle(provenance_capture *c);

/*
 * Returns the options for provenance: without options about the host and about attestations, with masked contexts.
 * Owned.
 */
GHashTable *provenance_args(GHashTable *options);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(provenance_capture, provenance_capture_free)
