/* SPDX-License-Identifier: Apache-2.0 */
#include "session/ssh_agent.h"
#include "base/limits.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads messages as from a connection: a message that passes is of one of two types and inside the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t len = 0;
		enum ssh_agent_verdict verdict = ssh_agent_look(data + at, size - at, &len);
		if (verdict == SSH_AGENT_MORE || verdict == SSH_AGENT_INVALID)
			break;
		if (len < 5 || len > size - at || len > (size_t)LIMIT_SSH_AGENT_BYTES + 4)
			abort();
		if ((verdict == SSH_AGENT_PASS) != (data[at + 4] == 11 || data[at + 4] == 13))
			abort();
		at += len;
	}
	return 0;
}
