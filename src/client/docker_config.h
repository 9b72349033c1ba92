/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_config: credentials as Docker's tools keep them: config.json, DOCKER_AUTH_CONFIG, credential helpers.
 *
 *	struct docker_auth *a = docker_auth_new();
 *	docker_auth_get(a, "registry-1.docker.io", cancel, &credentials, error);     empty strings when there are none
 *
 * The file is read when first asked for; what a helper said is kept for under five minutes. Thread: any.
 */
#pragma once
#include "base/cancel.h"

struct docker_auth;
struct docker_credentials {
	char *username, *secret; /* owned, "" when none; an identity token has no username */
	char *registry_token;    /* owned, "" when none: a bearer token to use as it is */
};
struct docker_tls {
	GPtrArray *ca_files; /* of char * */
	char *cert_file, *key_file;
	bool insecure;
};

struct docker_auth *docker_auth_new(void);
void docker_auth_free(struct docker_auth *auth);
bool docker_auth_get(struct docker_auth *auth, const char *host, cancel *c, struct docker_credentials *ret,
		     GError **error);
void docker_credentials_clear(struct docker_credentials *c);
/* $DOCKER_CONFIG, else ~/.docker. */
char *docker_config_dir(void);

/* --registry-auth-tlscontext of a host; NULL when there is none. Before any other thread has auth. */
struct docker_tls *docker_auth_tls(struct docker_auth *auth, const char *host, bool make);
