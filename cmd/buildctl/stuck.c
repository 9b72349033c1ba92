/* SPDX-License-Identifier: Apache-2.0 */
/* debug stuck: prints what each running build waits for. */
#include "api/guard.h"
#include "debug_commands.h"
#include "format.h"
#include "timeline/stuck.h"

static const struct flag stuck_flags[] = {
	FORMAT_FLAG,
};

static void put_wait(json_writer *w, const Debug__Wait *wait)
{
	json_object_begin(w);
	json_put_string_member(w, "step", wait->step);
	json_put_string_member(w, "digest", wait->digest);
	json_put_string_member(w, "what", wait->what);
	json_put_int_member(w, "duration", wait->duration);
	json_put_int_member(w, "silent", wait->silent);
	json_object_end(w);
}

static char *stuck_json(const Debug__StuckResponse *m)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member_nonempty(w, "problem", m->problem);
	json_array_member_begin(w, "builds");
	for (size_t i = 0; i < m->n_builds; i++) {
		json_object_begin(w);
		json_put_string_member(w, "ref", m->builds[i]->ref);
		json_put_int_member(w, "duration", m->builds[i]->duration);
		json_array_member_begin(w, "waits");
		for (size_t k = 0; k < m->builds[i]->n_waits; k++)
			put_wait(w, m->builds[i]->waits[k]);
		json_array_end(w);
		json_object_end(w);
	}
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

static bool run_stuck(struct context *x, const flags *f, GError **error)
{
	const char *format = flags_string(f, "format"), *what = "failed to ask what builds wait for";
	rpc_conn *conn = context_connect(x, what, error);
	if (!conn)
		return false;
	Debug__StuckRequest request = DEBUG__STUCK_REQUEST__INIT;
	Debug__StuckResponse *m = rpc_unary(conn, "/buildkitc.debug.v1.Debug/Stuck", NULL, &request,
					    &debug__stuck_response__descriptor, x->cancel, 0, error);
	if (!m)
		return call_failed(what, error);
	g_autofree char *text = *format ? stuck_json(m) : timeline_stuck_text(m);
	guard_free(m);
	return *format ? print_formatted(format, text, error) : print_text(text, error);
}

const struct command stuck_command = {.name = "stuck",
				      .usage = "print what each running build waits for",
				      .flags = stuck_flags,
				      .n_flags = G_N_ELEMENTS(stuck_flags),
				      .run = run_stuck};
