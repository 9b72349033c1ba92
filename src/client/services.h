/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services: what buildctl serves in its session: directories, outputs, credentials, secrets, agents, content stores.
 *
 *	g_autoptr(services) s = services_new();
 *	services_add_local(s, "context=.", error);           values as the user wrote them
 *	services_register(s, server);                         then rpc_server_serve_tunnel(server, call)
 *	for (m = services_methods(s); *m; m++) metadata "x-docker-expose-session-grpc-method"
 *
 * A daemon gets only what was added: directories and outputs are opened once, as file descriptors, and every request
 * is resolved beneath them. Adding is for one thread before services_register; after that it is immutable and
 * outlives the server. Thread: any after services_register.
 */
#pragma once
#include "rpc/rpc.h"

typedef struct services services;

services *services_new(void);
void services_free(services *s);

/* --local NAME=DIR. Errors: "invalid value X, expected k=v"-style texts; the directory must exist. */
bool services_add_local(services *s, const char *value, GError **error);
bool services_has_local(const services *s, const char *name);
/* Keeps only the named ones (LLB from stdin exposes what it uses). */
void services_keep_locals(services *s, const char *const *names);
/* --secret CSV (type, id, src/source, env). Stats the file, so that a missing one fails at once. */
bool services_add_secret(services *s, const char *value, GError **error);
/* --ssh default|ID[=PATH[,PATH...][,raw=BOOL]]: the socket of an agent, or files of keys, which are read now. */
bool services_add_ssh(services *s, const char *value, GError **error);
/* --oci-layout ID=PATH: store "oci:ID". */
bool services_add_oci_layout(services *s, const char *value, GError **error);
/* Any content store by its id ("local:<dir>", "export"); create makes the directory (0755). */
bool services_add_store(services *s, const char *id, const char *dir, bool create, GError **error);
/* --registry-auth-tlscontext CSV. */
bool services_add_auth_tls(services *s, const char *value, GError **error);
/* Credentials of the Docker configuration ($DOCKER_CONFIG or ~/.docker), read when first asked for. */
void services_add_auth(services *s);

/* --output CSV, parsed; index i of the request is the i-th call. */
struct services_output {
	char *type;        /* owned */
	GHashTable *attrs; /* owned, char * to char *, what the daemon gets ("dest" taken out when it was used here) */
	char *store_dir;   /* owned or NULL: OCI layout whose index.json is updated after the solve */
};
bool services_add_output(services *s, const char *value, struct services_output *ret, GError **error);
void services_output_clear(struct services_output *o);

/* Adds the method tables and health to a server. */
void services_register(services *s, rpc_server *server);
/* "/service/Method" of everything offered, NULL-terminated; borrowed. */
const char *const *services_methods(services *s);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(services, services_free)
