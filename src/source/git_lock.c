/* SPDX-License-Identifier: Apache-2.0 */
/* Locks by name for long work: waiting ends when the caller's cancel token is set. */
#include "source/git.h"

static GMutex mu;
static GCond freed;
static GHashTable *held; /* set of owned names; mu */

bool git_lock_take(const char *name, cancel *c, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &mu, &freed);
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&mu);
	if (!held)
		held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	while (g_hash_table_contains(held, name) && !cancel_is_set(c))
		g_cond_wait(&freed, &mu);
	return cancel_check(c, error) && g_hash_table_add(held, g_strdup(name));
}

void git_lock_release(const char *name)
{
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&mu);
	g_hash_table_remove(held, name);
	g_cond_broadcast(&freed);
}
