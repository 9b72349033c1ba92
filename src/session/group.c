/* SPDX-License-Identifier: Apache-2.0 */
#include "session/live.h"

struct session_group {
	gint refs;
	GMutex mu;
	session_registry *registry; /* borrowed: freed with the daemon; NULL: that of the first group that joins */
	GPtrArray *ids;             /* of owned strings */
	GPtrArray *joined;          /* of session_group, refs */
};

session_group *session_group_new(session_registry *r, const char *id)
{
	session_group *g = g_new0(session_group, 1);
	g->refs = 1;
	g->registry = r;
	g_mutex_init(&g->mu);
	g->ids = g_ptr_array_new_with_free_func(g_free);
	g->joined = g_ptr_array_new_with_free_func((GDestroyNotify)session_group_unref);
	if (id && *id)
		session_group_add(g, id);
	return g;
}

session_group *session_group_ref(session_group *g)
{
	g_atomic_int_inc(&g->refs);
	return g;
}

void session_group_unref(session_group *g)
{
	if (!g || !g_atomic_int_dec_and_test(&g->refs))
		return;
	g_ptr_array_unref(g->ids);
	g_ptr_array_unref(g->joined);
	g_mutex_clear(&g->mu);
	g_free(g);
}

void session_group_add(session_group *g, const char *id)
{
	g_mutex_lock(&g->mu);
	if (*id && !g_ptr_array_find_with_equal_func(g->ids, id, g_str_equal, NULL))
		g_ptr_array_add(g->ids, g_strdup(id));
	g_mutex_unlock(&g->mu);
}

void session_group_join(session_group *g, session_group *other)
{
	if (!other || other == g)
		return;
	session_registry *registry = group_registry(other);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&g->mu);
	if (!g_ptr_array_find(g->joined, other, NULL))
		g_ptr_array_add(g->joined, session_group_ref(other));
	if (!g->registry)
		g->registry = registry;
}

void session_group_part(session_group *g, session_group *other)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&g->mu);
	g_ptr_array_remove(g->joined, other);
}

session_registry *group_registry(session_group *g)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&g->mu);
	return g->registry;
}

/* Ids of joined groups follow in the order in which they joined. Locks one group at a time. */
static char **group_ids(session_group *g)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	g_mutex_lock(&g->mu);
	for (guint i = 0; i < g->ids->len; i++)
		g_ptr_array_add(ids, g_strdup(g->ids->pdata[i]));
	g_autoptr(GPtrArray) joined = g_ptr_array_new_with_free_func((GDestroyNotify)session_group_unref);
	for (guint i = 0; i < g->joined->len; i++)
		g_ptr_array_add(joined, session_group_ref(g->joined->pdata[i]));
	g_mutex_unlock(&g->mu);
	for (guint i = 0; i < joined->len; i++) {
		g_autofree char **more = group_ids(joined->pdata[i]);
		for (char **id = more; *id; id++)
			g_ptr_array_add(ids, *id);
	}
	g_ptr_array_add(ids, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&ids), FALSE);
}

char *session_group_first(session_group *g)
{
	g_auto(GStrv) ids = group_ids(g);
	return g_strdup(ids[0]);
}

bool session_group_is_empty(session_group *g)
{
	g_auto(GStrv) ids = group_ids(g);
	return !ids[0];
}

struct round { /* one round of requests to a group */
	session_group *group;
	const char *method;
	ask_fn ask;
	void *data;
	GHashTable *asked; /* of ids */
	GError *last;      /* owned */
};

static bool ask_one(struct round *r, session *s, cancel *c)
{
	g_clear_error(&r->last);
	if (r->method && !session_supports(s, r->method))
		return error_set(&r->last, ERROR_UNIMPLEMENTED, "the client does not serve %s", r->method);
	return r->ask(s, c, r->data, &r->last);
}

/* Asks each session once, including those that join meanwhile. until_us 0: does not wait for absent ones. */
static bool ask_all(struct round *r, gint64 until_us, cancel *c)
{
	g_auto(GStrv) ids = group_ids(r->group);
	for (char **id = ids; *id; id++) {
		gint64 left_ms = until_us ? MAX((until_us - g_get_monotonic_time()) / 1000, 0) : 0;
		g_autoptr(GError) absent = NULL;
		if (g_hash_table_contains(r->asked, *id))
			continue;
		g_autoptr(session) s = session_find(group_registry(r->group), *id, (int)left_ms, c, &absent);
		if (!s && !until_us)
			continue;
		g_hash_table_add(r->asked, g_strdup(*id));
		if (s && ask_one(r, s, c))
			return true;
		if (!s) {
			g_clear_error(&r->last);
			r->last = g_steal_pointer(&absent);
		}
	}
	return false;
}

/* Connected sessions are asked first; then absent ones are waited for, with one time limit for all. */
static bool ask_living(struct round *r, cancel *c)
{
	for (guint before = G_MAXUINT; before != g_hash_table_size(r->asked);) {
		before = g_hash_table_size(r->asked);
		if (ask_all(r, 0, c))
			return true;
	}
	return false;
}

bool group_each(session_group *g, const char *method, int timeout_ms, cancel *c, ask_fn ask, void *data, GError **error)
{
	gint64 until_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	if (!cancel_check(c, error))
		return false;
	g_autoptr(GHashTable) asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct round r = {.group = g, .method = method, .ask = ask, .data = data, .asked = asked};
	if (g && (ask_living(&r, c) || ask_all(&r, until_us, c) || ask_living(&r, c))) {
		g_clear_error(&r.last);
		return true;
	}
	if (!r.last)
		error_set(&r.last, ERROR_FAILED_PRECONDITION, NO_SESSIONS);
	return error_propagate(error, r.last);
}

static bool take_session(session *s, cancel *c, void *data, GError **error)
{
	*(session **)data = session_ref(s);
	return true;
}

session *session_group_any(session_group *g, const char *full_method, int timeout_ms, cancel *c, GError **error)
{
	session *found = NULL;
	return group_each(g, full_method, timeout_ms, c, take_session, &found, error) ? found : NULL;
}
