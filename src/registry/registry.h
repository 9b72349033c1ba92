/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry: the distribution client (OCI distribution-spec v1.1) over libcurl.
 *
 *	registry *r = registry_new(&config);
 *	registry_resolve(r, ref, &auth, work, &descriptor, &manifest_bytes, error);
 *	blob_provider *p = registry_provider_of(r, ref, &auth, NULL);
 *	registry_push_blob(...); registry_push_manifest(...);
 *
 * Hosts, mirrors, http/insecure/CA and client certificates per host come from the configuration. Credentials come from
 * the auth callbacks and are sent only to the host they belong to; tokens are cached per scope. Digests are verified
 * while streaming; interrupted downloads are resumed; 5xx, 429 and resets are retried with back-off and Retry-After.
 * Thread: any; calls block.
 */
#pragma once
#include "base/work.h"
#include "content/blob_store.h"
#include "format/reference.h"
#include "oci/oci.h"

typedef struct registry registry;

/* One [registry."host"] table of buildkitd.toml. Lists are NULL-terminated or NULL. */
struct registry_host {
	const char *host;
	const char *const *mirrors;
	int http;     /* -1 unset, 0, 1 */
	int insecure; /* -1 unset, 0, 1 */
	const char *const *ca_files;
	const char *const *key_files; /* pairs by index */
	const char *const *cert_files;
	const char *const *tls_config_dirs;
};
struct registry_config {
	const struct registry_host *hosts; /* copied */
	size_t n_hosts;
	int max_concurrency; /* per registry domain, 4 by default */
	const char *user_agent;
};
registry *registry_new(const struct registry_config *config);
void registry_free(registry *r);

/* Authentication of the requesting build; reads sessions from work->sessions (set by worker). */
struct registry_auth {
	bool (*credentials)(struct work *work, const char *host, char **ret_user, char **ret_secret, GError **error);
	/* Errors: UNIMPLEMENTED if the client does not fetch tokens itself. */
	bool (*fetch_token)(struct work *work, const char *host, const char *realm, const char *service,
			    const char *const *scopes, char **ret_token, int64_t *ret_expires_s, GError **error);
	/*
	 * Returns the owner of these credentials (a session id), so that tokens are reused only for the same
	 * auth_client. Owned by the caller. NULL member or result: nothing is cached between calls.
	 */
	char *(*identity)(struct work *work);
	bool insecure; /* registry.insecure=true of the request: no mirrors, no verification, fallback to http */
};

/*
 * Resolves a reference to its root descriptor and bytes (manifest or index, hashed locally). ret_bytes NULL: one HEAD
 * request unless the registry omits the digest. Errors: upstream's texts ("docker.io/library/x:latest: not found",
 * "pull access denied, repository does not exist or may require ...").
 */
bool registry_resolve(registry *r, const reference *ref, const struct registry_auth *auth, struct work *work,
		      oci_descriptor **ret_descriptor, GBytes **ret_bytes, GError **error);
/* Fetches a manifest, index or config by descriptor, verified, at most max_bytes. */
GBytes *registry_fetch_small(registry *r, const reference *ref, const oci_descriptor *d, size_t max_bytes,
			     const struct registry_auth *auth, struct work *work, GError **error);
/*
 * Lists the documents whose subject is the given one, by the referrers API or its fallback tag. query: the URL query,
 * "" for none; registries may ignore it. An empty list is a success.
 */
bool registry_referrers(registry *r, const reference *ref, const struct digest *subject, const char *query,
			const struct registry_auth *auth, struct work *work, oci_index **ret, GError **error);
/*
 * Provides layers of the repository on demand; reports progress_status(work->progress, digest, "downloading"). layers
 * (of oci_descriptor, may be NULL) give the media types for Accept headers and messages.
 */
blob_provider *registry_provider_of(registry *r, const reference *ref, const struct registry_auth *auth,
				    const GPtrArray *layers);
/* Returns the HTTP client, for sources that fetch from other servers. Borrowed. */
struct transport *registry_transport(registry *r);

struct registry_push_options {
	bool insecure; /* registry.insecure=true */
};
/* Sends HEAD, then mounts from another repository of the same host (mount_from NULL: none), then uploads from fd. */
bool registry_push_blob(registry *r, const reference *ref, const oci_descriptor *d, int fd, const char *mount_from,
			const struct registry_auth *auth, const struct registry_push_options *o, struct work *work,
			GError **error);
/*
 * Checks whether the blob exists or can be mounted from another repository, so that a lazy blob need not be fetched to
 * push it.
 */
bool registry_has_blob(registry *r, const reference *ref, const oci_descriptor *d, const char *mount_from,
		       const struct registry_auth *auth, const struct registry_push_options *o, struct work *work,
		       bool *ret_has, GError **error);
/* by_tag: with the tag of ref, otherwise by digest. */
bool registry_push_manifest(registry *r, const reference *ref, const oci_descriptor *d, const void *bytes, bool by_tag,
			    const struct registry_auth *auth, const struct registry_push_options *o, struct work *work,
			    GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(registry, registry_free)
