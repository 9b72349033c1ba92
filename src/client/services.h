/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services: the session services of buildctl: directories, outputs, credentials, secrets, agents, content stores.
 *
 *	g_autoptr(services) s = services_new();
 *	services_add_local(s, "context=.", error);           values of the command line
 *	services_register(s, server);                         then rpc_server_serve_tunnel(server, call, error)
 *	for (m = services_methods(s); *m; m++) metadata "x-docker-expose-session-grpc-method"
 *
 * A daemon has access only to what was added: directories and outputs are opened once, as file descriptors, and every
 * request is resolved beneath them. One thread adds, before services_register; after that the object is immutable. It
 * must outlive the server. Thread: any after services_register.
 */
#pragma once
#include "rpc/rpc.h"

typedef struct services services;

services *services_new(void);
void services_free(services *s);

/* --local NAME=DIR. The directory must exist. Errors: e.g. "invalid value X, expected k=v". */
bool services_add_local(services *s, const char *value, GError **error);
bool services_has_local(const services *s, const char *name);
/* Keeps only the named directories (those that an LLB definition from stdin uses). */
void services_keep_locals(services *s, const char *const *names);
/* --secret CSV (type, id, src/source, env). Calls stat, so that a missing file fails immediately. */
bool services_add_secret(services *s, const char *value, GError **error);
/* --ssh default|ID[=PATH[,PATH...][,raw=BOOL]]: the socket of an agent, or key files, which are read immediately. */
bool services_add_ssh(services *s, const char *value, GError **error);
/* --oci-layout ID=PATH: content store "oci:ID". */
bool services_add_oci_layout(services *s, const char *value, GError **error);
/* Adds a content store with this id ("local:<dir>", "export"); create makes the directory (0755). */
bool services_add_store(services *s, const char *id, const char *dir, bool create, GError **error);
/* --registry-auth-tlscontext CSV. */
bool services_add_auth_tls(services *s, const char *value, GError **error);
/* Adds credentials of the Docker configuration ($DOCKER_CONFIG or ~/.docker), read at the first request. */
void services_add_auth(services *s);

/* --output CSV. The i-th call parses the exporter with index i of the request. */
struct services_output {
	char *type;        /* owned */
	GHashTable *attrs; /* owned, char * to char *; for the daemon: without "dest" if used here */
	char *store_dir;   /* owned or NULL; OCI layout whose index.json is updated after the build */
};
bool services_add_output(services *s, const char *value, struct services_output *ret, GError **error);
void services_output_clear(struct services_output *o);

/* Adds the method tables and the health service to a server. */
void services_register(services *s, rpc_server *server);
/* Names of all offered methods ("/service/Method"), NULL-terminated; borrowed. */
const char *const *services_methods(services *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(services, services_free)
