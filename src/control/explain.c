/* SPDX-License-Identifier: Apache-2.0 */
/* Explain: compares the fingerprints of the steps of a build with those of an earlier run of each step. */
#include "control/control.h"
#include "api/message.h"
#include "explain.pb-c.h"
#include "ops/fingerprint.h"
#include <string.h>

static const char *file_change(char what)
{
	return what == '+' ? "new" : what == '-' ? "gone" : "changed";
}

static void put_change(Explain__Step *step, const fingerprint_change *c)
{
	for (guint i = 0; i < c->facts->len; i++) {
		const struct fingerprint_fact *f = c->facts->pdata[i];
		Explain__Fact *wire = message_new(Explain__Fact, explain__fact);
		wire->name = g_strdup(f->name);
		wire->before = g_strdup(f->before ? f->before : "");
		wire->after = g_strdup(f->after ? f->after : "");
		wire->change = g_strdup(!f->before ? "new" : !f->after ? "gone" : "changed");
		message_append(step, facts, wire);
	}
	for (guint i = 0; i < c->files->len; i++) {
		const struct fingerprint_file *f = c->files->pdata[i];
		Explain__File *wire = message_new(Explain__File, explain__file);
		wire->path = g_strdup(f->path);
		wire->change = g_strdup(file_change(f->what));
		message_append(step, files, wire);
	}
	step->total = c->total;
}

/* Reports whether a row may be compared with: it is from the other build or, if there is none, older. */
static bool may_compare(const struct fingerprint_row *row, const struct fingerprint_row *of, const char *against,
			int64_t against_ns)
{
	if (strcmp(row->ref, of->ref) == 0)
		return false;
	if (*against)
		return strcmp(row->ref, against) == 0 || row->created_ns <= against_ns;
	return row->created_ns < of->created_ns;
}

/* Builds the answer for a step, compared with the first row (newest first) that may be compared with. */
static Explain__Step *step_new(const struct fingerprint_row *row, GPtrArray *earlier, const char *against,
			       int64_t against_ns)
{
	Explain__Step *step = message_new(Explain__Step, explain__step);
	step->name = g_strdup(row->name);
	step->reason = g_strdup(*against ? "" : row->reason);
	step->earlier = g_strdup("");
	g_autoptr(fingerprint) now = fingerprint_unpack(row->bytes);
	for (guint i = 0; now && i < earlier->len; i++) {
		const struct fingerprint_row *other = earlier->pdata[i];
		g_autoptr(fingerprint) before =
			may_compare(other, row, against, against_ns) ? fingerprint_unpack(other->bytes) : NULL;
		if (!before)
			continue;
		g_autoptr(fingerprint_change) c = fingerprint_compare(before, now);
		if (!*against && *row->reason && *c->reason && strcmp(c->reason, row->reason) != 0)
			continue; /* the reason recorded at run time resulted from another row */
		put_change(step, c);
		g_free(step->earlier);
		step->earlier = g_strdup(other->ref);
		if (*against) {
			g_free(step->reason);
			step->reason = g_strdup(c->reason);
		}
		break;
	}
	return step;
}

static int64_t last_of(GPtrArray *rows)
{
	int64_t ns = 0;
	for (guint i = 0; i < rows->len; i++)
		ns = MAX(ns, ((const struct fingerprint_row *)rows->pdata[i])->created_ns);
	return ns;
}

static Explain__ExplainResponse *response_new(fingerprint_store *fingerprints, const char *ref, const char *against)
{
	Explain__ExplainResponse *reply = message_new(Explain__ExplainResponse, explain__explain_response);
	reply->ref = g_strdup(ref);
	g_autoptr(GPtrArray) rows = fingerprint_store_of_build(fingerprints, ref),
			     other = fingerprint_store_of_build(fingerprints, against);
	int64_t against_ns = last_of(other);
	reply->steps = g_new0(Explain__Step *, rows->len);
	for (guint i = 0; i < rows->len; i++) {
		const struct fingerprint_row *row = rows->pdata[i];
		g_autoptr(GPtrArray) earlier =
			fingerprint_store_find(fingerprints, row->identity, FINGERPRINTS_PER_STEP);
		reply->steps[reply->n_steps++] = step_new(row, earlier, against, against_ns);
	}
	return reply;
}

static bool check_build(fingerprint_store *fingerprints, const char *ref, GError **error)
{
	g_autoptr(GPtrArray) rows = fingerprint_store_of_build(fingerprints, ref);
	return rows->len > 0 || error_set(error, ERROR_NOT_FOUND,
					  "no fingerprints of build %s: it ran no step, or they were removed", ref);
}

Explain__ExplainResponse *control_explain_build(builder *b, const char *ref)
{
	fingerprint_store *fingerprints = builder_worker(b)->fingerprints;
	return fingerprints ? response_new(fingerprints, ref, "") : NULL;
}

ProtobufCMessage *control_explain(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const struct control *control = data;
	const Explain__ExplainRequest *m = (const void *)request;
	fingerprint_store *fingerprints = builder_worker(control->builder)->fingerprints;
	if (!fingerprints)
		return error_null(error, ERROR_FAILED_PRECONDITION,
				  "explaining cache misses is disabled (explainMisses = false)");
	g_autofree char *ref = *m->ref ? g_strdup(m->ref) : fingerprint_store_last_build(fingerprints);
	if (!ref)
		return error_null(error, ERROR_NOT_FOUND, "no build has run a step yet");
	if (!check_build(fingerprints, ref, error) || (*m->against && !check_build(fingerprints, m->against, error)))
		return NULL;
	return &response_new(fingerprints, ref, m->against)->base;
}
