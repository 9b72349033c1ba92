/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known: remembers digests that repositories contain. Bounded: when it is full, all old entries are dropped.
 *
 *	registry_known_add_manifest(r, ref, digest);
 *	if (registry_known_has_manifest(r, ref, digest)) ...           a local copy may be used without a request
 *	registry_known_add_blob(r, ref, digest);
 *	g_autofree char *repository = registry_known_repository(r, ref->domain, digest);
 *
 * Thread: any.
 */
#pragma once
#include "registry/registry.h"

struct registry_known {
	GMutex mu;
	GHashTable *manifests; /* set of "domain/path@digest" */
	GHashTable *blobs;     /* "domain digest" to repository */
};
void registry_known_init(struct registry_known *k);
void registry_known_clear(struct registry_known *k);

void registry_known_add_manifest(registry *r, const reference *ref, const char *digest);
bool registry_known_has_manifest(registry *r, const reference *ref, const char *digest);
/* Records that the blob is in the repository, from which others of the same registry can mount it. */
void registry_known_add_blob(registry *r, const reference *ref, const char *digest);
char *registry_known_repository(registry *r, const char *domain, const char *digest); /* owned; NULL: none */
