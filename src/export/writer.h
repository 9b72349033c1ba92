/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer: from refs to an image: layers, configs, manifests and, for several platforms, an index.
 *
 *	g_autoptr(image_tree) tree = image_write(&context, "image", input->refs, n, is_map, metadata, &options, work,
 *error);
 *
 * Documents are put into the blob store; what is not written again (lazy layers) stays with its provider. Statuses are
 * "exporting layers", "exporting manifest sha256:...", "exporting config ...", "exporting manifest list ...".
 * Thread: one at a time.
 */
#pragma once
#include "export/options.h"

struct image_document {
	oci_descriptor *descriptor; /* owned */
	GBytes *bytes;
};
void image_document_free(void *document);

/* One image, or the attestations of one: what its manifest names. */
struct image_manifest {
	oci_descriptor *descriptor; /* owned */
	GBytes *bytes;
	oci_descriptor *config; /* owned */
	GBytes *config_bytes;
	GPtrArray *layers;     /* element type: struct cache_layer_result *, descriptors as the manifest has them */
	GPtrArray *statements; /* element type: struct image_document *, in the place of layers; NULL: an image */
};
struct image_manifest *image_manifest_new(void);
void image_manifest_free(void *manifest);
typedef struct image_tree {
	oci_descriptor *root; /* owned; with annotations and platform as it is shown */
	GBytes *index_bytes;  /* NULL when the root is a manifest */
	GPtrArray *manifests; /* element type: struct image_manifest *: images, then their attestations */
} image_tree;

struct image_write_input {
	const struct exporter_context *context;
	const char *type; /* of the exporter, for messages */
	const struct export_input *input;
	GHashTable *metadata; /* the result's with the exporter's own; char * to GBytes * */
	const struct image_options *options;
	const char *names; /* that subjects of attestations get, comma-separated; "": none */
	bool fetch;        /* lazy layers must be here afterwards */
};
image_tree *image_write(const struct image_write_input *in, struct work *work, GError **error);
void image_tree_free(image_tree *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(image_tree, image_tree_free)

/* One platform of a result: refs.platforms, or what the config or this machine says for a single ref. */
struct result_platform {
	char *id;
	struct platform platform;
	char **os_features; /* owned, of platform */
};
/* Of struct result_platform *. Errors: upstream's texts. */
GPtrArray *result_platforms(GHashTable *metadata, GError **error);
/* Metadata KEY/<id>, else KEY. Borrowed. */
GBytes *result_metadata(GHashTable *metadata, const char *key, const char *platform_id);

/* The result's metadata with exporter attributes laid over it. Owned; values are GBytes. */
GHashTable *export_metadata(const struct export_input *input, GHashTable *rest);
/* Options for one export: annotations of the metadata merged in, defaults of media types settled. */
bool export_options_settle(struct image_options *o, const struct exporter_context *context,
			   const struct export_input *input, GHashTable *metadata, bool always_oci, GError **error);
/* The names that were asked for, comma-separated; "*" stands for what the frontend says. Owned. */
char *export_names(const struct image_options *o, GHashTable *metadata);
/* Notes the image for the history. kept may be NULL. */
void export_keep(const image_tree *t, struct export_kept *kept);
/* containerimage.digest, containerimage.config.digest, containerimage.descriptor. */
void export_respond(const image_tree *t, GHashTable *response);
