/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci: descriptors, manifests, indexes and image configs (OCI image-spec v1.1, Docker schema 2), parsed and written.
 *
 *	g_autoptr(oci_manifest) m = oci_manifest_parse(bytes, n, media_type, error);
 *	const oci_descriptor *d = oci_index_select(index, &platform);
 *
 * Input is untrusted: sizes, depth, digests and media types are checked; a document that is both manifest and index is
 * refused. Writers produce exactly upstream's bytes (two-space manifests, sorted compact configs).
 * Thread: any; values are plain owned data.
 */
#pragma once
#include "base/digest.h"
#include "format/json_writer.h"
#include "format/platform.h"

/* PATH of programs whose image does not set it. */
#define OCI_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define OCI_LAYER_GZIP OCI_LAYER "+gzip"
#define OCI_LAYER_ZSTD OCI_LAYER "+zstd"
#define BUILDKIT_CACHE_CONFIG "application/vnd.buildkit.cacheconfig.v0"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_CONFIG_TYPE "application/vnd.docker.container.image.v1+json"
#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_LAYER_GZIP DOCKER_LAYER ".gzip"
#define DOCKER_LAYER_ZSTD DOCKER_LAYER ".zstd"

typedef struct oci_descriptor {
	char *media_type;
	struct digest digest;
	int64_t size;
	GHashTable *annotations;  /* char * to char *, NULL: none */
	struct platform platform; /* its os_features are owned by the descriptor */
	bool has_platform;
	char *artifact_type; /* NULL: none */
	char **urls;         /* NULL: none; kept for foreign layers, never followed */
	GBytes *data;        /* the blob itself ("data"), NULL: none */
} oci_descriptor;
oci_descriptor *oci_descriptor_new(const char *media_type, const struct digest *digest, int64_t size);
oci_descriptor *oci_descriptor_copy(const oci_descriptor *d);
void oci_descriptor_free(oci_descriptor *d);
void oci_descriptor_annotate(oci_descriptor *d, const char *key, const char *value);
const char *oci_descriptor_annotation(const oci_descriptor *d, const char *key);
/* Copies the platform with its features. */
void oci_descriptor_set_platform(oci_descriptor *d, const struct platform *platform);
oci_descriptor *oci_descriptor_read(const json_t *json, GError **error);
void oci_descriptor_write(json_writer *w, const oci_descriptor *d); /* Go's field order, annotations sorted */
void oci_platform_write(json_writer *w, const struct platform *p);

/*
 * Reads the members of a platform object (architecture, os, os.version, os.features, variant); features are stored in
 * *ret_features (g_strfreev, NULL: none), which ret borrows.
 */
bool oci_platform_read(const json_t *json, struct platform *ret, char ***ret_features, GError **error);

typedef struct oci_manifest {
	char *media_type;
	char *artifact_type;
	oci_descriptor *config;
	GPtrArray *layers; /* of oci_descriptor; written as null when NULL or empty, as Go writes a nil slice */
	oci_descriptor *subject;
	GHashTable *annotations;
} oci_manifest;
typedef struct oci_index {
	char *media_type;
	GPtrArray *manifests; /* of oci_descriptor */
	GHashTable *annotations;
} oci_index;
oci_manifest *oci_manifest_new(const char *media_type);
oci_index *oci_index_new(const char *media_type);
/*
 * Returns the media type of a document: its "mediaType", otherwise derived from its members. NULL if it is neither
 * manifest nor index. Owned.
 */
char *oci_media_type_detect(const void *bytes, size_t n);
oci_manifest *oci_manifest_parse(const void *bytes, size_t n, const char *media_type, GError **error);
oci_index *oci_index_parse(const void *bytes, size_t n, const char *media_type, GError **error);
void oci_manifest_free(oci_manifest *m);
void oci_index_free(oci_index *i);
bool oci_media_type_is_index(const char *media_type);
bool oci_media_type_is_manifest(const char *media_type);
bool oci_media_type_is_layer(const char *media_type);
bool oci_media_type_is_foreign(const char *media_type);
bool oci_media_type_is_config(const char *media_type);
/* Returns the type of the same layer in the other family (OCI or Docker); the type itself if it has no counterpart. */
const char *oci_media_type_convert(const char *media_type, bool oci, bool keep_foreign);
/* Returns the best match for the platform, or NULL; attestation manifests (unknown/unknown) never match. Borrowed. */
const oci_descriptor *oci_index_select(const oci_index *index, const struct platform *want);
/* Writes documents with two-space indentation, as the image exporter does. */
char *oci_manifest_write(const oci_manifest *m, size_t *ret_len);
char *oci_index_write(const oci_index *i, size_t *ret_len);

/* The parts of an image config that the builder reads; the caller keeps the raw JSON. */
typedef struct oci_config {
	struct platform platform;
	GPtrArray *diff_ids; /* of char *, checked digests */
	json_t *json;        /* the whole document, owned */
	char **os_features;  /* owned; referenced by platform */
} oci_config;
oci_config *oci_config_parse(const void *bytes, size_t n, GError **error);
void oci_config_free(oci_config *c);

/* A layer of a tree, described by a manifest and a config together. */
typedef struct oci_layer {
	oci_descriptor *descriptor; /* of the (compressed) blob; digest unset if the blob does not exist yet */
	struct digest diff_id;
	int64_t created_ns; /* 0: unknown */
	char *description;  /* NULL: none */
} oci_layer;
oci_layer *oci_layer_copy(const oci_layer *l);
void oci_layer_free(oci_layer *l);
/* OCI chain id of a and b: sha256("a b"), or b when a is unset. */
void oci_chain_id(const struct digest *a, const struct digest *b, struct digest *ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(oci_descriptor, oci_descriptor_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(oci_manifest, oci_manifest_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(oci_index, oci_index_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(oci_config, oci_config_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(oci_layer, oci_layer_free)
