/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_run: the git program, run by argument list in an environment of our own.
 *
 *	git_config_add(config, "http.https://h/.extraheader", "Authorization: ...");
 *	if (!git_run(&how, (const char *[]){"init", "--bare", NULL}, work, &output, error)) ...
 *
 * Settings go through the environment, so that nobody sees credentials in the process list; what git prints goes to
 * the vertex without those of the address. Cancelling kills git with all it started, and so does
 * a remote that stalls: less than 64 bytes a second for a minute. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/work.h"

typedef struct git_config git_config; /* an ordered list of settings */
git_config *git_config_new(void);
void git_config_free(git_config *c);
void git_config_add(git_config *c, const char *key, const char *value);

struct git_how {
	const git_config *config;  /* NULL: ours only */
	const char *git_dir;       /* NULL: none */
	const char *work_tree;     /* NULL: bare; also where git runs */
	const char *protocols;     /* NULL: none may be used: nothing outside is reached */
	const char *ssh_auth_sock; /* NULL: no agent */
	const char *known_hosts;   /* file for ssh, NULL: any host is believed */
	const char *hide;          /* text of the address that is shown as xxxxx:xxxxx, or NULL */
	bool quiet;                /* nothing is shown */
};
#define GIT_PROTOCOLS "http:https:ssh:git"

/* A status other than 0 is an error: "git stderr:\n<text>: exit status N". ret_output may be NULL. */
bool git_run(const struct git_how *how, const char *const *args, struct work *work, GBytes **ret_output,
	     GError **error);
/* The output's first line without its end. Owned. */
char *git_run_line(const struct git_how *how, const char *const *args, struct work *work, GError **error);

/* What git printed, without the lines of its progress meters. */
GString *git_text(const char *bytes, size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(git_config, git_config_free)
