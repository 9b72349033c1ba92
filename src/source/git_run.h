/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_run: runs git with an argument list and a minimal environment.
 *
 *	git_config_add(config, "http.https://h/.extraheader", "Authorization: ...");
 *	if (!git_run(&how, (const char *[]){"init", "--bare", NULL}, work, &output, error)) ...
 *
 * Settings are passed in the environment, so that credentials do not appear in the process list. Output of git is
 * written to the vertex, with credentials of the address masked. Git and its child processes are killed on
 * cancellation, or when a remote sends less than 64 bytes per second for a minute. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/work.h"

typedef struct git_config git_config; /* an ordered list of settings */
git_config *git_config_new(void);
void git_config_free(git_config *c);
void git_config_add(git_config *c, const char *key, const char *value);

struct git_how {
	const git_config *config;  /* NULL: minimal environment only */
	const char *git_dir;       /* NULL: none */
	const char *work_tree;     /* NULL: bare; also git's working directory */
	const char *protocols;     /* NULL: no network access */
	const char *ssh_auth_sock; /* NULL: no agent */
	const char *known_hosts;   /* known hosts file for ssh; NULL: any host is accepted */
	const char *hide;          /* text of the address to mask as xxxxx:xxxxx, or NULL */
	bool quiet;                /* no output is displayed */
};
#define GIT_PROTOCOLS "http:https:ssh:git"

/* A non-zero status is an error: "git stderr:\n<text>: exit status N". ret_output may be NULL. */
bool git_run(const struct git_how *how, const char *const *args, struct work *work, GBytes **ret_output,
	     GError **error);
/* Returns the output's first line without its newline. Owned. */
char *git_run_line(const struct git_how *how, const char *const *args, struct work *work, GError **error);

/* Returns git's output without lines of progress meters. */
GString *git_text(const char *bytes, size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(git_config, git_config_free)
