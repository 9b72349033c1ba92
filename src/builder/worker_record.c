/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build.h"
#include "base/version.h"
#include <string.h>

static Pb__Platform *platform_to_wire(const struct platform *p)
{
	Pb__Platform *wire = g_new0(Pb__Platform, 1);
	pb__platform__init(wire);
	wire->os = g_strdup(p->os);
	wire->architecture = g_strdup(p->architecture);
	wire->variant = g_strdup(p->variant);
	wire->osversion = g_strdup(p->os_version);
	return wire;
}

static Types__GCPolicy *gc_to_wire(const struct gc_rule *rule)
{
	Types__GCPolicy *wire = g_new0(Types__GCPolicy, 1);
	types__gcpolicy__init(wire);
	wire->all = rule->all;
	wire->keepduration = rule->keep_duration_ns;
	wire->reservedspace = rule->reserved_bytes;
	wire->maxusedspace = rule->max_used_bytes;
	wire->minfreespace = rule->min_free_bytes;
	wire->filters = g_strdupv(rule->filters);
	wire->n_filters = rule->filters ? g_strv_length(rule->filters) : 0;
	return wire;
}

static void labels_to_wire(GHashTable *labels, Types__WorkerRecord *wire)
{
	GHashTableIter iter;
	void *key, *value;
	wire->labels = g_new0(Types__WorkerRecord__LabelsEntry *, g_hash_table_size(labels));
	g_hash_table_iter_init(&iter, labels);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		Types__WorkerRecord__LabelsEntry *entry = g_new0(Types__WorkerRecord__LabelsEntry, 1);
		types__worker_record__labels_entry__init(entry);
		entry->key = g_strdup(key);
		entry->value = g_strdup(value);
		wire->labels[wire->n_labels++] = entry;
	}
}

Types__BuildkitVersion *version_record(void)
{
	Types__BuildkitVersion *wire = g_new0(Types__BuildkitVersion, 1);
	types__buildkit_version__init(wire);
	wire->package = g_strdup(BUILDKIT_PACKAGE);
	wire->version = g_strdup(BUILDKIT_VERSION);
	wire->revision = g_strdup(BUILDKIT_REVISION);
	wire->dockerfileversion = g_strdup(DOCKERFILE_VERSION);
	return wire;
}

Types__WorkerRecord *worker_record(worker *w)
{
	Types__WorkerRecord *wire = g_new0(Types__WorkerRecord, 1);
	types__worker_record__init(wire);
	wire->id = g_strdup(w->id);
	wire->platforms = g_new0(Pb__Platform *, w->n_platforms);
	for (; wire->n_platforms < w->n_platforms; wire->n_platforms++)
		wire->platforms[wire->n_platforms] = platform_to_wire(&w->platforms[wire->n_platforms]);
	wire->gcpolicy = g_new0(Types__GCPolicy *, w->n_gc);
	for (; wire->n_gcpolicy < w->n_gc; wire->n_gcpolicy++)
		wire->gcpolicy[wire->n_gcpolicy] = gc_to_wire(&w->gc[wire->n_gcpolicy]);
	labels_to_wire(w->labels, wire);
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
