/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build.h"
#include "api/message.h"
#include "base/version.h"
#include <string.h>

static Types__GCPolicy *gc_to_wire(const struct gc_rule *rule)
{
	Types__GCPolicy *wire = message_new(Types__GCPolicy, types__gcpolicy);
	wire->all = rule->all;
	wire->keepduration = rule->keep_duration_ns;
	wire->reservedspace = rule->reserved_bytes;
	wire->maxusedspace = rule->max_used_bytes;
	wire->minfreespace = rule->min_free_bytes;
	message_set_texts(wire, filters, rule->filters);
	return wire;
}

Types__BuildkitVersion *version_record(void)
{
	Types__BuildkitVersion *wire = message_new(Types__BuildkitVersion, types__buildkit_version);
	wire->package = g_strdup(BUILDKIT_PACKAGE);
	wire->version = g_strdup(BUILDKIT_VERSION);
	wire->revision = g_strdup(BUILDKIT_REVISION);
	wire->dockerfileversion = g_strdup(DOCKERFILE_VERSION);
	return wire;
}

Types__WorkerRecord *worker_record(worker *w)
{
	Types__WorkerRecord *wire = message_new(Types__WorkerRecord, types__worker_record);
	wire->id = g_strdup(w->id);
	wire->platforms = g_new0(Pb__Platform *, w->n_platforms);
	for (; wire->n_platforms < w->n_platforms; wire->n_platforms++)
		wire->platforms[wire->n_platforms] = message_platform_new(&w->platforms[wire->n_platforms]);
	wire->gcpolicy = g_new0(Types__GCPolicy *, w->n_gc);
	for (; wire->n_gcpolicy < w->n_gc; wire->n_gcpolicy++)
		wire->gcpolicy[wire->n_gcpolicy] = gc_to_wire(&w->gc[wire->n_gcpolicy]);
	message_set_map(wire, labels, w->labels);
	wire->buildkitversion = version_record();
	return wire;
}

Types__WorkerRecord **worker_records(builder *b, size_t *ret_n)
{
	worker *const *workers = builder_workers(b, ret_n);
	Types__WorkerRecord **records = g_new0(Types__WorkerRecord *, *ret_n);
	for (size_t i = 0; i < *ret_n; i++)
		records[i] = worker_record(workers[i]);
	return records;
}
