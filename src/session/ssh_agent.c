/* SPDX-License-Identifier: Apache-2.0 */
#include "session/ssh_agent.h"
#include "base/limits.h"

enum { HEADER_LEN = 4, REQUEST_IDENTITIES = 11, SIGN_REQUEST = 13 };

size_t ssh_agent_message_len(const uint8_t *bytes, size_t n)
{
	if (n < HEADER_LEN)
		return 0;
	size_t len = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
	return len == 0 || len > (size_t)LIMIT_SSH_AGENT_BYTES ? SIZE_MAX : HEADER_LEN + len;
}

enum ssh_agent_verdict ssh_agent_look(const uint8_t *bytes, size_t n, size_t *ret_len)
{
	size_t len = ssh_agent_message_len(bytes, n);
	if (len == SIZE_MAX)
		return SSH_AGENT_INVALID;
	if (len == 0 || n < len)
		return SSH_AGENT_MORE;
	*ret_len = len;
	uint8_t type = bytes[HEADER_LEN];
	return type == REQUEST_IDENTITIES || type == SIGN_REQUEST ? SSH_AGENT_PASS : SSH_AGENT_REFUSE;
}
