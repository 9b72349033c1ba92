/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/known.h"
#include "registry/internal.h"

#define MANIFESTS_MAX 10000
#define BLOBS_MAX 20000

void registry_known_init(struct registry_known *k)
{
	g_mutex_init(&k->mu);
	k->manifests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	k->blobs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void registry_known_clear(struct registry_known *k)
{
	g_hash_table_unref(k->manifests);
	g_hash_table_unref(k->blobs);
	g_mutex_clear(&k->mu);
}

static char *manifest_key(const reference *ref, const char *digest)
{
	return g_strconcat(ref->domain, "/", ref->path, "@", digest, NULL);
}

void registry_known_add_manifest(registry *r, const reference *ref, const char *digest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->known.mu);
	if (g_hash_table_size(r->known.manifests) >= MANIFESTS_MAX)
		g_hash_table_remove_all(r->known.manifests);
	g_hash_table_add(r->known.manifests, manifest_key(ref, digest));
}

bool registry_known_has_manifest(registry *r, const reference *ref, const char *digest)
{
	g_autofree char *key = manifest_key(ref, digest);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->known.mu);
	return g_hash_table_contains(r->known.manifests, key);
}

void registry_known_add_blob(registry *r, const reference *ref, const char *digest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->known.mu);
	if (g_hash_table_size(r->known.blobs) >= BLOBS_MAX)
		g_hash_table_remove_all(r->known.blobs);
	g_hash_table_replace(r->known.blobs, g_strconcat(ref->domain, " ", digest, NULL), g_strdup(ref->path));
}

char *registry_known_repository(registry *r, const char *domain, const char *digest)
{
	g_autofree char *key = g_strconcat(domain, " ", digest, NULL);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->known.mu);
	return g_strdup(g_hash_table_lookup(r->known.blobs, key));
}
