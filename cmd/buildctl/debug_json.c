/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_commands.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "format/gotemplate.h"

void version_json(json_writer *w, const Types__BuildkitVersion *v)
{
	json_object_begin(w);
	json_put_string_member(w, "package", v->package);
	json_put_string_member(w, "version", v->version);
	json_put_string_member(w, "revision", v->revision);
	json_put_string_member(w, "dockerfileVersion", v->dockerfileversion);
	json_object_end(w);
}

static void put_platform(json_writer *w, const Pb__Platform *p)
{
	json_object_begin(w);
	json_put_string_member(w, "architecture", p->architecture);
	json_put_string_member(w, "os", p->os);
	json_put_string_member_nonempty(w, "os.version", p->osversion);
	json_put_string_member_nonempty(w, "variant", p->variant);
	json_object_member_begin(w, GOTEMPLATE_FIELDS);
	json_put_string_member(w, "os.version", p->osversion);
	json_put_string_member(w, "variant", p->variant);
	json_object_end(w);
	json_object_end(w);
}

static void put_gc(json_writer *w, const Types__GCPolicy *g)
{
	json_object_begin(w);
	json_put_bool_member(w, "all", g->all);
	json_key(w, "filter");
	json_put_strings_or_null(w, g->filters, g->n_filters);
	json_put_int_member(w, "keepDuration", g->keepduration);
	json_put_int_member(w, "reservedSpace", g->reservedspace);
	json_put_int_member(w, "maxUsedSpace", g->maxusedspace);
	json_put_int_member(w, "minFreeSpace", g->minfreespace);
	json_object_end(w);
}

/* Sorted by key. Takes map. */
static void put_map(json_writer *w, const char *name, GHashTable *map)
{
	g_autoptr(GTree) sorted = g_tree_new((GCompareFunc)g_strcmp0);
	for (struct hash_walk it = hash_walk(map); hash_walk_next(&it);)
		g_tree_insert(sorted, it.key, it.value);
	json_object_member_begin(w, name);
	for (GTreeNode *n = g_tree_node_first(sorted); n; n = g_tree_node_next(n))
		json_put_string_member(w, g_tree_node_key(n), g_tree_node_value(n));
	json_object_end(w);
	g_hash_table_unref(map);
}

static void put_devices(json_writer *w, const Types__WorkerRecord *r)
{
	if (r->n_cdidevices == 0) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	for (size_t i = 0; i < r->n_cdidevices; i++) {
		const Types__CDIDevice *d = r->cdidevices[i];
		json_object_begin(w);
		json_put_string_member(w, "name", d->name);
		json_put_bool_member(w, "autoAllow", d->autoallow);
		put_map(w, "annotations", message_map(d, annotations));
		json_put_bool_member(w, "onDemand", d->ondemand);
		json_object_end(w);
	}
	json_array_end(w);
}

static void put_worker(json_writer *w, const Types__WorkerRecord *r)
{
	json_object_begin(w);
	json_put_string_member(w, "id", r->id);
	put_map(w, "labels", message_map(r, labels));
	json_array_member_begin(w, "platforms");
	for (size_t i = 0; i < r->n_platforms; i++)
		put_platform(w, r->platforms[i]);
	json_array_end(w);
	json_array_member_begin(w, "gcPolicy");
	for (size_t i = 0; i < r->n_gcpolicy; i++)
		put_gc(w, r->gcpolicy[i]);
	json_array_end(w);
	if (r->buildkitversion) {
		json_key(w, "buildkitVersion");
		version_json(w, r->buildkitversion);
	}
	json_key(w, "cdiDevices");
	put_devices(w, r);
	json_object_end(w);
}

char *workers_json(const Control__ListWorkersResponse *m)
{
	json_writer *w = json_writer_new(0);
	json_array_begin(w);
	for (size_t i = 0; i < m->n_record; i++)
		put_worker(w, m->record[i]);
	json_array_end(w);
	g_autofree char *text = json_writer_take(&w, NULL);
	return g_strconcat(text, "\n", NULL);
}
