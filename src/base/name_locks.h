/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_locks: locks by name for long work, such as one fetch of a blob at a time.
 *
 *	if (!name_locks_take(locks, "sha256:...", cancel, error)) return false;
 *	...
 *	name_locks_release(locks, "sha256:...");
 *
 * A waiting caller ends when its token is set. Thread: any.
 */
#pragma once
#include "base/cancel.h"

typedef struct name_locks name_locks;

name_locks *name_locks_new(void);
void name_locks_free(name_locks *l); /* no lock is held */
bool name_locks_take(name_locks *l, const char *name, cancel *c /* may be NULL */, GError **error);
void name_locks_release(name_locks *l, const char *name);
