/* SPDX-License-Identifier: Apache-2.0 */
/* Stuck: what each running build waits for, from its progress and from the solver. */
#include "api/message.h"
#include "control/control.h"
#include "control/pages_internal.h"
#include "debug.pb-c.h"
#include "solver/describe.h"
#include <string.h>

#define SOLVER_MS 2000

static const char *last_status(const struct timeline_step *s)
{
	const struct timeline_status *last = NULL;
	for (guint i = 0; i < s->statuses->len; i++) {
		const struct timeline_status *status = s->statuses->pdata[i];
		if (!status->end_ns && (!last || status->time_ns >= last->time_ns))
			last = status;
	}
	return last ? last->id : NULL;
}

static void add_wait(Debug__Build *build, const char *step, const char *digest, const char *what, int64_t duration_ns,
		     int64_t silent_ns)
{
	Debug__Wait *w = message_new(Debug__Wait, debug__wait);
	w->step = g_strdup(step);
	w->digest = g_strdup(digest);
	w->what = g_strdup(what);
	w->duration = duration_ns;
	w->silent = silent_ns;
	message_append(build, waits, w);
}

static int64_t silent_ns(const struct timeline_step *s, int64_t now_ns)
{
	return s && s->updated_ns ? MAX(now_ns - s->updated_ns, 0) : -1;
}

/* waits: of the solver, of all builds; NULL: not known. */
static Debug__Build *build_new(const timeline *t, const char *ref, const GPtrArray *waits, int64_t now_ns)
{
	Debug__Build *build = message_new(Debug__Build, debug__build);
	g_autoptr(GHashTable) named = g_hash_table_new(g_str_hash, g_str_equal);
	build->ref = g_strdup(ref);
	build->duration = MAX(now_ns - t->created_ns, 0);
	for (guint i = 0; waits && i < waits->len; i++) {
		const struct solver_waiting *w = waits->pdata[i];
		if (strcmp(w->job, ref) != 0)
			continue;
		const struct timeline_step *s = timeline_find(t, w->digest);
		const char *status = s ? last_status(s) : NULL;
		g_autofree char *what = g_strconcat(w->what, status ? ": " : NULL, status, NULL);
		add_wait(build, w->step, w->digest, what, w->duration_ns, silent_ns(s, now_ns));
		g_hash_table_add(named, w->digest);
	}
	for (guint i = 0; i < t->steps->len; i++) {
		const struct timeline_step *s = t->steps->pdata[i];
		const char *status = last_status(s);
		if (timeline_step_state(s) == TIMELINE_RUNNING && !g_hash_table_contains(named, s->digest))
			add_wait(build, s->name, s->digest, status ? status : "running",
				 now_ns - timeline_step_start(s), silent_ns(s, now_ns));
	}
	return build;
}

static int compare_builds(const void *a, const void *b)
{
	const Debug__Build *x = *(Debug__Build *const *)a, *y = *(Debug__Build *const *)b;
	return (x->duration < y->duration) - (x->duration > y->duration);
}

Debug__StuckResponse *control_stuck_new(builder *b)
{
	Debug__StuckResponse *reply = message_new(Debug__StuckResponse, debug__stuck_response);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) waits = solver_list_waits(builder_solver(b), SOLVER_MS, &error);
	g_autoptr(GPtrArray) events = control_pages_events(b, "", true);
	int64_t now_ns = progress_now_ns();
	if (error)
		message_replace_text(&reply->problem, error->message);
	for (guint i = 0; i < events->len; i++) {
		const Control__BuildHistoryRecord *r = ((Control__BuildHistoryEvent *)events->pdata[i])->record;
		g_autoptr(timeline) t = control_pages_running(b, r);
		message_append(reply, builds, build_new(t, r->ref, waits, now_ns));
	}
	if (reply->n_builds > 0)
		qsort(reply->builds, reply->n_builds, sizeof *reply->builds, compare_builds);
	return reply;
}

ProtobufCMessage *control_stuck(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const struct control *control = data;
	return &control_stuck_new(control->builder)->base;
}
