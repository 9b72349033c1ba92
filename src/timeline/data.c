/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/data.h"
#include "base/time.h"
#include "format/json_writer.h"

/* Microseconds since the beginning of the page. */
static int64_t offset_us(const timeline *t, int64_t ns)
{
	return (ns - t->start_ns) / NS_PER_US;
}

static void put_time(json_writer *w, const timeline *t, int64_t ns)
{
	if (ns)
		json_put_int(w, offset_us(t, ns));
	else
		json_put_null(w);
}

static void put_inputs(json_writer *w, const timeline *t, const struct timeline_step *s)
{
	json_array_member_begin(w, "inputs");
	for (char **input = s->inputs; *input; input++) {
		const struct timeline_step *in = timeline_find(t, *input);
		if (in)
			json_put_int(w, in->number);
	}
	json_array_end(w);
}

static void put_spans(json_writer *w, const timeline *t, const struct timeline_step *s)
{
	json_array_member_begin(w, "spans");
	for (guint i = 0; i < s->spans->len; i++) {
		const struct timeline_span *span = &g_array_index(s->spans, struct timeline_span, i);
		json_array_begin(w);
		put_time(w, t, span->start_ns);
		put_time(w, t, span->end_ns);
		json_array_end(w);
	}
	json_array_end(w);
}

static void put_statuses(json_writer *w, const timeline *t, const struct timeline_step *s)
{
	if (s->statuses->len == 0)
		return;
	json_array_member_begin(w, "statuses");
	for (guint i = 0; i < s->statuses->len; i++) {
		const struct timeline_status *status = s->statuses->pdata[i];
		json_array_begin(w);
		json_put_string(w, status->id);
		json_put_string(w, timeline_phase_id(status->phase));
		json_put_int(w, status->current);
		json_put_int(w, status->total);
		put_time(w, t, status->start_ns);
		put_time(w, t, status->end_ns ? status->end_ns : status->time_ns);
		json_array_end(w);
	}
	json_array_end(w);
}

static void put_warnings(json_writer *w, const struct timeline_step *s)
{
	if (s->warnings->len == 0)
		return;
	json_array_member_begin(w, "warnings");
	for (guint i = 0; i < s->warnings->len; i++) {
		const struct timeline_warning *warning = s->warnings->pdata[i];
		json_put_string(w, warning->text);
	}
	json_array_end(w);
}

static void put_phases(json_writer *w, const struct timeline_step *s)
{
	json_object_member_begin(w, "phases");
	for (int phase = 0; phase < TIMELINE_N_PHASES; phase++)
		json_put_int_member_nonzero(w, timeline_phase_id((enum timeline_phase)phase),
					    s->phase_ns[phase] / NS_PER_US);
	json_object_end(w);
}

static void put_step(json_writer *w, const timeline *t, const struct timeline_step *s)
{
	json_object_begin(w);
	json_put_int_member(w, "number", s->number);
	json_put_string_member(w, "name", s->name);
	json_put_string_member(w, "digest", s->digest);
	json_put_string_member(w, "state", timeline_state_id(timeline_step_state(s)));
	json_put_string_member_nonempty(w, "group", s->group);
	json_put_string_member_nonempty(w, "error", s->error ? s->error : "");
	put_inputs(w, t, s);
	put_spans(w, t, s);
	if (s->ready_ns && s->phase_ns[TIMELINE_QUEUE] > 0)
		json_put_int_member(w, "ready", offset_us(t, s->ready_ns));
	put_phases(w, s);
	put_statuses(w, t, s);
	put_warnings(w, s);
	json_put_string_member_nonempty(w, "miss", s->miss ? s->miss : "");
	json_put_strings_member_nonempty(w, "changes", (char *const *)s->changes->pdata, s->changes->len);
	json_put_string_member_nonempty(w, "compared", s->compared_with ? s->compared_with : "");
	json_put_int_member_nonzero(w, "log", (int64_t)s->log->len);
	json_object_end(w);
}

char *timeline_json(const timeline *t, uint64_t since, int64_t now_ns, bool is_live)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "ref", t->ref);
	json_put_string_member(w, "title", t->title);
	json_put_string_member_nonempty(w, "error", t->error ? t->error : "");
	json_put_int_member(w, "start", t->start_ns / NS_PER_MS);
	json_put_int_member(w, "end", offset_us(t, t->end_ns));
	json_put_int_member(w, "now", offset_us(t, now_ns));
	json_put_bool_member(w, "live", is_live);
	json_put_int_member(w, "version", (int64_t)t->version);
	json_put_int_member(w, "total", t->steps->len);
	json_array_member_begin(w, "critical");
	for (guint i = 0; i < t->critical->len; i++)
		json_put_int(w, ((const struct timeline_step *)t->critical->pdata[i])->number);
	json_array_end(w);
	json_array_member_begin(w, "steps");
	for (guint i = 0; i < t->steps->len; i++) {
		const struct timeline_step *s = t->steps->pdata[i];
		if (s->version > since)
			put_step(w, t, s);
	}
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

/* ---- trace events */

static void put_event(json_writer *w, const timeline *t, const char *name, const char *category, int64_t start_ns,
		      int64_t end_ns, guint lane)
{
	json_put_string_member(w, "name", name);
	json_put_string_member(w, "cat", category);
	json_put_string_member(w, "ph", "X");
	json_put_int_member(w, "ts", offset_us(t, start_ns));
	json_put_int_member(w, "dur", MAX(end_ns - start_ns, 0) / NS_PER_US);
	json_put_int_member(w, "pid", 1);
	json_put_int_member(w, "tid", lane);
}

