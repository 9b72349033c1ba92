/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_agent: answers the requests of the ssh agent protocol (draft-miller-ssh-agent) from keys in memory.
 *
 *	g_autoptr(key_agent) a = key_agent_new();
 *	key_agent_take(a, ssh_key_read(path, error));
 *	g_autoptr(GByteArray) answer = key_agent_answer(a, (struct slice){request, n});
 *
 * It lists its keys and signs. All other and malformed requests are answered with SSH_AGENT_FAILURE, so a peer cannot
 * change the agent. Keys are added by one thread; after that the agent is immutable. Thread: any.
 */
#pragma once
#include "client/ssh_key.h"

typedef struct key_agent key_agent;

key_agent *key_agent_new(void);
void key_agent_free(key_agent *a);
/* Ignores a key that was added before. */
void key_agent_take(key_agent *a, ssh_key *key);
/* Returns the owned answer to a request, both without their length prefix. */
GByteArray *key_agent_answer(const key_agent *a, struct slice request);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_agent, key_agent_free)
