/* SPDX-License-Identifier: Apache-2.0 */
/* Marshals everything that a result depends on as one definition: inputs before users, the terminal op last. */
#include "api/guard.h"
#include "api/message_copy.h"
#include "llb/graph.h"
#include <string.h>

struct marshal {
	llb_graph *graph;
	GHashTable *by_digest; /* digest text to GPtrArray of the nodes with that digest */
	GPtrArray *order;      /* element type: such arrays, inputs first; borrowed */
	int *source_index;     /* per source file of the graph: its index in the definition; -1: not added yet */
	Pb__Source *source;    /* element type: the definition's infos, in order of first use */
};

static void *scrap_alloc(struct marshal *m, size_t n)
{
	return arena_alloc(m->graph->arena, n);
}

static void add_source_info(struct marshal *m, size_t i)
{
	if (m->source_index[i] >= 0)
		return;
	m->source_index[i] = (int)m->source->n_infos;
	m->source->infos[m->source->n_infos++] = m->graph->sources->pdata[i];
}

static void visit_node(struct marshal *m, const struct llb_node *node)
{
	GPtrArray *same = g_hash_table_lookup(m->by_digest, node->digest.text);
	if (!same) {
		same = g_ptr_array_new();
		g_hash_table_insert(m->by_digest, (gpointer)node->digest.text, same);
		g_ptr_array_add(m->order, same);
	}
	g_ptr_array_add(same, (gpointer)node);
	for (size_t i = 0; i < node->locations.n; i++)
		add_source_info(m, (size_t)vec_at(&node->locations, const Pb__Location *, i)->sourceindex);
}

/*
 * Returns the i-th input in the order of upstream's client; NULL: scratch. Inputs that an op has twice through
 * different nodes are both visited, and file ops are visited from the last action to the first: the order decides which
 * name an op keeps.
 */
static const struct llb_node *visited_input(const struct llb_node *node, size_t i)
{
	bool is_file = node->op && node->op->op_case == PB__OP__OP_FILE;
	size_t n_base = is_file && node->op->file->n_actions > 0 && node->op->file->actions[0]->input >= 0;
	if (is_file && i >= n_base)
		i = node->n_refs - 1 - (i - n_base);
	return node->refs[i].node;
}

/*
 * Depth-first walk with a stack of (node, next input). Nodes are marked when pushed, because the graph has no cycles.
 */
static void walk(struct marshal *m, const struct llb_node *root)
{
	struct frame {
		const struct llb_node *node;
		size_t next;
	};
	g_autofree uint8_t *seen = g_malloc0(m->graph->nodes->len);
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct frame));
	g_array_append_vals(stack, &(struct frame){.node = root}, 1);
	seen[root->id] = 1;
	while (stack->len > 0) {
		struct frame *top = &g_array_index(stack, struct frame, stack->len - 1);
		if (top->next == top->node->n_refs) {
			visit_node(m, top->node);
			g_array_set_size(stack, stack->len - 1);
			continue;
		}
		const struct llb_node *in = visited_input(top->node, top->next++);
		if (!in || seen[in->id])
			continue;
		seen[in->id] = 1;
		g_array_append_vals(stack, &(struct frame){.node = in}, 1);
	}
}

/* Adds an entry, or replaces the entry with the same key. */
static void merge_entry(void **entries, size_t *n, void *entry, const char *(*key_of)(const void *))
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp(key_of(entries[i]), key_of(entry)) == 0) {
			entries[i] = entry;
			return;
		}
	}
	entries[(*n)++] = entry;
}

static const char *description_key(const void *entry)
{
	return ((const Pb__OpMetadata__DescriptionEntry *)entry)->key;
}

static const char *cap_key(const void *entry)
{
	return ((const Pb__OpMetadata__CapsEntry *)entry)->key;
}

/* Merges the metadata of equal ops: flags are OR-ed, for other members the last value is used. */
static Pb__OpMetadata *metadata_merge(struct marshal *m, const GPtrArray *same)
{
	Pb__OpMetadata *to = message_new_in(m->graph->arena, Pb__OpMetadata, pb__op_metadata);
	size_t n_description = 0, n_caps = 0;
	for (guint i = 0; i < same->len; i++) {
		n_description += ((const struct llb_node *)same->pdata[i])->metadata->n_description;
		n_caps += ((const struct llb_node *)same->pdata[i])->metadata->n_caps;
	}
	to->description = scrap_alloc(m, n_description * sizeof *to->description);
	to->caps = scrap_alloc(m, n_caps * sizeof *to->caps);
	for (guint i = 0; i < same->len; i++) {
		const Pb__OpMetadata *from = ((const struct llb_node *)same->pdata[i])->metadata;
		to->ignore_cache |= from->ignore_cache;
		for (size_t k = 0; k < from->n_description; k++)
			merge_entry((void **)to->description, &to->n_description, from->description[k],
				    description_key);
		for (size_t k = 0; k < from->n_caps; k++)
			merge_entry((void **)to->caps, &to->n_caps, from->caps[k], cap_key);
		if (from->export_cache)
			to->export_cache = from->export_cache;
		if (from->progress_group)
			to->progress_group = from->progress_group;
		if (from->linux_resources)
			to->linux_resources = from->linux_resources;
	}
	return to;
}

