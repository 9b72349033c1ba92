/* SPDX-License-Identifier: Apache-2.0 */
/* debug explain: prints why steps of a build missed the cache. */
#include "debug_commands.h"
#include "api/guard.h"
#include "format.h"
#include "explain.pb-c.h"
#include <string.h>

static const struct flag explain_flags[] = {
	{"against", NULL, FLAG_STRING, NULL, NULL,
	 "compare with this build (default: the most similar earlier run of each step)"},
	{"format", NULL, FLAG_STRING, NULL, NULL, "Go template for the output, or json"},
};

static void put_text(GString *s, const Explain__Step *step)
{
	g_string_append_printf(s, "%s\n", step->name);
	if (!*step->earlier && !*step->reason) {
		g_string_append(s, "    no earlier run is known\n");
		return;
	}
	g_string_append_printf(s, "    %s\n", *step->reason ? step->reason : "the same as before");
	for (size_t i = 0; i < step->n_facts; i++) {
		const Explain__Fact *f = step->facts[i];
		g_string_append_printf(s, "    %-8s %s", f->change, f->name);
		if (*f->before || *f->after)
			g_string_append_printf(s, ": %s -> %s", *f->before ? f->before : "-",
					       *f->after ? f->after : "-");
		g_string_append_c(s, '\n');
	}
	for (size_t i = 0; i < step->n_files; i++)
		g_string_append_printf(s, "    %-8s %s\n", step->files[i]->change, step->files[i]->path);
	if (*step->earlier)
		g_string_append_printf(s, "    compared with build %s\n", step->earlier);
}

static void put_json(json_writer *w, const Explain__Step *step)
{
	json_object_begin(w);
	json_put_string_member(w, "name", step->name);
	json_put_string_member(w, "reason", step->reason);
	json_put_string_member(w, "earlier", step->earlier);
	json_array_member_begin(w, "facts");
	for (size_t i = 0; i < step->n_facts; i++) {
		json_object_begin(w);
		json_put_string_member(w, "name", step->facts[i]->name);
		json_put_string_member(w, "change", step->facts[i]->change);
		json_put_string_member(w, "before", step->facts[i]->before);
		json_put_string_member(w, "after", step->facts[i]->after);
		json_object_end(w);
	}
	json_array_end(w);
	json_array_member_begin(w, "files");
	for (size_t i = 0; i < step->n_files; i++) {
		json_object_begin(w);
		json_put_string_member(w, "path", step->files[i]->path);
		json_put_string_member(w, "change", step->files[i]->change);
		json_object_end(w);
	}
	json_array_end(w);
	json_put_int_member(w, "total", step->total);
	json_object_end(w);
}

static char *all_json(const Explain__ExplainResponse *m)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "ref", m->ref);
	json_array_member_begin(w, "steps");
	for (size_t i = 0; i < m->n_steps; i++)
		put_json(w, m->steps[i]);
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

static char *all_text(const Explain__ExplainResponse *m)
{
	GString *s = g_string_new(NULL);
	g_string_append_printf(s, "build %s\n", m->ref);
	for (size_t i = 0; i < m->n_steps; i++)
		put_text(s, m->steps[i]);
	return g_string_free(s, FALSE);
}

static bool run_explain(struct context *x, const flags *f, GError **error)
{
	char *const *arguments = flags_rest(f);
	const char *format = flags_string(f, "format");
	rpc_conn *conn = context_connect(x, "failed to explain", error);
	if (!conn)
		return false;
	Explain__ExplainRequest request = EXPLAIN__EXPLAIN_REQUEST__INIT;
	request.ref = *arguments ? *arguments : (char *)"";
	request.against = (char *)flags_string(f, "against");
	Explain__ExplainResponse *m = rpc_unary(conn, "/buildkitc.explain.v1.Explain/Explain", NULL, &request,
						&explain__explain_response__descriptor, x->cancel, 0, error);
	if (!m)
		return call_failed("failed to explain", error);
	g_autofree char *text = *format ? all_json(m) : all_text(m);
	guard_free(m);
	return *format ? print_formatted(format, text, error) : print_text(text, error);
}

const struct command explain_command = {.name = "explain",
					.usage = "explain why steps of a build missed the cache",
					.flags = explain_flags,
					.n_flags = G_N_ELEMENTS(explain_flags),
					.run = run_explain,
					.arguments = "[options] [REF]"};
