/* SPDX-License-Identifier: Apache-2.0 */
/* internal: the members of a registry, for the files of this module. Thread: mu guards slots; the rest is immutable. */
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
	GHashTable *slots;      /* domain to number of used slots */
	GHashTable *plain_http; /* set of hosts that failed https and answered plain http */
	guint64 auth_clients;   /* number of auth_clients without an identity so far */
};

/* "manifests" or "blobs": the path segment in a repository for this media type. */
const char *fetch_kind(const char *media_type);
/* containerd's name of a fetched object, used in messages: "layer-sha256:...". Owned. */
char *fetch_ref_key(const char *media_type, const char *digest);
