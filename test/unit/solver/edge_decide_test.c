/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/edge_decide.h"
#include <glib.h>

static void test_not_desired(void)
{
	struct edge_facts f = {0};
	struct edge_plan p;
	edge_decide(&f, &p);
	g_assert_false(p.want_map || p.load || p.exec);
	g_assert_cmpint(p.state, ==, EDGE_INITIAL);
}

/* Map and inputs are requested at the same time. */
static void test_first_step(void)
{
	struct edge_dep_facts deps[2] = {0};
	struct edge_dep_plan wants[2];
	struct edge_facts f = {.desired = EDGE_COMPLETE, .deps = deps, .n_deps = 2};
	struct edge_plan p = {.deps = wants};
	edge_decide(&f, &p);
	g_assert_true(p.want_map);
	g_assert_cmpint(wants[0].desired, ==, EDGE_FAST);
	g_assert_cmpint(wants[1].desired, ==, EDGE_FAST);
}

static void test_load_beats_everything(void)
{
	struct edge_dep_facts deps[1] = {{.state = EDGE_FAST, .has_match = true}};
	struct edge_dep_plan wants[1];
	struct edge_facts f = {.desired = EDGE_COMPLETE,
			       .has_map = true,
			       .maps_done = true,
			       .n_keys = 1,
			       .n_records = 1,
			       .deps = deps,
			       .n_deps = 1};
	struct edge_plan p = {.deps = wants};
	edge_decide(&f, &p);
	g_assert_true(p.load);
	g_assert_false(p.exec);
	g_assert_cmpint(p.state, ==, EDGE_SLOW);
	g_assert_cmpint(wants[0].desired, ==, EDGE_INITIAL);
	f.desired = EDGE_FAST; /* the watcher only needs the keys */
	edge_decide(&f, &p);
	g_assert_false(p.load);
}

/* An input that matches by definition waits for the one that does not. */
static void test_two_phases(void)
{
	struct edge_dep_facts deps[2] = {
		{.state = EDGE_COMPLETE, .has_match = true, .has_content = true},
		{.state = EDGE_COMPLETE, .has_content = true},
	};
	struct edge_dep_plan wants[2];
	struct edge_facts f = {.desired = EDGE_SLOW,
			       .state = EDGE_FAST,
			       .has_map = true,
			       .maps_done = true,
			       .deps = deps,
			       .n_deps = 2};
	struct edge_plan p = {.deps = wants};
	edge_decide(&f, &p);
	g_assert_false(wants[0].compute_content);
	g_assert_true(wants[1].compute_content);
	deps[1].content_known = deps[1].has_match = true; /* all match, no common key */
	edge_decide(&f, &p);
	g_assert_true(wants[0].compute_content);
	deps[1].has_match = false; /* can no longer match */
	edge_decide(&f, &p);
	g_assert_cmpint(p.state, ==, EDGE_SLOW);
	g_assert_false(wants[0].compute_content);
	f.desired = EDGE_COMPLETE; /* but the result is saved under it */
	edge_decide(&f, &p);
	g_assert_true(wants[0].compute_content);
	g_assert_false(p.exec);
	deps[0].content_known = true;
	edge_decide(&f, &p);
	g_assert_true(p.exec);
}

static void test_ignore_cache(void)
{
	struct edge_dep_facts deps[1] = {{.state = EDGE_INITIAL}};
	struct edge_dep_plan wants[1];
	struct edge_facts f = {.desired = EDGE_FAST,
			       .ignore_cache = true,
			       .has_map = true,
			       .maps_done = true,
			       .deps = deps,
			       .n_deps = 1};
	struct edge_plan p = {.deps = wants};
	edge_decide(&f, &p);
	g_assert_cmpint(p.state, ==, EDGE_SLOW); /* nothing can be learned without running */
	f.desired = EDGE_COMPLETE;
	edge_decide(&f, &p);
	g_assert_cmpint(wants[0].desired, ==, EDGE_COMPLETE);
}

static void test_phases_of_the_map(void)
{
	struct edge_facts f = {.desired = EDGE_COMPLETE, .has_map = true, .n_keys = 1};
	struct edge_plan p;
	edge_decide(&f, &p);
	g_assert_true(p.want_map); /* no record under the first key */
	f.n_records = 1;
	edge_decide(&f, &p);
	g_assert_false(p.want_map);
	g_assert_true(p.load);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/decide/not-desired", test_not_desired);
	g_test_add_func("/decide/first-step", test_first_step);
	g_test_add_func("/decide/load-beats-everything", test_load_beats_everything);
	g_test_add_func("/decide/two-phases", test_two_phases);
	g_test_add_func("/decide/ignore-cache", test_ignore_cache);
	g_test_add_func("/decide/phases-of-the-map", test_phases_of_the_map);
	return g_test_run();
}
