/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git: shared by the files of the git source: the source, the connection to its remote, the shared repository of the
 * remote, and checkouts.
 *
 *	g_auto(git_link) link = {0};
 *	g_auto(git_repo) repo = {0};
 *	git_link_open(&link, s, work, error) && git_repo_open(&repo, s, &link, work, error) &&
 *	(ref = git_checkout(&repo, work, error))
 *
 * Thread: a source is used by one thread at a time, the repository of a remote by one caller at a time (git_locks of the
 * context).
 */
#pragma once
#include "content/blob_holds.h"
#include "source/git_bundle.h"
#include "source/git_refs.h"
#include "source/git_run.h"
#include "session/ssh_socket.h"
#include "source/source.h"

typedef struct git_source {
	const struct source_context *context; /* borrowed */
	char *remote;                         /* owned: address passed to git, without a password */
	char *shown;                          /* owned: for error and log texts */
	char *user_info;                      /* owned or NULL: credentials of the address */
	char *host;                           /* owned */
	char *ref;                            /* owned: the requested ref, NULL: the default branch */
	char *subdir;                         /* owned: cleaned, "" is the root */
	char *checksum;                       /* owned or NULL */
	char *auth_header, *auth_token;       /* owned or NULL: ids of secrets */
	char *ssh_id, *known_hosts;           /* owned or NULL */
	git_bundle *bundle;                   /* owned or NULL: the origin instead of the remote */
	struct git_shape shape;
	bool http, fetch_by_commit;
	char *signature_key; /* owned or NULL: then nothing is verified */
	bool reject_expired, require_signed_tag, ignore_signed_tag;
	bool verified;
	/* Valid when resolved: */
	bool resolved;
	git_listing found; /* full_ref is the commit itself if the ref is a commit */
} git_source;

/* ---- git_link.c */
typedef struct git_link {
	git_config *config; /* owned: settings with credentials */
	char *agent_path;   /* owned or NULL: socket of the forwarded agent */
	char *hosts_path;   /* owned or NULL */
	int hosts_fd;       /* owned, if hosts_path is set */
	ssh_socket *agent;  /* owned or NULL */
	int agent_fd;       /* owned, if agent is set: the file system of its socket */
} git_link;
bool git_link_open(git_link *l, const struct git_source *s, struct work *work, GError **error);
/* For commands that do not connect to the remote. */
void git_link_init(git_link *l);
void git_link_clear(git_link *l);
/* Fills a git command that may connect to the remote; the caller adds git_dir and work_tree. */
struct git_how git_link_how(const git_link *l, const struct git_source *s);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_link, git_link_clear)

/* ---- git_repo.c */
typedef struct git_repo {
	struct git_source *source; /* borrowed */
	const git_link *link;      /* borrowed */
	cache_ref *ref;            /* owned: the cache record */
	char *dir;                 /* owned */
	char *local_ref;           /* owned: the local name of a named ref */
	char *lock;                /* owned: the lock, held while set */
} git_repo;
/*
 * Returns the bare repository of the remote or of the bundle, with the resolved commit in it. A bundle can be opened
 * before the commit is resolved.
 */
bool git_repo_open(git_repo *r, struct git_source *s, const git_link *link, struct work *work, GError **error);
struct git_how git_repo_how(const git_repo *r);
/* Reports whether a server of plain files refused a shallow fetch. */
bool git_lacks_depth(const GError *error);
/* Returns the directory of a tree as a path for other programs. Owned. */
char *git_tree_path(int fd, GError **error);
void git_repo_clear(git_repo *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_repo, git_repo_clear)

/* ---- git_bundle.c */
struct git_bundle_file {
	int fd;            /* owned */
	char *path;        /* owned: for git */
	bool long_ids;     /* SHA-256 */
	cache *cache;      /* borrowed */
	blob_holds *holds; /* owned: keeps the blob */
};
bool git_bundle_open(const struct git_source *s, struct work *work, struct git_bundle_file *ret, GError **error);
void git_bundle_close(struct git_bundle_file *f);
/* Fetches all refs of the bundle into a new repository. */
bool git_bundle_import(const git_repo *r, const struct git_bundle_file *f, struct work *work, GError **error);
/* Creates the file "bundle" in an empty tree: the ref with its history. */
bool git_bundle_write(const git_repo *r, int root, const char *root_path, struct work *work, GError **error);

/* ---- git_objects.c */
/* Replaces the commit and tag objects of the resolved commit in ret, and its commit_checksum. */
bool git_objects_read(const git_repo *r, struct work *work, struct git_meta *ret, GError **error);
/* Verifies the signature of the tag or commit. */
bool git_objects_verify(const struct git_source *s, const struct git_meta *m, struct work *work, GError **error);

/* ---- git_checkout.c */
/* Makes regular files without execute permission writable for all, as compatibility version 10 did. */
bool git_open_modes(int root, GError **error);
cache_ref *git_checkout(const git_repo *r, struct work *work, GError **error);
