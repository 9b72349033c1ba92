/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the invariants listed in edge_decide.h for any facts. */
#include "solver/edge_decide.h"
#include <glib.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define DEPS 6

static bool open_content(const struct edge_dep_facts *d)
{
	return d->has_content && !d->content_known;
}

static void check_run(const struct edge_facts *f, const struct edge_plan *p)
{
	if (!p->exec)
		return;
	g_assert_true(f->desired == EDGE_COMPLETE && f->maps_done && !f->exec_running && !f->load_running);
	g_assert_true(f->ignore_cache || f->n_records == 0);
	for (size_t i = 0; i < f->n_deps; i++)
		g_assert_true(f->deps[i].state == EDGE_COMPLETE && !open_content(&f->deps[i]));
}

static void check_deps(const struct edge_facts *f, const struct edge_plan *p, bool *asks)
{
	bool impossible = false, all_match = true;
	for (size_t i = 0; i < f->n_deps; i++) {
		all_match &= f->deps[i].has_match;
		impossible |= !f->deps[i].has_match && f->deps[i].state >= EDGE_SLOW && !open_content(&f->deps[i]);
	}
	for (size_t i = 0; i < f->n_deps; i++) {
		const struct edge_dep_facts *d = &f->deps[i];
		const struct edge_dep_plan *w = &p->deps[i];
		if (w->compute_content)
			g_assert_true(d->state == EDGE_COMPLETE && open_content(d) && !d->content_running);
		if (f->n_records > 0 && !f->ignore_cache && !f->exec_running)
			g_assert_true(w->desired <= EDGE_FAST && !w->compute_content);
		if (f->desired == EDGE_FAST)
			g_assert_cmpint(w->desired, <=, EDGE_FAST);
		bool matching = f->desired == EDGE_SLOW || p->state < EDGE_SLOW;
		if (matching && !f->ignore_cache && !f->exec_running && w->desired > EDGE_FAST)
			g_assert_true(!impossible && (all_match || !d->has_match));
		*asks |= w->desired > d->state || w->compute_content || d->content_running;
	}
}

static void check(const struct edge_facts *f, const struct edge_plan *p)
{
	g_assert_cmpint(p->state, >=, f->state);
	bool asks = p->want_map || p->load || p->exec;
	if (p->want_map)
		g_assert_true(!f->map_running && !f->maps_done);
	if (p->load)
		g_assert_true(f->desired == EDGE_COMPLETE && f->n_records > 0 && !f->ignore_cache && !f->load_running &&
			      !f->exec_running);
	check_run(f, p);
	check_deps(f, p, &asks);
	bool idle = f->failed || f->has_result || f->desired == EDGE_INITIAL || p->state >= f->desired;
	if (idle) {
		g_assert_false(p->want_map || p->load || p->exec);
		for (size_t i = 0; i < f->n_deps; i++)
			g_assert_true(p->deps[i].desired == EDGE_INITIAL && !p->deps[i].compute_content);
	} else {
		g_assert_true(asks || f->map_running || f->load_running || f->exec_running);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n < 4)
		return 0;
	struct edge_dep_facts deps[DEPS] = {0};
	struct edge_dep_plan wants[DEPS];
	struct edge_facts f = {.deps = deps};
	f.desired = bytes[0] & 3;
	f.state = MIN((enum edge_state)((bytes[0] >> 2) & 3), EDGE_SLOW);
	f.failed = bytes[0] & 64;
	f.ignore_cache = bytes[0] & 128;
	f.has_map = bytes[1] & 1;
	f.maps_done = f.has_map && (bytes[1] & 2);
	f.map_running = !f.maps_done && (bytes[1] & 4);
	f.has_result = bytes[1] & 8;
	f.exec_running = f.maps_done && (bytes[1] & 16);
	f.load_running = !f.exec_running && (bytes[1] & 32);
	f.n_records = f.ignore_cache ? 0 : bytes[2] & 3;
	f.n_keys = f.n_records + (bytes[2] >> 4);
	f.n_deps = MIN(bytes[3] % (DEPS + 1u), n - 4);
	for (size_t i = 0; i < f.n_deps; i++) {
		uint8_t b = bytes[4 + i];
		deps[i].state = b & 3;
		deps[i].has_match = b & 4;
		deps[i].has_content = f.has_map && (b & 8);
		deps[i].content_known = deps[i].has_content && (b & 16);
		deps[i].content_running =
			deps[i].has_content && !deps[i].content_known && deps[i].state == EDGE_COMPLETE && (b & 32);
	}
	/* A state that was reached remains consistent with the facts, except for records that failed to load. */
	if (!f.maps_done && f.n_records == 0)
		f.state = EDGE_INITIAL;
	struct edge_plan plan = {.deps = wants};
	edge_decide(&f, &plan);
	check(&f, &plan);
	return 0;
}
