/* SPDX-License-Identifier: Apache-2.0 */
#include "session/live.h"
#include "api/guard.h"
#include "ssh.pb-c.h"

#define CHECK "/moby.sshforward.v1.SSH/CheckAgent"
#define FORWARD "/moby.sshforward.v1.SSH/ForwardAgent"

struct question {
	const char *id;
	session *found;
};

static bool ask(session *s, cancel *c, void *data, GError **error)
{
	struct question *q = data;
	Ssh__CheckAgentRequest request = SSH__CHECK_AGENT_REQUEST__INIT;
	request.id = (char *)q->id;
	void *reply =
		rpc_unary(session_conn(s), CHECK, NULL, &request, &ssh__check_agent_response__descriptor, c, 0, error);
	if (!reply)
		return false;
	guard_free(reply);
	q->found = session_ref(s);
	return true;
}

bool session_ssh_check(session_group *g, const char *id, cancel *c, session **ret_session, GError **error)
{
	struct question q = {.id = id};
	if (!group_each(g, CHECK, SESSION_WAIT_MS, c, ask, &q, error))
		return false;
	*ret_session = q.found;
	return true;
}

rpc_call *session_ssh_forward(session *s, const char *id, cancel *c, GError **error)
{
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "buildkit.ssh.id", id);
	return rpc_call_start(session_conn(s), FORWARD, md, c, 0, error);
}
