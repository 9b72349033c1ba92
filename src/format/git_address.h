/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_address: parses addresses of git repositories: URLs (http, https, ssh, git) and user@host:path.
 *
 *	g_auto(git_address) a = {0};
 *	if (git_address_parse("https://h/x.git#v1", &a)) ... a.host, a.path, a.remote, a.fragment
 *
 * Pure. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

/* All members are owned; query and fragment are NULL if missing, so is user_info. */
typedef struct git_address {
	char *scheme; /* lower case; "ssh" for user@host:path */
	char *user_info;
	char *host; /* with its port */
	char *path; /* unescaped */
	char *query, *fragment;
	char *remote; /* the address to pass to git: without query and fragment */
	bool scp;     /* written as user@host:path */
} git_address;

/* Returns false if it is not a git address. ret is set on success only. */
bool git_address_parse(const char *text, git_address *ret);
void git_address_clear(git_address *a);
/*
 * Reports whether git may be run with it: no control characters or blanks, and no part that helpers could parse as an
 * option.
 */
bool git_address_is_safe(const git_address *a);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_address, git_address_clear)
