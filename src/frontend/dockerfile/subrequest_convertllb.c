/* SPDX-License-Identifier: Apache-2.0 */
/* "frontend.convertllb": prints the definition that a build would solve, as JSON. */
#include "api/guard.h"
#include "base/digest.h"
#include "frontend/dockerfile/subrequest_internal.h"
#include "llb/op_json.h"
#include <string.h>

/* Writes an op with its digest as the key. */
struct entry {
	struct digest digest;
	Pb__Op *op; /* owned */
};

static void entry_clear(void *p)
{
	guard_free(((struct entry *)p)->op);
}

static int by_digest(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->digest.text, ((const struct entry *)b)->digest.text);
}

static GArray *read_ops(const Pb__Definition *d, GError **error)
{
	g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(struct entry));
	g_array_set_clear_func(entries, entry_clear);
	for (size_t i = 0; i < d->n_def; i++) {
		struct entry e = {.op = guard_unpack(&pb__op__descriptor, d->def[i].data, d->def[i].len, error)};
		if (!e.op)
			return NULL;
		digest_of(d->def[i].data, d->def[i].len, &e.digest);
		g_array_append_val(entries, e);
	}
	g_array_sort(entries, by_digest);
	return g_steal_pointer(&entries);
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(Pb__Definition__MetadataEntry *const *)a)->key,
		      (*(Pb__Definition__MetadataEntry *const *)b)->key);
}

static void write_metadata(json_writer *w, const Pb__Definition *d)
{
	json_object_member_begin(w, "metadata");
	g_autofree Pb__Definition__MetadataEntry **sorted = g_memdup2(d->metadata, d->n_metadata * sizeof *d->metadata);
	if (d->n_metadata)
		qsort(sorted, d->n_metadata, sizeof *sorted, by_key);
	for (size_t i = 0; i < d->n_metadata; i++) {
		json_key(w, sorted[i]->key);
		op_json_message(w, &sorted[i]->value->base);
	}
	json_object_end(w);
}

static char *definition_json(const Pb__Definition *d, const GArray *entries)
{
	g_autoptr(json_writer) w = json_writer_new(2);
	json_object_begin(w);
	json_object_member_begin(w, "def");
	for (guint i = 0; i < entries->len; i++) {
		const struct entry *e = &g_array_index(entries, struct entry, i);
		json_key(w, e->digest.text);
		op_protojson_message(w, &e->op->base);
	}
	json_object_end(w);
	write_metadata(w, d);
	json_key(w, "source");
	Pb__Source none = PB__SOURCE__INIT;
	op_protojson_message(w, d->source ? &d->source->base : &none.base);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

bool subrequest_convertllb(struct question *q, GError **error)
{
	g_autoptr(convert) c = convert_new(q->x, q->file, NULL);
	c->lint.sink = q->warn;
	c->lint.user = q->warn_user;
	if (!convert_all(c, error))
		return false;
	if (!convert_check_marshal(c, error))
		return false;
	Pb__Definition *d = llb_marshal(c->graph, c->target_stage->state.out);
	g_autoptr(GArray) entries = read_ops(d, error);
	if (entries) {
		g_autofree char *json = definition_json(d, entries);
		question_set(q, "result.json", json);
	}
	guard_free(d);
	return entries != NULL;
}
