/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/describe.h"
#include "base/hash_walk.h"
#include "base/time.h"
#include "solver/graph.h"

/* A question to the solver thread. Counted, because the caller may give up. */
struct question {
	gint refs;
	void (*answer)(solver *s, struct question *q);
	GPtrArray *waits; /* owned */
	GString *text;    /* owned */
	GMutex mu;        /* guards done */
	GCond changed;
	bool done;
};

static void waiting_free(gpointer data)
{
	struct solver_waiting *w = data;
	g_free(w->job);
	g_free(w->step);
	g_free(w->digest);
	g_free(w->what);
	g_free(w);
}

static void question_unref(struct question *q)
{
	if (!g_atomic_int_dec_and_test(&q->refs))
		return;
	g_ptr_array_unref(q->waits);
	g_string_free(q->text, TRUE);
	g_mutex_clear(&q->mu);
	g_cond_clear(&q->changed);
	g_free(q);
}

static void answer(solver *s, void *data)
{
	struct question *q = data;
	q->answer(s, q);
	g_mutex_lock(&q->mu);
	q->done = true;
	g_cond_signal(&q->changed);
	g_mutex_unlock(&q->mu);
	question_unref(q);
}

/* Returns the answered question, or NULL. */
static struct question *ask(solver *s, void (*fn)(solver *s, struct question *q), int timeout_ms, GError **error)
{
	struct question *q = g_new0(struct question, 1);
	gint64 until = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	q->refs = 2;
	q->answer = fn;
	q->waits = g_ptr_array_new_with_free_func(waiting_free);
	q->text = g_string_new(NULL);
	g_mutex_init(&q->mu);
	g_cond_init(&q->changed);
	solver_post(s, answer, q);
	g_mutex_lock(&q->mu);
	while (!q->done && g_cond_wait_until(&q->changed, &q->mu, until))
		;
	bool done = q->done;
	g_mutex_unlock(&q->mu);
	if (done)
		return q;
	question_unref(q);
	return error_null(error, ERROR_DEADLINE_EXCEEDED, "the solver thread did not answer within %d ms", timeout_ms);
}

/* ---- waits */

static char *task_text(const struct task *t)
{
	switch (t->kind) {
	case TASK_MAP:
		return g_strdup("computing the cache key");
	case TASK_CONTENT:
		return g_strdup_printf("computing the content digest of input %zu", t->input);
	case TASK_LOAD:
		return g_strdup(t->record.import ? "loading the result of an imported cache"
						 : "loading the cached result");
	case TASK_EXEC:
		break;
	}
	return t->waits_for_slot ? g_strdup_printf("waiting for one of %d slots (max-parallelism)",
						   t->vertex->solver->options.max_parallelism)
				 : g_strdup("running");
}

static void add_waits(struct question *q, const struct vertex *v, const char *what, gint64 since_us)
{
	for (guint i = 0; i < v->jobs->len; i++) {
		struct solver_waiting *w = g_new0(struct solver_waiting, 1);
		w->job = g_strdup(((const solver_job *)v->jobs->pdata[i])->id);
		w->step = g_strdup(v->llb->name);
		w->digest = g_strdup(progress_sink_digest(v->sink)); /* as in the progress of builds */
		w->what = g_strdup(what);
		w->duration_ns = since_us ? (g_get_monotonic_time() - since_us) * NS_PER_US : -1;
		g_ptr_array_add(q->waits, w);
	}
}

static void add_task(struct question *q, GHashTable *busy, const struct task *t)
{
	if (!t)
		return;
	g_autofree char *what = task_text(t);
	add_waits(q, t->vertex, what, t->since_us);
	for (guint i = 0; i < t->vertex->jobs->len; i++)
		g_hash_table_add(busy, t->vertex->jobs->pdata[i]);
}

/* A request of a job for which nothing runs: it waits for the writer of keys, or there is a defect. */
static void add_idle_requests(struct question *q, GHashTable *busy, const struct edge *e)
{
	for (guint i = 0; i < e->watchers->len; i++) {
		const struct request *r = g_array_index(e->watchers, struct watcher, i).request;
		if (r && r->job && !g_hash_table_contains(busy, r->job))
			add_waits(q, e->vertex, "requested, but no work for it is running", 0);
	}
}

