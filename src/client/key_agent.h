/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_agent: answers the requests of the ssh agent protocol (draft-miller-ssh-agent) from keys in memory.
 *
 *	g_autoptr(key_agent) a = key_agent_new();
 *	key_agent_take(a, ssh_key_read(path, error));
 *	g_autoptr(GByteArray) answer = key_agent_answer(a, (struct slice){request, n});
 *
 * It lists its keys and signs. All else, and what makes no sense, is answered SSH_AGENT_FAILURE: nobody who asks can
 * change it. Adding is for one thread; after that it is immutable. Thread: any.
 */
#pragma once
#include "client/ssh_key.h"

typedef struct key_agent key_agent;

key_agent *key_agent_new(void);
void key_agent_free(key_agent *a);
/* A key that is there already is not there twice. */
void key_agent_take(key_agent *a, ssh_key *key);
/* The answer to a request, both without the length in front; owned. */
GByteArray *key_agent_answer(const key_agent *a, struct slice request);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_agent, key_agent_free)
