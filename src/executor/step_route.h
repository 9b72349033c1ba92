/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_route: the network namespace of a step and, if the step asks for it, the proxy that is the only way out of it.
 *
 *	struct step_route n = {0};
 *	if (!step_route_open(&n, provider, pool, step, cancel, error)) ...
 *	n.step ... n.namespace ...                       run this step in this namespace
 *	step_route_close(&n, reusable, error);         always
 *
 * Thread: one at a time.
 */
#pragma once
#include "executor/step_trust.h"
#include "executor/executor.h"

struct step_route {
	struct step step;             /* a copy; with a proxy, its environment names it */
	network_namespace *namespace; /* owned; NULL: the daemon's, or a new one without a network */
	network_namespace *egress;    /* owned; where the proxy reaches the network; NULL: in the daemon's */
	netproxy *proxy;              /* owned; NULL: none */
	step_trust *bundle;           /* owned */
	GPtrArray *env;               /* owned: strings in turn */
};

/*
 * provider: NULL if the executor has none. pool: the same, or NULL if steps use the daemon's namespace. Closed if it fails.
 * Errors: FAILED_PRECONDITION.
 */
bool step_route_open(struct step_route *n, network_provider *provider, network_provider *pool, const struct step *step,
		     cancel *c, GError **error);
/* reusable: as for network_release. False: the certificate could not be removed from the root. */
bool step_route_close(struct step_route *n, bool reusable, GError **error);
/*
 * Returns the environment of a further process in a step: that of the process, with the proxy of the step. Owned, and
 * its strings are borrowed.
 */
GPtrArray *step_route_env(const struct step *step, const char *const *env);
