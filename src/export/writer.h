/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer: writes refs as an image: layers, configs, manifests and, for several platforms, an index.
 *
 *	g_autoptr(image_tree) tree = image_write(&context, "image", input->refs, n, is_map, metadata, &options, work,
 * error);
 *
 * Documents are written to the blob store; lazy layers stay with their provider. Statuses are "exporting layers",
 * "exporting manifest sha256:...", "exporting config ...", "exporting manifest list ...". Thread: one at a time.
 */
#pragma once
#include "export/options.h"

struct image_document {
	oci_descriptor *descriptor; /* owned */
	GBytes *bytes;
};
void image_document_free(void *document);

/* An image, or the attestation manifest of an image. */
struct image_manifest {
	oci_descriptor *descriptor; /* owned */
	GBytes *bytes;
	oci_descriptor *config; /* owned */
	GBytes *config_bytes;
	GPtrArray *layers;     /* element type: struct cache_layer_result *, with descriptors as in the manifest */
	GPtrArray *statements; /* element type: struct image_document *, instead of layers; NULL: this is an image */
};
struct image_manifest *image_manifest_new(void);
void image_manifest_free(void *manifest);
typedef struct image_tree {
	oci_descriptor *root; /* owned; with annotations and platform for the response */
	GBytes *index_bytes;  /* NULL if the root is a manifest */
	GPtrArray *manifests; /* element type: struct image_manifest *: images, followed by their attestations */
} image_tree;

struct image_write_input {
	const struct exporter_context *context;
	const char *type; /* type of the exporter, for error texts */
	const struct export_input *input;
	GHashTable *metadata; /* metadata of the result merged with the exporter's; char * to GBytes * */
	const struct image_options *options;
	const char *names; /* image names for attestation subjects, comma-separated; "": none */
	bool fetch;        /* lazy layers must be downloaded */
};
image_tree *image_write(const struct image_write_input *in, struct work *work, GError **error);
void image_tree_free(image_tree *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(image_tree, image_tree_free)

/* A platform of a result: from refs.platforms or, for a single ref, from the config or the host. */
struct result_platform {
	char *id;
	struct platform platform;
	char **os_features; /* owned, of platform */
};
/* Element type: struct result_platform *. Errors: upstream's texts. */
GPtrArray *result_platforms(GHashTable *metadata, GError **error);
/* Returns metadata KEY/<id>, else KEY. Borrowed. */
GBytes *result_metadata(GHashTable *metadata, const char *key, const char *platform_id);

/* Returns the result's metadata, overridden by exporter attributes. Owned; values are GBytes. */
GHashTable *export_metadata(const struct export_input *input, GHashTable *rest);
/* Completes the options of an export: merges annotations of the metadata, sets defaults of media types. */
bool export_options_settle(struct image_options *o, const struct exporter_context *context,
			   const struct export_input *input, GHashTable *metadata, bool always_oci, GError **error);
/* Returns the requested names, comma-separated; "*" is replaced by the frontend's names. Owned. */
char *export_names(const struct image_options *o, GHashTable *metadata);
/* Stores the image for the history. kept may be NULL. */
void export_keep(const image_tree *t, struct export_kept *kept);
/* Sets containerimage.digest, containerimage.config.digest, containerimage.descriptor. */
void export_respond(const image_tree *t, GHashTable *response);
