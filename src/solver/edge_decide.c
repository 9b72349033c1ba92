/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/edge_decide.h"
#include <glib.h>

static bool content_open(const struct edge_dep_facts *d)
{
	return d->has_content && !d->content_known;
}

/* An input without a match that will not get one unless more is run than is requested anyway. */
static bool match_impossible(const struct edge_facts *f)
{
	for (size_t i = 0; i < f->n_deps; i++)
		if (!f->deps[i].has_match && f->deps[i].state >= EDGE_SLOW && !content_open(&f->deps[i]))
			return true;
	return false;
}

/* Something cheaper than running could still find a (further) match for the input. */
static bool dep_is_open(const struct edge_dep_facts *d)
{
	return d->state < EDGE_SLOW || content_open(d);
}

static bool all_deps_reached(const struct edge_facts *f, enum edge_state state)
{
	for (size_t i = 0; i < f->n_deps; i++)
		if (f->deps[i].state < state)
			return false;
	return true;
}

static bool no_dep_is_open(const struct edge_facts *f)
{
	for (size_t i = 0; i < f->n_deps; i++)
		if (dep_is_open(&f->deps[i]))
			return false;
	return true;
}

static bool fast_reached(const struct edge_facts *f)
{
	if (f->n_records > 0)
		return true;
	return f->maps_done && (f->ignore_cache || all_deps_reached(f, EDGE_FAST));
}

static bool slow_reached(const struct edge_facts *f)
{
	return f->n_records > 0 || f->ignore_cache || f->n_deps == 0 || match_impossible(f) || no_dep_is_open(f);
}

static enum edge_state state_now(const struct edge_facts *f)
{
	if (f->has_result)
		return EDGE_COMPLETE;
	enum edge_state state = EDGE_INITIAL;
	if (f->state >= EDGE_FAST || fast_reached(f))
		state = slow_reached(f) ? EDGE_SLOW : EDGE_FAST;
	return MAX(state, f->state);
}

static void dep_want_content(const struct edge_dep_facts *d, struct edge_dep_plan *p)
{
	p->desired = EDGE_COMPLETE;
	p->compute_content = d->state == EDGE_COMPLETE && !d->content_running;
}

/* Requests the next state of an input whose match is being looked up. */
static void dep_open_further(const struct edge_dep_facts *d, struct edge_dep_plan *p)
{
	if (d->state < EDGE_SLOW)
		p->desired = EDGE_SLOW;
	else if (content_open(d))
		dep_want_content(d, p);
}

/* Inputs without a match first; inputs that match only if all of them match and still no common key was found. */
static void plan_matching(const struct edge_facts *f, struct edge_plan *plan)
{
	bool all_match = true;
	for (size_t i = 0; i < f->n_deps; i++)
		all_match &= f->deps[i].has_match;
	for (size_t i = 0; i < f->n_deps; i++)
		if (all_match || !f->deps[i].has_match)
			dep_open_further(&f->deps[i], &plan->deps[i]);
}

static void plan_run(const struct edge_facts *f, struct edge_plan *plan)
{
	bool ready = f->maps_done;
	for (size_t i = 0; i < f->n_deps; i++) {
		if (f->has_map && content_open(&f->deps[i]))
			dep_want_content(&f->deps[i], &plan->deps[i]);
		else
			plan->deps[i].desired = EDGE_COMPLETE;
		ready &= f->deps[i].state == EDGE_COMPLETE && !content_open(&f->deps[i]);
	}
	plan->exec = ready && !f->exec_running;
}

static void plan_fast(const struct edge_facts *f, struct edge_plan *plan)
{
	for (size_t i = 0; i < f->n_deps && !f->ignore_cache; i++)
		plan->deps[i].desired = EDGE_FAST;
}

void edge_decide(const struct edge_facts *f, struct edge_plan *plan)
{
	for (size_t i = 0; i < f->n_deps; i++)
		plan->deps[i] = (struct edge_dep_plan){0};
	plan->want_map = plan->load = plan->exec = false;
	plan->state = state_now(f);
	if (f->failed || f->has_result || plan->state >= f->desired)
		return;
	plan->want_map = !f->maps_done && !f->map_running && f->n_records == 0;
	if (f->load_running)
		return;
	if (f->n_records > 0 && !f->ignore_cache && !f->exec_running) {
		plan->load = f->desired == EDGE_COMPLETE;
		return;
	}
	if (f->desired == EDGE_COMPLETE && (plan->state >= EDGE_SLOW || f->ignore_cache || f->exec_running))
		plan_run(f, plan);
	else if (plan->state < EDGE_FAST)
		plan_fast(f, plan);
	else
		plan_matching(f, plan);
}
