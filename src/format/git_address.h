/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_address: addresses of git repositories, as URLs (http, https, ssh, git) and as user@host:path.
 *
 *	g_auto(git_address) a = {0};
 *	if (git_address_parse("https://h/x.git#v1", &a)) ... a.host, a.path, a.remote, a.fragment
 *
 * daemon-and-client.md section 6.3. Pure. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

/* All owned; query and fragment are NULL when absent, user_info when there is none. */
typedef struct git_address {
	char *scheme; /* lower case; "ssh" for user@host:path */
	char *user_info;
	char *host; /* with its port */
	char *path; /* without escapes */
	char *query, *fragment;
	char *remote; /* what git is given: without query and fragment */
	bool scp;     /* written as user@host:path */
} git_address;

/* False: no address of git's. ret is set on success only. */
bool git_address_parse(const char *text, git_address *ret);
void git_address_clear(git_address *a);
/*
 * What git may be run with: no control bytes or blanks, and no part that a helper program could take for an option.
 */
bool git_address_is_safe(const git_address *a);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_address, git_address_clear)
