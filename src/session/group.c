/* SPDX-License-Identifier: Apache-2.0 */
#include "session/live.h"

struct session_group {
	gint refs;
	session_registry *registry; /* borrowed: lives as long as the daemon */
	GMutex mu;
	GPtrArray *ids; /* of owned strings, never removed: one handed out stays valid */
};

session_group *session_group_new(session_registry *r, const char *id)
{
	session_group *g = g_new0(session_group, 1);
	g->refs = 1;
	g->registry = r;
	g_mutex_init(&g->mu);
	g->ids = g_ptr_array_new_with_free_func(g_free);
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
	g_auto(GStrv) ids = group_ids(other);
	for (size_t i = 0; ids[i]; i++)
		session_group_add(g, ids[i]);
}

const char *session_group_first(session_group *g)
{
	g_mutex_lock(&g->mu);
	const char *id = g->ids->len ? g->ids->pdata[0] : NULL;
	g_mutex_unlock(&g->mu);
	return id;
}

bool session_group_is_empty(session_group *g)
{
	return !session_group_first(g);
}

session_registry *group_registry(session_group *g)
{
	return g->registry;
}

char **group_ids(session_group *g)
{
	g_autoptr(GStrvBuilder) ids = g_strv_builder_new();
	g_mutex_lock(&g->mu);
	for (guint i = 0; i < g->ids->len; i++)
		g_strv_builder_add(ids, g->ids->pdata[i]);
	g_mutex_unlock(&g->mu);
	return g_strv_builder_end(ids);
}

/* Living sessions are asked before the absent ones are waited for, with one time limit for all. */
static bool each_pass(session_group *g, char **ids, const char *method, gint64 until_us, bool wait, cancel *c,
		      ask_fn ask, void *data, GError **last)
{
	for (size_t i = 0; ids[i]; i++) {
		gint64 left_ms = wait ? MAX((until_us - g_get_monotonic_time()) / 1000, 0) : 0;
		g_autoptr(GError) local = NULL;
		g_autoptr(session) s = session_find(g->registry, ids[i], (int)left_ms, c, &local);
		if (!s && !wait)
			continue;
		if (s && method && !session_supports(s, method))
			error_set(&local, ERROR_UNIMPLEMENTED, "the client does not serve %s", method);
		else if (s && ask(s, c, data, &local))
			return true;
		/* Not asked again in the waiting pass. */
		if (s && !wait)
			ids[i][0] = 0;
		g_clear_error(last);
		*last = g_steal_pointer(&local);
	}
	return false;
}

static void drop_asked(char **ids)
{
	size_t n = 0;
	for (size_t i = 0; ids[i]; i++) {
		char *id = ids[i];
		if (*id)
			ids[n++] = id;
		else
			g_free(id);
	}
	ids[n] = NULL;
}

bool group_each(session_group *g, const char *method, int timeout_ms, cancel *c, ask_fn ask, void *data, GError **error)
{
	gint64 until_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	g_auto(GStrv) ids = g ? group_ids(g) : g_new0(char *, 1);
	g_autoptr(GError) last = NULL;
	if (!cancel_check(c, error))
		return false;
	if (each_pass(g, ids, method, until_us, false, c, ask, data, &last))
		return true;
	drop_asked(ids);
	if (each_pass(g, ids, method, until_us, true, c, ask, data, &last))
		return true;
	if (!last)
		error_set(&last, ERROR_FAILED_PRECONDITION, "no active sessions");
	g_propagate_error(error, g_steal_pointer(&last));
	return false;
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
