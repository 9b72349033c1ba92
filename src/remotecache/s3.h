/* SPDX-License-Identifier: Apache-2.0 */
/*
 * s3: objects of a cache in a bucket: <prefix><blobs_prefix><digest>, <prefix><manifests_prefix><name>.
 *
 *	s3 *s = s3_new(attrs, transport, error);
 *	g_autofree char *key = s3_blob_key(s, &digest);
 *	if (!s3_head(s, key, &found, work, error)) ...
 *
 * Requests are signed with AWS signature version 4. Credentials come from the attributes, else from AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the daemon. Counted. Thread: any; immutable after new.
 */
#pragma once
#include "base/work.h"
#include "content/blob_store.h"
#include "registry/transport.h"

typedef struct s3 s3;

/*
 * Errors: upstream's texts ("bucket ($AWS_BUCKET) not set for s3 cache"). transport is borrowed; it must outlive the
 * object.
 */
s3 *s3_new(GHashTable *attrs, transport *t, GError **error);
void s3_unref(s3 *s);
const char *const *s3_names(const s3 *s); /* names of manifests, at least one */
int s3_parallelism(const s3 *s);
int64_t s3_touch_refresh_ns(const s3 *s);
char *s3_blob_key(const s3 *s, const struct digest *digest);
char *s3_manifest_key(const s3 *s, const char *name);

struct s3_object {
	bool found;
	int64_t modified_s; /* Unix time; 0: unknown */
};
bool s3_head(s3 *s, const char *key, struct s3_object *ret, struct work *work, GError **error);
/* Sends fd (>= 0) or bytes; digest: SHA-256 of the body. */
bool s3_put(s3 *s, const char *key, int fd, const void *bytes, int64_t size, const struct digest *digest,
	    struct work *work, GError **error);
/* Copies the object onto itself, so that expiry rules see it as new. */
bool s3_touch(s3 *s, const char *key, struct work *work, GError **error);
/* Reads a small object; *ret is NULL if there is none. */
bool s3_get(s3 *s, const char *key, size_t max, GBytes **ret, struct work *work, GError **error);
/* Returns a provider that reads blobs on demand. */
blob_provider *s3_provider(s3 *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(s3, s3_unref)
