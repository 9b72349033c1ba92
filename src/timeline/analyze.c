/* SPDX-License-Identifier: Apache-2.0 */
/* The critical path of a build, and the time of its steps by phase. */
#include "timeline/timeline.h"
#include "base/time.h"

#define SHORT_NS NS_PER_MS
#define SLACK_NS NS_PER_MS /* an input may be reported complete a little after the step that needs it starts */

static int compare_spans(const void *a, const void *b)
{
	const struct timeline_span *x = a, *y = b;
	return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* The length of the union of spans; open ones end at now_ns. */
static int64_t union_ns(GArray *spans, int64_t now_ns)
{
	int64_t sum = 0, covered = 0;
	g_array_sort(spans, compare_spans);
	for (guint i = 0; i < spans->len; i++) {
		const struct timeline_span *span = &g_array_index(spans, struct timeline_span, i);
		int64_t end_ns = span->end_ns ? span->end_ns : now_ns;
		int64_t start_ns = MAX(span->start_ns, covered);
		if (end_ns > start_ns)
			sum += end_ns - start_ns;
		covered = MAX(covered, end_ns);
	}
	return sum;
}

int64_t timeline_step_ns(const struct timeline_step *s, int64_t now_ns)
{
	g_autoptr(GArray) spans = g_array_copy(s->spans);
	return union_ns(spans, now_ns);
}

/* When the last input was complete; 0: there is none, or one was not complete when the step started. */
static int64_t ready_ns(const timeline *t, const struct timeline_step *s)
{
	int64_t ready = 0, start = timeline_step_start(s);
	for (char **input = s->inputs; *input; input++) {
		const struct timeline_step *in = timeline_find(t, *input);
		int64_t end = in ? timeline_step_end(in) : 0;
		if (!end || end > start + SLACK_NS)
			return 0;
		ready = MAX(ready, end);
	}
	return MIN(ready, start);
}

/* Statuses of one phase may overlap (downloads), and those of several phases, too: each counts once in its phase. */
static void phases_of(struct timeline_step *s, int64_t now_ns)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct timeline_span));
	int64_t whole = timeline_step_ns(s, now_ns);
	for (int phase = 0; phase < TIMELINE_N_PHASES; phase++) {
		g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(struct timeline_span));
		for (guint i = 0; i < s->statuses->len; i++) {
			const struct timeline_status *status = s->statuses->pdata[i];
			struct timeline_span span = {status->start_ns,
						     status->end_ns ? status->end_ns : status->time_ns};
			if ((int)status->phase != phase || phase == TIMELINE_RUN || !span.start_ns)
				continue;
			g_array_append_val(spans, span);
			g_array_append_val(all, span);
		}
		s->phase_ns[phase] = union_ns(spans, now_ns);
	}
	int64_t rest = whole - union_ns(all, now_ns);
	s->phase_ns[s->cached ? TIMELINE_CACHE : TIMELINE_RUN] += MAX(rest, 0);
	s->phase_ns[TIMELINE_QUEUE] = s->ready_ns && !s->cached ? timeline_step_start(s) - s->ready_ns : 0;
}

static int64_t end_or(const struct timeline_step *s, int64_t now_ns)
{
	int64_t end = timeline_step_end(s);
	return s->spans->len == 0 ? 0 : end ? end : now_ns;
}

/* The input that completed last, before the step started. */
static struct timeline_step *last_input(const timeline *t, const struct timeline_step *s)
{
	struct timeline_step *last = NULL;
	for (char **input = s->inputs; *input; input++) {
		struct timeline_step *in = timeline_find(t, *input);
		int64_t end = in && !in->critical ? timeline_step_end(in) : 0;
		if (end && end <= timeline_step_start(s) + SLACK_NS && (!last || end > timeline_step_end(last)))
			last = in;
	}
	return last;
}

static int compare_ends(const void *a, const void *b)
{
	const struct timeline_step *x = *(struct timeline_step *const *)a, *y = *(struct timeline_step *const *)b;
	int64_t x_end = timeline_step_end(x), y_end = timeline_step_end(y);
	if (x_end != y_end)
		return x_end < y_end ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* The step that completed last before ns, of those in order of their ends. */
static struct timeline_step *last_before(GPtrArray *ended, int64_t ns)
{
	guint low = 0, high = ended->len;
	while (low < high) {
		guint middle = low + (high - low) / 2;
		if (timeline_step_end(ended->pdata[middle]) <= ns)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low > 0; low--)
		if (!((struct timeline_step *)ended->pdata[low - 1])->critical)
			return ended->pdata[low - 1];
	return NULL;
}

/* In order of time, without those that took less than a millisecond. */
static void keep_critical(timeline *t, GPtrArray *backwards, int64_t now_ns)
{
	g_ptr_array_set_size(t->critical, 0);
	for (guint i = backwards->len; i > 0; i--) {
		struct timeline_step *s = backwards->pdata[i - 1];
		s->critical = timeline_step_ns(s, now_ns) >= SHORT_NS;
		if (s->critical)
			g_ptr_array_add(t->critical, s);
	}
}

/*
 * The steps that decided when the build ended, from the last one backwards: before each step the input that completed
 * last. A step without inputs is requested by the frontend, and a cached one is loaded when another step needs it, which
 * the inputs do not tell: before these it is the step that completed last.
 */
static void find_critical(timeline *t, int64_t now_ns)
{
	g_autoptr(GPtrArray) ended = g_ptr_array_new(), backwards = g_ptr_array_new();
	struct timeline_step *s = NULL;
	for (guint i = 0; i < t->steps->len; i++) {
		struct timeline_step *one = t->steps->pdata[i];
		one->critical = false;
		if (timeline_step_end(one))
			g_ptr_array_add(ended, one);
		if (one->spans->len > 0 && (!s || end_or(one, now_ns) >= end_or(s, now_ns)))
			s = one;
	}
	g_ptr_array_sort(ended, compare_ends);
	while (s) {
		s->critical = true;
		g_ptr_array_add(backwards, s);
		struct timeline_step *input = s->cached ? NULL : last_input(t, s);
		s = input ? input : last_before(ended, timeline_step_start(s));
	}
	keep_critical(t, backwards, now_ns);
}

void timeline_analyze(timeline *t, int64_t now_ns)
{
	t->start_ns = t->created_ns;
	t->end_ns = t->completed_ns;
	for (int i = 0; i < TIMELINE_N_STATES; i++)
		t->n[i] = 0;
	for (int phase = 0; phase < TIMELINE_N_PHASES; phase++)
		t->phase_ns[phase] = 0;
	int64_t open_end_ns = t->completed_ns ? t->completed_ns : now_ns;
	for (guint i = 0; i < t->steps->len; i++) {
		struct timeline_step *s = t->steps->pdata[i];
		int64_t start = timeline_step_start(s);
		t->n[timeline_step_state(s)]++;
		if (!start)
			continue;
		s->ready_ns = ready_ns(t, s);
		phases_of(s, open_end_ns);
		for (int phase = 0; phase < TIMELINE_N_PHASES; phase++)
			t->phase_ns[phase] += s->phase_ns[phase];
		t->start_ns = t->start_ns ? MIN(t->start_ns, start) : start;
		t->end_ns = MAX(t->end_ns, end_or(s, open_end_ns));
	}
	if (!t->completed_ns && t->created_ns)
		t->end_ns = MAX(t->end_ns, now_ns);
	t->end_ns = MAX(t->end_ns, t->start_ns);
	find_critical(t, open_end_ns);
}
