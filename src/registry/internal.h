/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what a registry is made of, for the files of this room. Thread: mu guards slots; the rest is immutable. */
#pragma once
#include "registry/authorizer.h"
#include "registry/hosts.h"
#include "registry/known.h"

#define DOCUMENT_ACCEPT "Accept: " DOCKER_MANIFEST ", " DOCKER_INDEX ", " OCI_MANIFEST ", " OCI_INDEX ", */*"

struct registry {
	transport *transport;
	authorizer *authorizer;
	hosts *hosts;
	char *user_agent;
	int max_concurrency;
	struct registry_known known;
	GMutex mu;
	GCond slot_free;
	GHashTable *slots;      /* domain to number taken */
	GHashTable *plain_http; /* set of hosts where https was tried and plain http answered */
	guint64 auth_clients;   /* auth_clients without an identity so far */
};

/* "manifests" or "blobs": under which path of a repository a thing of this type lies. */
const char *fetch_kind(const char *media_type);
/* containerd's name of what is fetched, as users see it in messages: "layer-sha256:...". Owned. */
char *fetch_ref_key(const char *media_type, const char *digest);