/* Returns the caps that the terminal op requires of a server. The definition has the metadata of its ops. */
static Pb__OpMetadata *terminal_metadata(struct marshal *m, Pb__Definition *def)
{
	bool ignore = false, description = false, export_cache = false;
	for (size_t i = 0; i < def->n_metadata; i++) {
		const Pb__OpMetadata *one = def->metadata[i]->value;
		ignore |= one->ignore_cache;
		description |= one->n_description > 0;
		export_cache |= one->export_cache != NULL;
	}
	const struct {
		const char *cap;
		bool wanted;
	} rows[] = {{"constraints", true},
		    {"meta.description", description},
		    {"meta.exportcache", export_cache},
		    {"meta.ignorecache", ignore},
		    {"platform", true}};
	Pb__OpMetadata *meta = message_new_in(m->graph->arena, Pb__OpMetadata, pb__op_metadata);
	meta->caps = scrap_alloc(m, G_N_ELEMENTS(rows) * sizeof *meta->caps);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (!rows[i].wanted)
			continue;
		Pb__OpMetadata__CapsEntry *e =
			message_new_in(m->graph->arena, Pb__OpMetadata__CapsEntry, pb__op_metadata__caps_entry);
		e->key = (char *)rows[i].cap;
		e->value = true;
		meta->caps[meta->n_caps++] = e;
	}
	return meta;
}

static void put_metadata(struct marshal *m, Pb__Definition *def, const char *digest, Pb__OpMetadata *metadata)
{
	Pb__Definition__MetadataEntry *e =
		message_new_in(m->graph->arena, Pb__Definition__MetadataEntry, pb__definition__metadata_entry);
	e->key = (char *)digest;
	e->value = metadata;
	def->metadata[def->n_metadata++] = e;
}

/* Each op gets an entry, even if it is empty. */
static Pb__Source__LocationsEntry *locations_entry(struct marshal *m, const GPtrArray *same)
{
	Pb__Source__LocationsEntry *e =
		message_new_in(m->graph->arena, Pb__Source__LocationsEntry, pb__source__locations_entry);
	e->key = (char *)((const struct llb_node *)same->pdata[0])->digest.text;
	e->value = scrap_alloc(m, sizeof *e->value);
	pb__locations__init(e->value);
	size_t n = 0;
	for (guint i = 0; i < same->len; i++)
		n += ((const struct llb_node *)same->pdata[i])->locations.n;
	e->value->locations = scrap_alloc(m, n * sizeof *e->value->locations);
	for (guint i = 0; i < same->len; i++) {
		const struct vec *from = &((const struct llb_node *)same->pdata[i])->locations;
		for (size_t k = 0; k < from->n; k++) {
			Pb__Location *l = scrap_alloc(m, sizeof *l);
			*l = *vec_at(from, const Pb__Location *, k);
			l->sourceindex = m->source_index[l->sourceindex];
			e->value->locations[e->value->n_locations++] = l;
		}
	}
	return e;
}

static void source_init(struct marshal *m)
{
	guint n = m->graph->sources->len;
	m->source = scrap_alloc(m, sizeof *m->source);
	pb__source__init(m->source);
	m->source->infos = scrap_alloc(m, n * sizeof *m->source->infos);
	m->source_index = scrap_alloc(m, n * sizeof *m->source_index);
	for (guint i = 0; i < n; i++)
		m->source_index[i] = -1;
}

/* The result is owned by the graph's arena. */
static ProtobufCBinaryData terminal_op(struct marshal *m, struct llb_out result)
{
	Pb__Op op = PB__OP__INIT;
	Pb__Input in = PB__INPUT__INIT, *inputs[] = {&in};
	in.digest = (char *)result.node->digest.text;
	in.index = result.index;
	op.n_inputs = 1;
	op.inputs = inputs;
	g_autoptr(GBytes) bytes = llb_op_pack(&op);
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	return (ProtobufCBinaryData){.len = n, .data = memcpy(scrap_alloc(m, n), data, n)};
}

static Pb__Definition *assemble(struct marshal *m, struct llb_out result)
{
	source_init(m);
	walk(m, result.node);
	Pb__Definition *def = message_new_in(m->graph->arena, Pb__Definition, pb__definition);
	def->source = m->source;
	ProtobufCBinaryData last = terminal_op(m, result);
	struct digest *last_digest = scrap_alloc(m, sizeof *last_digest);
	digest_of(last.data, last.len, last_digest);
	def->def = scrap_alloc(m, (m->order->len + 1) * sizeof *def->def);
	def->metadata = scrap_alloc(m, (m->order->len + 1) * sizeof *def->metadata);
	for (guint i = 0; i < m->order->len; i++) {
		const GPtrArray *same = m->order->pdata[i];
		const struct llb_node *node = same->pdata[0];
		gsize n;
		const void *data = g_bytes_get_data(node->bytes, &n);
		def->def[def->n_def++] = (ProtobufCBinaryData){.len = n, .data = (uint8_t *)data};
		put_metadata(m, def, node->digest.text, same->len == 1 ? node->metadata : metadata_merge(m, same));
	}
	def->def[def->n_def++] = last;
	put_metadata(m, def, last_digest->text, terminal_metadata(m, def));
	m->source->locations = scrap_alloc(m, m->order->len * sizeof *m->source->locations);
	for (guint i = 0; i < m->order->len; i++)
		m->source->locations[m->source->n_locations++] = locations_entry(m, m->order->pdata[i]);
	return def;
}

const Pb__Definition *llb_assemble(llb_graph *g, struct llb_out result)
{
	static const Pb__Definition empty = PB__DEFINITION__INIT;
	result = llb_out_finalize(g, result);
	if (!result.node)
		return &empty;
	struct marshal m = {.graph = g};
	m.order = g_ptr_array_new();
	m.by_digest = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
	Pb__Definition *def = assemble(&m, result);
	g_ptr_array_unref(m.order);
	g_hash_table_unref(m.by_digest);
	return def;
}

Pb__Definition *llb_marshal(llb_graph *g, struct llb_out result)
{
	return message_copy(llb_assemble(g, result));
}
