/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull: from a reference to manifest, config and layers for one platform, whatever serves the documents.
 *
 *	struct pull_origin origin = {.class = ..., .blobs = blobs};
 *	g_autoptr(pulled) p = pull(&origin, reference, &platform, work, error);
 *	pull_layers(p, error)
 *
 * Documents that were fetched are remembered for some minutes, so that one build fetches them once; those of an image
 * that becomes cache records are stored with them. Thread: any.
 */
#pragma once
#include "registry/registry.h"
#include "source/source.h"

struct pull_origin {
	blob_store *blobs;
	/* Root descriptor; a media type of "" is found out from the document. */
	bool (*resolve)(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
			GError **error);
	/* Verified bytes. */
	GBytes *(*fetch)(const struct pull_origin *o, const reference *ref, const oci_descriptor *d, size_t max,
			 struct work *work, GError **error);
	/* Known to belong to the reference's repository, so that a local copy of the root may be used without asking.
	 */
	bool (*is_known)(const struct pull_origin *o, const reference *ref, const char *digest);
	void (*learn)(const struct pull_origin *o, const reference *ref, const char *digest);
	registry *registry;               /* of a registry origin */
	const struct image_store *images; /* of a registry origin; NULL: the worker has none */
	enum image_resolve_mode mode;     /* of a registry origin */
	session_registry *sessions;       /* of a layout origin */
	const char *session_id, *store;   /* of a layout origin */
};

typedef struct pulled {
	struct digest root;
	oci_manifest *manifest;
	GBytes *config_bytes;
	GPtrArray *documents; /* element type: GBytes *: indexes on the way, manifest, config */
	oci_config *config;   /* NULL when it cannot be read as one */
} pulled;
pulled *pull(const struct pull_origin *o, const reference *ref, const struct platform *want, struct work *work,
	     GError **error);
/* Only the root descriptor. */
bool pull_root(const struct pull_origin *o, const reference *ref, struct work *work, struct digest *ret,
	       GError **error);
void pulled_free(pulled *p);
/* Layers with their diff ids, bottom first (of oci_layer). Errors when manifest and config disagree. */
GPtrArray *pulled_layers(const pulled *p, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pulled, pulled_free)

/* Sources of images share everything but their origin (image.c). */
struct image_request {
	struct pull_origin origin;
	reference *ref; /* owned */
	char *text;     /* owned: as shown */
	struct platform platform;
	char **os_features;       /* owned, of platform */
	char *record_type;        /* owned or NULL */
	char *checksum;           /* owned or NULL */
	int64_t layer_limit;      /* -1: none */
	char *session_id, *store; /* owned, of a layout */
	cache *cache;
	/* Where layers come from later. */
	blob_provider *(*provider)(struct image_request *q, const oci_manifest *manifest);
	pulled *pulled;    /* owned, after the first phase */
	GPtrArray *layers; /* owned, of oci_layer */
};
void image_request_free(void *self);
bool image_request_cache_key(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last,
			     GError **error);
char *image_request_pin(void *self);
bool image_request_snapshot(void *self, struct work *work, cache_ref **ret_ref, GError **error);
/* Upstream's sources make errors without a code, which clients show as they are: hides ours once it has served. */
bool source_plain_error(bool ok, GError **error);
/* An attribute of the op or NULL. */
const char *source_attribute(const Pb__SourceOp *op, const char *key);
bool source_layer_limit_parse(const char *text, int64_t *ret, GError **error);

void pull_origin_registry(struct pull_origin *ret, const struct source_context *context, enum image_resolve_mode mode);
void pull_origin_layout(struct pull_origin *ret, const struct source_context *context, const char *session_id,
			const char *store);
/* Fetches from a layout by session. Strings are copied. */
blob_provider *pull_layout_provider(session_registry *sessions, const char *session_id, const char *store);
/* "name@sha256:..." of a layout or a blob source; store is the name without a tag. */
reference *pull_layout_reference(const char *text, GError **error);
