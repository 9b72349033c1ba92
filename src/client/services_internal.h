/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services_internal: declarations shared by the files of the session services. See services.h.
 *
 *	const struct service_X: a table of methods in service_X.c; data is the services object
 *
 * Thread: immutable after services_register, except members marked mu.
 */
#pragma once
#include "client/docker_config.h"
#include "client/key_agent.h"
#include "client/services.h"

struct rpc_method_table {
	const struct rpc_method *methods;
	size_t n;
};

/* a directory that is offered to the daemon */
struct service_local {
	int fd; /* owned */
};

/* destination of an output */
/* TARGET_STORE: the directory of a content store (struct services), while an output is parsed; then TARGET_NONE. */
enum target_kind { TARGET_NONE, TARGET_DIR, TARGET_STORE, TARGET_FILE, TARGET_STDOUT };
struct service_target {
	enum target_kind kind;
	char *path;       /* owned; for messages, and the directory that is created at first use */
	int parent_fd;    /* owned; directory that contains the file */
	char *name;       /* owned; name of the file in it */
	bool delete_rest; /* mode=delete */
};

struct service_secret {
	char *path; /* owned, or NULL: */
	char *env;  /* owned */
};

struct service_agent {
	char *socket;    /* owned, or NULL: */
	key_agent *keys; /* owned */
	bool raw;
};

struct services {
	GHashTable *locals;       /* char * to struct service_local * */
	GPtrArray *targets;       /* element type: struct service_target *, by exporter index */
	GHashTable *secrets;      /* char * to struct service_secret * */
	GHashTable *agents;       /* char * to struct service_agent * */
	GHashTable *stores;       /* char * to struct content_dir * (service_content.c) */
	struct docker_auth *auth; /* owned, NULL: none (service_auth.c) */
	GPtrArray *methods;       /* element type: const char *, NULL-terminated once listed */
};

extern const struct rpc_method_table service_files_table;   /* FileSync */
extern const struct rpc_method_table service_outputs_table; /* FileSend */
extern const struct rpc_method_table service_secrets_table;
extern const struct rpc_method_table service_ssh_table;
extern const struct rpc_method_table service_content_table;
extern const struct rpc_method_table service_auth_table;

void service_target_free(void *target);
void service_local_free(void *local);
void service_secret_free(void *secret);
void service_agent_free(void *agent);
void content_dir_free(void *store);

/*
 * Splits the "key=value" fields of a CSV value and calls set for each, with keys in lower case. invalid: printf format
 * of the error for a field without "=".
 */
bool services_parse_fields(const char *value, const char *invalid,
			   bool (*set)(void *data, const char *key, const char *value, const char *field,
				       GError **error),
			   void *data, GError **error);
