/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_config: registry credentials of the Docker configuration: config.json, DOCKER_AUTH_CONFIG, credential helpers.
 *
 *	struct docker_auth *a = docker_auth_new();
 *	docker_auth_get(a, "registry-1.docker.io", cancel, &credentials, error);     empty strings when there are none
 *
 * The file is read at the first request; answers of helpers are cached for less than five minutes. Thread: any.
 */
#pragma once
#include "base/cancel.h"

struct docker_auth;
struct docker_credentials {
	char *username, *secret; /* owned, "" if none; an identity token has no user name */
	char *registry_token;    /* owned, "" if none; a bearer token that is used unchanged */
};
struct docker_tls {
	GPtrArray *ca_files; /* element type: char * */
	char *cert_file, *key_file;
	bool insecure;
};

struct docker_auth *docker_auth_new(void);
void docker_auth_free(struct docker_auth *auth);
bool docker_auth_get(struct docker_auth *auth, const char *host, cancel *c, struct docker_credentials *ret,
		     GError **error);
void docker_credentials_clear(struct docker_credentials *c);
/* Uses $DOCKER_CONFIG or ~/.docker. */
char *docker_config_dir(void);

/* Returns the TLS settings of a host from --registry-auth-tlscontext, or NULL. Set before other threads use auth. */
struct docker_tls *docker_auth_tls(struct docker_auth *auth, const char *host, bool make);
