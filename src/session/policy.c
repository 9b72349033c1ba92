/* SPDX-License-Identifier: Apache-2.0 */
/* policy: the client's PolicyVerifier service, which decides how a build may use a source. */
#include "session/live.h"
#include "policysession.pb-c.h"

#define METHOD "/moby.buildkit.v1.sourcepolicy.policysession.PolicyVerifier/CheckPolicy"

/* No time limit: the client may verify signatures over the network. The call ends with the session or the build. */
Policysession__CheckPolicyResponse *session_policy_check(session_registry *r, const char *id,
							 const Policysession__CheckPolicyRequest *request, cancel *c,
							 GError **error)
{
	g_autoptr(session) s = session_find(r, id, SESSION_WAIT_MS, c, error);
	if (!s)
		return NULL;
	return rpc_unary(session_conn(s), METHOD, NULL, request, &policysession__check_policy_response__descriptor, c,
			 0, error);
}
