/* SPDX-License-Identifier: Apache-2.0 */
#include "llb/graph.h"
#include "base/text.h"
#include "api/guard.h"
#include "api/message_copy.h"
#include <string.h>

static void node_free(gpointer data)
{
	struct llb_node *node = data;
	g_clear_pointer(&node->bytes, g_bytes_unref);
}

llb_graph *llb_graph_new(void)
{
	llb_graph *g = g_new0(llb_graph, 1);
	g->arena = arena_new();
	g->nodes = g_ptr_array_new_with_free_func(node_free);
	g->sources = g_ptr_array_new_with_free_func(guard_free);
	platform_host(&g->platform);
	return g;
}

void llb_graph_free(llb_graph *g)
{
	if (!g)
		return;
	g_ptr_array_unref(g->nodes);
	g_ptr_array_unref(g->sources);
	arena_free(g->arena);
	g_free(g);
}

void llb_graph_set_platform(llb_graph *g, const struct platform *p)
{
	g->platform = *p;
}

static bool definition_same(const Pb__Definition *a, const Pb__Definition *b)
{
	if (!a || !b)
		return !a == !b;
	if (a->n_def != b->n_def)
		return false;
	if (a->n_def == 0)
		return true;
	const ProtobufCBinaryData *x = &a->def[a->n_def - 1], *y = &b->def[b->n_def - 1];
	/* The last op depends on all others. */
	return x->len == y->len && (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
}

int llb_graph_intern_source(llb_graph *g, const Pb__SourceInfo *info)
{
	for (guint i = 0; i < g->sources->len; i++) {
		const Pb__SourceInfo *old = g->sources->pdata[i];
		if (strcmp(old->filename, info->filename) == 0 && strcmp(old->language, info->language) == 0 &&
		    old->data.len == info->data.len &&
		    (info->data.len == 0 || memcmp(old->data.data, info->data.data, info->data.len) == 0) &&
		    definition_same(old->definition, info->definition))
			return (int)i;
	}
	g_ptr_array_add(g->sources, message_copy(info));
	return (int)g->sources->len - 1;
}

int llb_graph_add_source(llb_graph *g, const char *filename, const char *language, const void *bytes, size_t n,
			 const Pb__Definition *definition)
{
	Pb__SourceInfo info = PB__SOURCE_INFO__INIT;
	info.filename = (char *)(filename ? filename : "");
	info.language = (char *)(language ? language : "");
	info.data = (ProtobufCBinaryData){.len = n, .data = (uint8_t *)bytes};
	info.definition = (Pb__Definition *)definition;
	return llb_graph_intern_source(g, &info);
}

struct llb_node *llb_node_new(llb_graph *g)
{
	struct llb_node *node = arena_make(g->arena, struct llb_node);
	node->id = g->nodes->len;
	g_ptr_array_add(g->nodes, node);
	return node;
}

void llb_node_set_bytes(struct llb_node *node, GBytes *bytes)
{
	node->bytes = bytes;
	digest_of(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &node->digest);
}

/* ---- drafts */

void llb_op_draft_init(struct llb_op_draft *d, llb_graph *g, const struct llb_meta *meta, bool with_platform)
{
	static const struct llb_meta no_meta = LLB_META_INIT;
	*d = (struct llb_op_draft){.graph = g, .meta = meta ? meta : &no_meta};
	pb__op__init(&d->op);
	pb__platform__init(&d->platform);
	pb__worker_constraints__init(&d->constraints);
	d->op.constraints = &d->constraints; /* always encoded, even if empty */
	if (d->meta->constraints) {
		d->constraints.filter = (char **)d->meta->constraints;
		d->constraints.n_filter = g_strv_length((char **)d->meta->constraints);
	}
	if (!with_platform)
		return;
	const struct platform *p = d->meta->platform ? d->meta->platform : &g->platform;
	d->platform.architecture = (char *)p->architecture;
	d->platform.os = (char *)p->os;
	d->platform.variant = (char *)p->variant;
	d->platform.osversion = (char *)p->os_version;
	d->platform.osfeatures = (char **)p->os_features;
	d->platform.n_osfeatures = p->os_features ? g_strv_length((char **)p->os_features) : 0;
	d->op.platform = &d->platform;
}

int64_t llb_op_draft_input(struct llb_op_draft *d, struct llb_out out)
{
	if (!out.node)
		return -1;
	struct llb_out *ref = arena_make(d->graph->arena, struct llb_out);
	*ref = out;
	arena_push(d->graph->arena, &d->refs, ref);
	return (int64_t)d->refs.n - 1;
}

void llb_op_draft_cap(struct llb_op_draft *d, const char *cap)
{
	if (!vec_has(&d->caps, cap))
		arena_push(d->graph->arena, &d->caps, cap);
}

void *llb_op_draft_alloc(struct llb_op_draft *d, size_t n)
{
	return arena_alloc(d->graph->arena, n);
}

static void draft_description(struct llb_op_draft *d, Pb__OpMetadata *m)
{
	const struct llb_meta *meta = d->meta;
	size_t pairs = (meta->description ? g_strv_length((char **)meta->description) / 2 : 0) + 1;
	m->description = llb_op_draft_alloc(d, pairs * sizeof *m->description);
	for (size_t i = 0; i < pairs; i++) {
		bool is_name = i == pairs - 1;
		if (is_name && !meta->custom_name)
			break;
		Pb__OpMetadata__DescriptionEntry *e = message_new_in(d->graph->arena, Pb__OpMetadata__DescriptionEntry,
								     pb__op_metadata__description_entry);
		e->key = (char *)(is_name ? "llb.customname" : meta->description[2 * i]);
		e->value = (char *)(is_name ? meta->custom_name : meta->description[2 * i + 1]);
		m->description[m->n_description++] = e;
	}
}

static Pb__OpMetadata *draft_metadata(struct llb_op_draft *d)
{
	const struct llb_meta *meta = d->meta;
	Pb__OpMetadata m = PB__OP_METADATA__INIT;
	Pb__ExportCache export_cache = PB__EXPORT_CACHE__INIT;
	Pb__ProgressGroup group = PB__PROGRESS_GROUP__INIT;
	m.ignore_cache = meta->ignore_cache;
	if (meta->export_cache >= 0) {
		export_cache.value = meta->export_cache != 0;
		m.export_cache = &export_cache;
	}
	if (meta->group_id) {
		group.id = (char *)meta->group_id;
		group.name = (char *)(meta->group_name ? meta->group_name : "");
		group.weak = meta->group_weak;
		m.progress_group = &group;
	}
	m.linux_resources = (Pb__LinuxResources *)meta->resources;
	draft_description(d, &m);
	for (const char *const *cap = meta->caps; cap && *cap; cap++)
		llb_op_draft_cap(d, *cap);
	if (d->caps.n > 1)
		qsort(d->caps.items, d->caps.n, sizeof *d->caps.items, text_order);
	m.n_caps = d->caps.n;
	m.caps = llb_op_draft_alloc(d, d->caps.n * sizeof *m.caps);
	for (size_t i = 0; i < d->caps.n; i++) {
		m.caps[i] = llb_op_draft_alloc(d, sizeof **m.caps);
		pb__op_metadata__caps_entry__init(m.caps[i]);
		m.caps[i]->key = d->caps.items[i];
		m.caps[i]->value = true;
	}
	return message_copy_in(d->graph->arena, &m);
}

static void draft_location(struct llb_op_draft *d, struct llb_node *node)
{
	if (d->meta->source_index < 0)
		return;
	Pb__Location location = PB__LOCATION__INIT;
	location.sourceindex = d->meta->source_index;
	location.ranges = (Pb__Range **)d->meta->ranges;
	while (location.ranges && location.ranges[location.n_ranges])
		location.n_ranges++;
	arena_push(d->graph->arena, &node->locations, message_copy_in(d->graph->arena, &location));
}

struct llb_node *llb_op_draft_finish(struct llb_op_draft *d)
{
	struct llb_node *node = llb_node_new(d->graph);
	node->op = message_copy_in(d->graph->arena, &d->op);
	node->metadata = draft_metadata(d);
	draft_location(d, node);
	node->n_refs = d->refs.n;
	node->refs = llb_op_draft_alloc(d, d->refs.n * sizeof *node->refs);
	for (size_t i = 0; i < d->refs.n; i++)
		node->refs[i] = *vec_at(&d->refs, const struct llb_out *, i);
	return node;
}
