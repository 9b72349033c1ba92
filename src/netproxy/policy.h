/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_policy: decides about requests of steps; belongs to a build and is used by its steps.
 *
 *	netproxy_policy *p = netproxy_policy_new(scope, check, data);
 *	netproxy_policy_check(p, "GET", "https://host/file", cancel, &other, error);
 *	netproxy_policy_close(p);                       data is not used any more
 *	netproxy_policy_unref(p);
 *
 * Counted: a step may still run when its build has ended, and then gets an error. Thread: any.
 */
#pragma once
#include "base/cancel.h"

typedef struct netproxy_policy netproxy_policy;
/*
 * May change the address of a request: *ret_url, owned; it stays NULL otherwise. A request whose check fails is refused.
 * url: without credentials and default ports.
 */
typedef bool (*netproxy_check_fn)(void *data, const char *method, const char *url, cancel *c, char **ret_url,
				  GError **error);

/*
 * scope: distinguishes steps that the policy is about from equal ones of other builds, so that a refusal fails this build only;
 * copied. check NULL: everything is allowed, and scope is "".
 */
netproxy_policy *netproxy_policy_new(const char *scope, netproxy_check_fn check, void *data);
netproxy_policy *netproxy_policy_ref(netproxy_policy *p);
void netproxy_policy_unref(netproxy_policy *p);
const char *netproxy_policy_scope(const netproxy_policy *p);
bool netproxy_policy_check(netproxy_policy *p, const char *method, const char *url, cancel *c, char **ret_url,
			   GError **error);
/* Cancels running checks, waits for them, and makes later ones fail. */
void netproxy_policy_close(netproxy_policy *p);
