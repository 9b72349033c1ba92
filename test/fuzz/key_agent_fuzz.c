/* SPDX-License-Identifier: Apache-2.0 */
#include "client/key_agent.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The example of RFC 8410, section 10.3. */
static const char key_text[] = "-----BEGIN PRIVATE KEY-----\n"
			       "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
			       "-----END PRIVATE KEY-----\n";

/* Every request has an answer: failure, the list for a list request, a signature for a sign request. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static key_agent *agent;
	if (!agent) {
		agent = key_agent_new();
		key_agent_take(agent, ssh_key_parse(key_text, strlen(key_text), NULL));
	}
	g_autoptr(GByteArray) answer = key_agent_answer(agent, (struct slice){data, size});
	bool failed = answer->len == 1 && answer->data[0] == 5;
	bool listed = answer->len > 1 && answer->data[0] == 12 && size == 1 && data[0] == 11;
	bool is_signed = answer->len > 1 && answer->data[0] == 14 && size > 1 && data[0] == 13;
	if (!failed && !listed && !is_signed)
		abort();
	return 0;
}
