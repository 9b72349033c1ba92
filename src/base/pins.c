/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pins.h"
#include <stdbool.h>

struct entry {
	void *answer; /* a reference */
	const struct pin_class *class;
};

struct pins {
	gint refs;
	GMutex mu;
	GHashTable *entries; /* key to struct entry; mu; NULL: closed */
};

static void entry_free(void *data)
{
	struct entry *e = data;
	e->class->unref(e->answer);
	g_free(e);
}

pins *pins_new(void)
{
	pins *p = g_new0(pins, 1);
	p->refs = 1;
	g_mutex_init(&p->mu);
	p->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
	return p;
}

pins *pins_ref(pins *p)
{
	g_atomic_int_inc(&p->refs);
	return p;
}

void pins_unref(pins *p)
{
	if (!p || !g_atomic_int_dec_and_test(&p->refs))
		return;
	pins_close(p);
	g_mutex_clear(&p->mu);
	g_free(p);
}

/* Answers are released without the lock, because the last reference to a record may remove files. */
void pins_close(pins *p)
{
	g_mutex_lock(&p->mu);
	GHashTable *entries = g_steal_pointer(&p->entries);
	g_mutex_unlock(&p->mu);
	g_clear_pointer(&entries, g_hash_table_unref);
}

static struct entry *entry_find(pins *p, const char *key)
{
	return p->entries ? g_hash_table_lookup(p->entries, key) : NULL;
}

void *pins_find(pins *const *list, const char *key)
{
	void *found = NULL;
	for (; list && *list && !found; list++) {
		g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&(*list)->mu);
		struct entry *e = entry_find(*list, key);
		found = e ? e->class->ref(e->answer) : NULL;
	}
	return found;
}

/* Returns p's answer after the call, as a reference; NULL: p is closed. */
static void *settle(pins *p, const char *key, void *answer, const struct pin_class *class)
{
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&p->mu);
	struct entry *e = entry_find(p, key);
	if (!p->entries)
		return NULL;
	if (!e) {
		e = g_new(struct entry, 1);
		*e = (struct entry){class->ref(answer), class};
		g_hash_table_insert(p->entries, g_strdup(key), e);
	}
	return e->class->ref(e->answer);
}

void *pins_agree(pins *const *list, const char *key, void *answer, const struct pin_class *class)
{
	void *agreed = pins_find(list, key);
	if (!agreed)
		agreed = class->ref(answer);
	for (bool first = true; list && *list; list++) {
		void *settled = settle(*list, key, agreed, class);
		if (first && settled) { /* another thread may have been faster */
			void *swap = agreed;
			agreed = settled;
			settled = swap;
			first = false;
		}
		if (settled)
			class->unref(settled);
	}
	return agreed;
}
