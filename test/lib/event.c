/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/event.h"

void event_raise(struct event *e)
{
	g_mutex_lock(&e->mu);
	e->count++;
	g_cond_broadcast(&e->changed);
	g_mutex_unlock(&e->mu);
}

void event_wait(struct event *e, guint count)
{
	gint64 until = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
	g_mutex_lock(&e->mu);
	while (e->count < count && g_cond_wait_until(&e->changed, &e->mu, until))
		continue;
	g_assert_cmpuint(e->count, >=, count);
	g_mutex_unlock(&e->mu);
}

guint event_count(struct event *e)
{
	g_mutex_lock(&e->mu);
	guint count = e->count;
	g_mutex_unlock(&e->mu);
	return count;
}
