/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edge_decide: the cheapest next thing to learn about an edge. Pure.
 *
 *	struct edge_facts facts = {.desired = EDGE_COMPLETE, ...};
 *	edge_decide(&facts, &plan);
 *
 * An edge is one output of a vertex. What can be known of it climbs
 *
 *	INITIAL -> FAST    all definition keys are known            (cache maps, inputs at FAST)
 *	        -> SLOW    nothing more can be learned without running it (inputs hashed where that may lead to a match)
 *	        -> COMPLETE a result is here                         (loaded from a record, or run)
 *
 * Invariants of every plan; the tests and the fuzzer check them.
 *	 1. Nothing is asked for when nobody desires the edge, or when it failed, is complete or has what is desired.
 *	 2. A load, a run and a cache map are never asked for while one of the same kind is under way, nor a load and a
 *	    run together.
 *	 3. A record is loaded only for COMPLETE, and never for a vertex that ignores the cache.
 *	 4. A run needs: COMPLETE desired, no record left, all cache maps, all inputs complete, and every content key
 *that an input can have (so that the result is saved under it).
 *	 5. Content keys are computed only of complete inputs, and never twice.
 *	 6. While a record is left, inputs are not asked for more than FAST.
 *	 7. For FAST no input is asked for more than FAST.
 *	 8. Content keys of inputs that match by definition wait until those without a match are hashed (two phases),
 *and are not computed for matching once some input can match no more.
 *	 9. The state never falls.
 *	10. No stall: when something is desired and not there, the plan asks for something, or something is under way.
 *
 * Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum edge_state { EDGE_INITIAL, EDGE_FAST, EDGE_SLOW, EDGE_COMPLETE };

struct edge_dep_facts {
	enum edge_state state;
	bool has_match;   /* some key of it leads to a key of this edge */
	bool has_content; /* a content key can be computed of its result */
	bool content_known;
	bool content_running;
};
struct edge_facts {
	enum edge_state desired; /* the most that anybody asks for; INITIAL: nobody */
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
	enum edge_state state; /* what the edge is now */
	bool want_map, load, exec;
	struct edge_dep_plan *deps; /* n_deps, by the caller */
};
void edge_decide(const struct edge_facts *facts, struct edge_plan *ret_plan);
