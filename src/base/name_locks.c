/* SPDX-License-Identifier: Apache-2.0 */
#include "base/name_locks.h"

struct name_locks {
	GMutex mu;
	GCond released;
	GHashTable *held; /* set of owned names; mu */
};

name_locks *name_locks_new(void)
{
	name_locks *l = g_new0(name_locks, 1);
	g_mutex_init(&l->mu);
	g_cond_init(&l->released);
	l->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return l;
}

void name_locks_free(name_locks *l)
{
	if (!l)
		return;
	g_hash_table_unref(l->held);
	g_mutex_clear(&l->mu);
	g_cond_clear(&l->released);
	g_free(l);
}

bool name_locks_take(name_locks *l, const char *name, cancel *c, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &l->mu, &l->released);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&l->mu);
	while (g_hash_table_contains(l->held, name) && !cancel_is_set(c))
		g_cond_wait(&l->released, &l->mu);
	return cancel_check(c, error) && g_hash_table_add(l->held, g_strdup(name));
}

void name_locks_release(name_locks *l, const char *name)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&l->mu);
	g_hash_table_remove(l->held, name);
	g_cond_broadcast(&l->released);
}
