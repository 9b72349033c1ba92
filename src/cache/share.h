/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share: which trees have files in common, as hard links to the same inodes.
 *
 *	share_add(c, t, from);                  t has links to files of from
 *	if (share_meets(t, u)) ...              t and u may contain the same inode
 *
 * Two names of one inode in a merged tree would look like hard links that the image never had. So trees that are
 * combined in one must not have an inode in common, except at the same path. A tree lists the trees that it shares
 * files with, also indirectly; trees whose lists meet are compared by inode. Lists are complete when a tree is
 * committed and do not change afterwards. Thread: any, without c->mu.
 */
#pragma once
#include "cache/record.h"

/* Marks a tree of an older version, of which nothing is known: it meets every tree. */
#define SHARE_UNKNOWN "*"

/* False: the list would be too long, and files must be copied. */
bool share_add(cache *c, struct tree *t, struct tree *from);
/* The list of t is not complete: it meets every tree. */
void share_forget(cache *c, struct tree *t);
/* Reports whether t and u, or the trees that they share files with, have a member in common. */
bool share_meets(const struct tree *t, const struct tree *u);
/* Reports whether u and one of the trees (of struct tree *) contain the same inode. */
bool share_conflicts(cache *c, const GPtrArray *trees, struct tree *u);
/* The inodes of the regular files of a committed tree, sorted (of guint64). Empty if it cannot be read. */
GArray *share_inodes(cache *c, struct tree *t);
/* The digests of the layers of t and of the trees that these share files with, as far as they are known (refs). */
GPtrArray *share_contents(cache *c, struct tree *t);
/* Call with c->mu held: files of t changed or went, so that the sizes of trees which share files with it may differ. */
void share_changed_locked(cache *c, const struct tree *t);
/* Call with c->mu held: marks the trees that such changes concern to be measured again. */
void share_unmeasure_locked(cache *c);
/* Returns the bytes of a tree, without the files that count for another tree; -1 if nothing is shared. */
int64_t share_measure(cache *c, struct tree *t, int fs_fd);

/*
 * Returns the bytes that the removal of a tree frees; ledger belongs to trees that are removed one after the other:
 * a file that several of them contain counts for the last one. -1 if it shares nothing.
 */
typedef struct share_ledger share_ledger;
share_ledger *share_ledger_new(void);
void share_ledger_free(share_ledger *l);
int64_t share_freed(cache *c, struct tree *t, share_ledger *ledger);

void share_put_text(const struct tree *t, GString *ret);
void share_load_text(struct tree *t, const char *text);
/* Once all trees are loaded. */
void share_load_end(cache *c);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(share_ledger, share_ledger_free)
