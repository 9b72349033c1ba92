/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_agent: filters the SSH agent protocol requests that a step sends to a forwarded agent.
 *
 *	switch (ssh_agent_look(bytes, n, &len)) ...
 *
 * draft-miller-ssh-agent: uint32 length, byte type, contents. Listing identities (11) and signing (13) pass; all other
 * requests could change or lock the agent. Pure. Thread: any.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum ssh_agent_verdict {
	SSH_AGENT_MORE,    /* incomplete message */
	SSH_AGENT_PASS,    /* ret_len bytes: forward */
	SSH_AGENT_REFUSE,  /* ret_len bytes: answer SSH_AGENT_FAILURE */
	SSH_AGENT_INVALID, /* empty or longer than LIMIT_SSH_AGENT_BYTES: close the connection */
};
/* Examines the first message in bytes; ret_len is set for PASS and REFUSE. */
enum ssh_agent_verdict ssh_agent_look(const uint8_t *bytes, size_t n, size_t *ret_len);
/* Returns the length of a message including its header: 0 not known yet, SIZE_MAX too long or empty. */
size_t ssh_agent_message_len(const uint8_t *bytes, size_t n);

/* The message SSH_AGENT_FAILURE. */
#define SSH_AGENT_FAILURE_MESSAGE "\0\0\0\1\5"
#define SSH_AGENT_FAILURE_LEN 5
