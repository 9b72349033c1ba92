/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edge_decide: the cheapest next step to learn more about an edge. Pure.
 *
 *	struct edge_facts facts = {.desired = EDGE_COMPLETE, ...};
 *	edge_decide(&facts, &plan);
 *
 * An edge is one output of a vertex. Its state advances from
 *
 *	INITIAL -> FAST    all definition keys are known            (cache maps, inputs at FAST)
 *	        -> SLOW    nothing more can be learned without running it (inputs hashed where that may lead to a match)
 *	        -> COMPLETE the result is available                 (loaded from a record, or run)
 *
 * Invariants of every plan; the tests and the fuzzer check them.
 *  1. Nothing is requested if the edge is not desired, has failed, is complete or has reached the desired state.
 *  2. A load, a run or a cache map is never requested while one of the same kind is running, nor a load together
 *     with a run.
 *  3. A record is loaded only for COMPLETE, and never for a vertex that ignores the cache.
 *  4. A run requires: COMPLETE desired, no record left, all cache maps, all inputs complete, and every content key
 *     that an input can have (so that the result is saved under it).
 *  5. Content keys are computed only of complete inputs, and never twice.
 *  6. While a record is left, inputs are requested at most up to FAST.
 *  7. For FAST, inputs are requested at most up to FAST.
 *  8. Content keys of inputs that match by definition wait until those without a match are hashed (two phases),
 *     and are not computed for matching once some input can no longer match.
 *  9. The state never decreases.
 * 10. No stall: if something is desired and not available, the plan requests something, or work is running.
 *
 * Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum edge_state { EDGE_INITIAL, EDGE_FAST, EDGE_SLOW, EDGE_COMPLETE };

struct edge_dep_facts {
	enum edge_state state;
	bool has_match;   /* a key of this edge follows from one of its keys */
	bool has_content; /* a content key can be computed of its result */
	bool content_known;
	bool content_running;
};
struct edge_facts {
	enum edge_state desired; /* the highest state that any watcher desires; INITIAL: none */
	enum edge_state state;
	bool failed;
	bool ignore_cache;
	bool has_map, maps_done, map_running; /* a first cache map; the last one */
	size_t n_keys;                        /* own keys known */
	size_t n_records;                     /* results found under them and not tried yet */
	bool load_running, exec_running, has_result;
	const struct edge_dep_facts *deps;
	size_t n_deps;
};
struct edge_dep_plan {
	enum edge_state desired; /* INITIAL: not needed now */
	bool compute_content;
};
struct edge_plan {
	enum edge_state state; /* current state of the edge */
	bool want_map, load, exec;
	struct edge_dep_plan *deps; /* n_deps, allocated by the caller */
};
void edge_decide(const struct edge_facts *facts, struct edge_plan *ret_plan);