static void put_name(json_writer *w, const char *what, guint lane, const char *name)
{
	json_object_begin(w);
	json_put_string_member(w, "name", what);
	json_put_string_member(w, "ph", "M");
	json_put_int_member(w, "pid", 1);
	json_put_int_member(w, "tid", lane);
	json_object_member_begin(w, "args");
	json_put_string_member(w, "name", name);
	json_object_end(w);
	json_object_end(w);
}

static void put_step_event(json_writer *w, const timeline *t, const struct timeline_step *s,
			   const struct timeline_span *span, guint lane)
{
	json_object_begin(w);
	put_event(w, t, s->name, timeline_state_id(timeline_step_state(s)), span->start_ns,
		  span->end_ns ? span->end_ns : t->end_ns, lane);
	json_object_member_begin(w, "args");
	json_put_string_member(w, "digest", s->digest);
	json_put_bool_member_true(w, "critical", s->critical);
	json_put_string_member_nonempty(w, "cache_miss", s->miss ? s->miss : "");
	json_put_string_member_nonempty(w, "error", s->error ? s->error : "");
	json_object_end(w);
	json_object_end(w);
}

/* An arrow from the end of an input to the beginning of a step. */
static void put_flow(json_writer *w, const timeline *t, const char *type, int64_t id, int64_t ns, guint lane)
{
	json_object_begin(w);
	json_put_string_member(w, "name", "input");
	json_put_string_member(w, "cat", "input");
	json_put_string_member(w, "ph", type);
	json_put_int_member(w, "id", id);
	json_put_int_member(w, "ts", offset_us(t, ns));
	json_put_int_member(w, "pid", 1);
	json_put_int_member(w, "tid", lane);
	if (*type == 'f')
		json_put_string_member(w, "bp", "e");
	json_object_end(w);
}

struct lanes {
	GArray *ends;   /* element type: int64_t: when each lane is free again */
	GHashTable *of; /* struct timeline_step * to the lane of its first span */
	int64_t next_flow;
};

/* The first lane that is free; steps that run at the same time are in different ones. */
static guint lane_take(struct lanes *lanes, int64_t start_ns, int64_t end_ns)
{
	guint lane = 0;
	while (lane < lanes->ends->len && g_array_index(lanes->ends, int64_t, lane) > start_ns)
		lane++;
	if (lane == lanes->ends->len)
		g_array_append_val(lanes->ends, end_ns);
	else
		g_array_index(lanes->ends, int64_t, lane) = end_ns;
	return lane + 1;
}

static void put_step_trace(json_writer *w, const timeline *t, const struct timeline_step *s, struct lanes *lanes)
{
	int64_t start_ns = timeline_step_start(s), end_ns = timeline_step_end(s);
	guint lane = lane_take(lanes, start_ns, end_ns ? end_ns : t->end_ns);
	g_hash_table_insert(lanes->of, (gpointer)(uintptr_t)s, GUINT_TO_POINTER(lane));
	for (guint i = 0; i < s->spans->len; i++)
		put_step_event(w, t, s, &g_array_index(s->spans, struct timeline_span, i), lane);
	for (guint i = 0; i < s->statuses->len; i++) {
		const struct timeline_status *status = s->statuses->pdata[i];
		if (!status->start_ns)
			continue;
		json_object_begin(w);
		put_event(w, t, status->id, timeline_phase_id(status->phase), status->start_ns,
			  status->end_ns ? status->end_ns : status->time_ns, lane);
		json_object_end(w);
	}
	for (char **input = s->inputs; *input; input++) {
		const struct timeline_step *in = timeline_find(t, *input);
		guint from = GPOINTER_TO_UINT(g_hash_table_lookup(lanes->of, in));
		if (from == 0 || timeline_step_end(in) > start_ns)
			continue;
		put_flow(w, t, "s", lanes->next_flow, timeline_step_end(in), from);
		put_flow(w, t, "f", lanes->next_flow++, start_ns, lane);
	}
}

static int compare_starts(const void *a, const void *b)
{
	const struct timeline_step *x = *(struct timeline_step *const *)a, *y = *(struct timeline_step *const *)b;
	int64_t x_start = timeline_step_start(x), y_start = timeline_step_start(y);
	return x_start != y_start ? (x_start < y_start ? -1 : 1) : (x->number > y->number) - (x->number < y->number);
}

char *timeline_chrome_trace(const timeline *t)
{
	struct lanes lanes = {g_array_new(FALSE, FALSE, sizeof(int64_t)), g_hash_table_new(NULL, NULL), 1};
	g_autoptr(GPtrArray) steps = g_ptr_array_new();
	for (guint i = 0; i < t->steps->len; i++)
		if (timeline_step_start(t->steps->pdata[i]))
			g_ptr_array_add(steps, t->steps->pdata[i]);
	g_ptr_array_sort(steps, compare_starts);
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "displayTimeUnit", "ms");
	json_array_member_begin(w, "traceEvents");
	g_autofree char *process = g_strconcat("build ", t->ref, NULL);
	put_name(w, "process_name", 0, process);
	for (guint i = 0; i < steps->len; i++)
		put_step_trace(w, t, steps->pdata[i], &lanes);
	for (guint lane = 1; lane <= lanes.ends->len; lane++) {
		g_autofree char *name = g_strdup_printf("lane %u", lane);
		put_name(w, "thread_name", lane, name);
	}
	json_array_end(w);
	json_object_end(w);
	g_array_unref(lanes.ends);
	g_hash_table_unref(lanes.of);
	return json_writer_take(&w, NULL);
}
