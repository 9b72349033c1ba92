/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge: WWW-Authenticate headers (RFC 7235) of registries, and the scopes of tokens.
 *
 *	struct challenge c;
 *	if (challenge_parse(header_value, &c)) ... challenge_clear(&c);
 *
 * Input comes from a peer; text that does not parse is not a challenge. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

enum challenge_scheme { CHALLENGE_BASIC, CHALLENGE_BEARER };
struct challenge {
	enum challenge_scheme scheme;
	char *realm;   /* owned; "" when absent */
	char *service; /* owned; "" when absent */
	char *scope;   /* owned; "" when absent */
	char *error;   /* owned; "" when absent */
};
/* Parses the first Basic or Bearer challenge of one header line. */
bool challenge_parse(const char *header, struct challenge *ret);
void challenge_clear(struct challenge *c);

/*
 * Merges scopes ("repository:a:pull") by name and sorts them and their actions. Each input may contain several,
 * space-separated.
 */
char **scopes_merge(const char *const *scopes);
/* Reports whether all of wanted (space-separated) is in scopes; true for an empty wanted. */
bool scopes_contain(const char *scopes, const char *wanted);