static void list_waits(solver *s, struct question *q)
{
	g_autoptr(GHashTable) busy = g_hash_table_new(NULL, NULL);
	for (struct hash_walk it = hash_walk(s->active); hash_walk_next(&it);) {
		const struct vertex *v = it.value;
		add_task(q, busy, v->map_task);
		add_task(q, busy, v->exec_task);
		for (size_t i = 0; v->content && i < v->n_inputs; i++)
			add_task(q, busy, v->content[i].task);
		for (guint i = 0; i < v->edges->len; i++)
			add_task(q, busy, ((const struct edge *)v->edges->pdata[i])->load_task);
	}
	for (struct hash_walk it = hash_walk(s->active); hash_walk_next(&it);) {
		const struct vertex *v = it.value;
		for (guint i = 0; i < v->edges->len; i++)
			add_idle_requests(q, busy, v->edges->pdata[i]);
	}
}

static int compare_waits(const void *a, const void *b)
{
	const struct solver_waiting *x = *(struct solver_waiting *const *)a, *y = *(struct solver_waiting *const *)b;
	int order = g_strcmp0(x->job, y->job);
	if (order == 0 && x->duration_ns != y->duration_ns)
		order = x->duration_ns > y->duration_ns ? -1 : 1;
	return order ? order : g_strcmp0(x->digest, y->digest);
}

GPtrArray *solver_list_waits(solver *s, int timeout_ms, GError **error)
{
	struct question *q = ask(s, list_waits, timeout_ms, error);
	if (!q)
		return NULL;
	GPtrArray *list = g_ptr_array_ref(q->waits);
	question_unref(q);
	g_ptr_array_sort(list, compare_waits);
	return list;
}

/* ---- the graph */

static const char *state_text(enum edge_state state)
{
	static const char *const texts[] = {"initial", "fast", "slow", "complete"};
	return texts[state];
}

static void describe_edge(GString *out, const struct edge *e)
{
	g_string_append_printf(out, "  output %" G_GINT64_FORMAT ": %s, wanted %s, %u keys, %u records%s%s%s\n",
			       e->index, state_text(e->state), state_text(e->desired), e->keys->len, e->records->len,
			       e->has_result ? ", has a result" : "", e->failure ? ", failed" : "",
			       e->forward ? ", merged into another" : "");
	for (guint i = 0; i < e->keys->len; i++)
		g_string_append_printf(out, "    key %s\n", (const char *)e->keys->pdata[i]);
	for (size_t i = 0; e->deps && i < e->vertex->n_inputs; i++) {
		const struct edge *input = edge_resolve(e->deps[i].edge);
		g_string_append_printf(out, "    input %zu: output %" G_GINT64_FORMAT " of %s: %s, wanted %s\n", i,
				       input->index, input->vertex->digest.text, state_text(input->state),
				       state_text(e->deps[i].desired));
	}
}

static void describe_task(GString *out, const struct task *t)
{
	if (!t)
		return;
	g_autofree char *what = task_text(t);
	g_string_append_printf(out, "  %s for %" G_GINT64_FORMAT " ms\n", what,
			       (g_get_monotonic_time() - t->since_us) / 1000);
}

static void describe_vertex(GString *out, const struct vertex *v)
{
	g_string_append_printf(out, "%s %s\n", v->digest.text, v->llb->name);
	for (guint i = 0; i < v->jobs->len; i++)
		g_string_append_printf(out, "  build %s\n", ((const solver_job *)v->jobs->pdata[i])->id);
	describe_task(out, v->map_task);
	describe_task(out, v->exec_task);
	for (size_t i = 0; v->content && i < v->n_inputs; i++)
		describe_task(out, v->content[i].task);
	for (guint i = 0; i < v->edges->len; i++) {
		const struct edge *e = v->edges->pdata[i];
		describe_task(out, e->load_task);
		describe_edge(out, e);
	}
}

static void describe_graph(solver *s, struct question *q)
{
	g_string_append_printf(q->text, "%u vertices, %d work items running, %u waiting for one of %d slots\n\n",
			       g_hash_table_size(s->active), g_atomic_int_get(&s->running), s->slot_queue.length,
			       s->options.max_parallelism);
	for (struct hash_walk it = hash_walk(s->active); hash_walk_next(&it);)
		describe_vertex(q->text, it.value);
}

char *solver_describe_graph(solver *s, int timeout_ms, GError **error)
{
	struct question *q = ask(s, describe_graph, timeout_ms, error);
	if (!q)
		return NULL;
	char *text = g_strndup(q->text->str, q->text->len);
	question_unref(q);
	return text;
}
