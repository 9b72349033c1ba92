/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/stuck.h"

static void add_wait(GString *out, const Debug__Wait *w)
{
	g_autofree char *step = timeline_safe_text(w->step), *what = timeline_safe_text(w->what),
			*duration = timeline_duration(MAX(w->duration, 0)),
			*silent = timeline_duration(MAX(w->silent, 0));
	g_string_append_printf(out, "    %s\n        %s", step, what);
	if (w->duration >= 0)
		g_string_append_printf(out, " for %s", duration);
	if (w->silent >= 0)
		g_string_append_printf(out, ", last progress %s ago", silent);
	g_string_append_c(out, '\n');
}

char *timeline_stuck_text(const Debug__StuckResponse *reply)
{
	GString *out = g_string_new(NULL);
	g_autofree char *problem = timeline_safe_text(reply->problem);
	if (*problem)
		g_string_append_printf(out, "The solver's part is missing: %s\n", problem);
	if (reply->n_builds == 0)
		g_string_append(out, "no build is running\n");
	for (size_t i = 0; i < reply->n_builds; i++) {
		const Debug__Build *b = reply->builds[i];
		g_autofree char *ref = timeline_safe_text(b->ref), *duration = timeline_duration(b->duration);
		g_string_append_printf(out, "build %s, running for %s\n", ref, duration);
		if (b->n_waits == 0)
			g_string_append(out, "    waits for its client or frontend: none of its steps is running\n");
		for (size_t k = 0; k < b->n_waits; k++)
			add_wait(out, b->waits[k]);
	}
	return g_string_free(out, FALSE);
}
