/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_fields: the members of a struct step that are computed from an op's or a container's messages: arguments,
 * environment with secrets, hosts, limits, modes.
 *
 *	struct step_fields f;
 *	step_fields_init(&f);
 *	step_fields_add_env(&f, meta->env, meta->n_env);
 *	step_fields_default_env(&f, "PATH", OCI_DEFAULT_PATH);
 *	step_fields_add_secrets(&f, pb->secretenv, pb->n_secretenv, work, error) ...
 *	step_fields_fill(&f, &step);                            step borrows from f
 *	step_fields_clear(&f);
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/work.h"
#include "executor/executor.h"
#include "oci/oci.h"
#include "ops.pb-c.h"

struct step_fields {
	GPtrArray *env;  /* of owned strings, cleared when freed */
	GPtrArray *args; /* of borrowed strings */
	GArray *hosts;   /* of struct step_host */
	GPtrArray *ips;  /* of owned strings */
	GArray *limits;  /* of struct step_limit */
};
void step_fields_init(struct step_fields *f);
void step_fields_clear(struct step_fields *f);
/* Arguments, limits and hosts are borrowed from the messages. */
void step_fields_add_args(struct step_fields *f, char *const *args, size_t n);
void step_fields_add_limits(struct step_fields *f, Pb__Ulimit *const *limits, size_t n);
/* Errors: INVALID_ARGUMENT "failed to parse IP X". */
bool step_fields_add_hosts(struct step_fields *f, Pb__HostIP *const *hosts, size_t n, GError **error);
void step_fields_add_env(struct step_fields *f, char *const *env, size_t n);
void step_fields_add_proxy(struct step_fields *f, const Pb__ProxyEnv *proxy /* NULL: none */);
/* Sets "NAME=value", in place of earlier values of the name. */
void step_fields_set_env(struct step_fields *f, const char *variable);
/* Unless the environment has the name. */
void step_fields_default_env(struct step_fields *f, const char *name, const char *value);
bool step_fields_add_secrets(struct step_fields *f, Pb__SecretEnv *const *secrets, size_t n, struct work *work,
			     GError **error);
/* Sets network and insecure. Errors: INVALID_ARGUMENT for unknown modes. */
bool step_fields_modes(struct step *step, Pb__NetMode network, Pb__SecurityMode security, GError **error);
/* Sets args, env, hosts and limits; nothing can be added afterwards. */
void step_fields_fill(struct step_fields *f, struct step *step);
