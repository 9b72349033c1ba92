/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dir_chain: the directories from a top directory down to the current one, with a bounded number of open fds at any
 * depth.
 *
 *	g_autoptr(dir_chain) chain = dir_chain_new();
 *	dir_chain_push(chain, fd, error);              takes fd; dir_chain_fd(chain) is the innermost directory
 *	dir_chain_pop(chain, error);                   the parent is the innermost again
 *
 * Outer directories are closed and reopened through ".." of their child; the inode must be unchanged.
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"

typedef struct dir_chain dir_chain;

dir_chain *dir_chain_new(void);
void dir_chain_free(dir_chain *c);
/* Takes fd, a directory, even on failure. */
bool dir_chain_push(dir_chain *c, int fd, GError **error);
/* Errors: ABORTED if the child was moved to another directory meanwhile. */
bool dir_chain_pop(dir_chain *c, GError **error);
/* The innermost directory, borrowed until the next push or pop; -1 if the chain is empty. */
int dir_chain_fd(const dir_chain *c);
size_t dir_chain_depth(const dir_chain *c);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(dir_chain, dir_chain_free)
