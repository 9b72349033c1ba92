/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git: what the files of the git source share: the source, how it reaches its remote, the shared repository of the
 * remote, and a checkout of it.
 *
 *	g_auto(git_link) link = {0};
 *	g_auto(git_repo) repo = {0};
 *	git_link_open(&link, s, work, error) && git_repo_open(&repo, s, &link, false, work, error) &&
 *	git_repo_fetch(&repo, work, error) && (ref = git_checkout(&repo, work, error))
 *
 * A source is used by one thread at a time; repositories of one remote are one caller's at a time (git_lock.c).
 */
#pragma once
#include "source/git_refs.h"
#include "source/git_run.h"
#include "session/ssh_socket.h"
#include "source/source.h"

typedef struct git_source {
	const struct source_context *context; /* borrowed */
	char *remote;                         /* owned: what git is given, without a password */
	char *shown;                          /* owned: for texts */
	char *user_info;                      /* owned or NULL: credentials of the address */
	char *host;                           /* owned */
	char *ref;                            /* owned: as asked for, NULL: the default branch */
	char *subdir;                         /* owned: clean, "" is the whole */
	char *checksum;                       /* owned or NULL */
	char *auth_header, *auth_token;       /* owned or NULL: ids of secrets */
	char *ssh_id, *known_hosts;           /* owned or NULL */
	struct git_shape shape;
	bool http, fetch_by_commit;
	/* Once resolved: */
	bool resolved;
	git_listing found; /* full_ref is the commit itself when the ref is one */
} git_source;

/* ---- git_link.c */
typedef struct git_link {
	git_config *config; /* owned: credentials */
	char *agent_path;   /* owned or NULL: socket of the forwarded agent */
	char *hosts_path;   /* owned or NULL */
	int hosts_fd;       /* owned, when hosts_path */
	ssh_socket *agent;  /* owned or NULL */
	int agent_fd;       /* owned, when agent: the file system of its socket */
} git_link;
bool git_link_open(git_link *l, const struct git_source *s, struct work *work, GError **error);
void git_link_clear(git_link *l);
/* Commands that may talk to the remote; add a git_dir and work_tree. */
struct git_how git_link_how(const git_link *l, const struct git_source *s);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_link, git_link_clear)

/* ---- git_lock.c */
/* Waits until nobody holds the name. */
bool git_lock_take(const char *name, cancel *c, GError **error);
void git_lock_release(const char *name);

/* ---- git_repo.c */
typedef struct git_repo {
	struct git_source *source; /* borrowed */
	const git_link *link;      /* borrowed */
	cache_ref *ref;            /* owned: the record */
	char *dir;                 /* owned */
	char *local_ref;           /* owned: where a named ref is kept */
	char *lock;                /* owned: held while set */
} git_repo;
/* The remote's bare repository with the resolved commit in it. */
bool git_repo_open(git_repo *r, struct git_source *s, const git_link *link, struct work *work, GError **error);
struct git_how git_repo_how(const git_repo *r);
/* A server of plain files refused a shallow fetch. */
bool git_lacks_depth(const GError *error);
/* The directory of a tree as a path for other programs. Owned. */
char *git_tree_path(int fd, GError **error);
void git_repo_clear(git_repo *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_repo, git_repo_clear)

/* ---- git_checkout.c */
/* Makes regular files without execute permission writable for all, as checkouts of compatibility version 10 were. */
bool git_open_modes(int root, GError **error);
cache_ref *git_checkout(const git_repo *r, struct work *work, GError **error);
