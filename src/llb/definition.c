/* SPDX-License-Identifier: Apache-2.0 */
#include "llb/definition_internal.h"
#include "api/message.h"
#include "base/limits.h"
#include "format/platform.h"
#include "format/url_redact.h"
#include "llb/build.h"
#include "llb/op_json.h"
#include "llb/validate.h"
#include "errdefs.pb-c.h"
#include <string.h>

static void loaded_op_clear(gpointer data)
{
	struct loaded_op *one = data;
	guard_free(one->op);
	if (one->vertex) {
		g_free((char *)one->vertex->name);
		g_free((struct llb_input *)one->vertex->inputs);
		g_free(one->vertex);
	}
}

llb_definition *llb_definition_ref(const llb_definition *d)
{
	g_atomic_int_inc(&((llb_definition *)d)->refs);
	return (llb_definition *)d;
}

void llb_definition_unref(llb_definition *d)
{
	if (!d || !g_atomic_int_dec_and_test(&d->refs))
		return;
	guard_free(d->side);
	netproxy_policy_unref(d->proxy);
	g_array_unref(d->ops);
	g_hash_table_unref(d->by_digest);
	g_ptr_array_unref(d->vertices);
	g_free(d);
}

const struct llb_vertex *llb_definition_result(const llb_definition *d, int64_t *ret_index)
{
	*ret_index = d->result.index;
	return d->result.vertex;
}

const struct llb_vertex *const *llb_definition_vertices(const llb_definition *d, size_t *ret_n)
{
	*ret_n = d->vertices->len;
	return (const struct llb_vertex *const *)d->vertices->pdata;
}

bool llb_vertex_same_network(const struct llb_vertex *a, const struct llb_vertex *b)
{
	if (!a->proxy || !b->proxy)
		return !a->proxy && !b->proxy;
	return strcmp(netproxy_policy_scope(a->proxy), netproxy_policy_scope(b->proxy)) == 0;
}

/* ---- reading */

static bool inputs_check(const Pb__Op *op, GError **error)
{
	if (op->n_inputs > LIMIT_LLB_INPUTS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "op has %zu inputs, limit is %lld", op->n_inputs,
				 LIMIT_LLB_INPUTS);
	for (size_t i = 0; i < op->n_inputs; i++)
		if (op->inputs[i]->index < 0)
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "invalid input %zu output index %" G_GINT64_FORMAT, i, op->inputs[i]->index);
	return true;
}

static bool same_bytes(GBytes *a, const ProtobufCBinaryData *b)
{
	gsize n;
	const void *bytes = g_bytes_get_data(a, &n);
	return n == b->len && (n == 0 || memcmp(bytes, b->data, n) == 0);
}

/* Reads the ops in the order given, without duplicates. ret_last: the index of the last element of def. */
static bool read_ops(llb_definition *d, const Pb__Definition *pb, guint *ret_last, GError **error)
{
	for (size_t i = 0; i < pb->n_def; i++) {
		struct loaded_op one = {0};
		digest_of(pb->def[i].data, pb->def[i].len, &one.digest);
		guint known = GPOINTER_TO_UINT(g_hash_table_lookup(d->by_digest, one.digest.text));
		if (known > 0) {
			*ret_last = known - 1;
			continue;
		}
		one.op = guard_unpack_go(&pb__op__descriptor, pb->def[i].data, pb->def[i].len, error);
		if (!one.op)
			return error_prefix(error, "failed to parse llb proto op: ");
		g_autoptr(GBytes) again = llb_op_pack(one.op);
		one.is_canonical = same_bytes(again, &pb->def[i]);
		g_array_append_val(d->ops, one);
		if (!inputs_check(one.op, error))
			return false;
		*ret_last = d->ops->len - 1;
		/* the array does not grow further: borrowed strings stay valid */
		g_hash_table_insert(d->by_digest, op_at(d, *ret_last)->digest.text, GUINT_TO_POINTER(d->ops->len));
	}
	return true;
}

static bool edges_check(llb_definition *d, GError **error)
{
	for (guint i = 0; i < d->ops->len; i++) {
		const Pb__Op *op = op_at(d, i)->op;
		for (size_t k = 0; k < op->n_inputs; k++)
			if (!op_find(d, op->inputs[k]->digest))
				return error_set(error, ERROR_INVALID_ARGUMENT, "invalid missing input digest %s",
						 op->inputs[k]->digest);
	}
	return true;
}

/* Metadata is keyed by the digests of the bytes that were sent. */
static void attach_metadata(llb_definition *d, const Pb__Definition *pb)
{
	Pb__Definition side = *pb;
	side.n_def = 0;
	d->side = message_copy(&side);
	for (size_t i = 0; i < d->side->n_metadata; i++) {
		struct loaded_op *one = op_find(d, d->side->metadata[i]->key);
		if (one)
			one->metadata = d->side->metadata[i]->value;
	}
}

/*
 * Locations are keyed by the sent digest, too; upstream looks them up by the vertex digest, so ops with a new digest
 * have none.
 */
static void attach_locations(llb_definition *d)
{
	const Pb__Source *source = d->side->source;
	for (size_t i = 0; source && i < source->n_locations; i++) {
		struct loaded_op *one = op_find(d, source->locations[i]->key);
		if (one)
			one->locations = source->locations[i]->value;
	}
}

/* ---- vertices */

static void copy_field(char *to, size_t n, const char *from)
{
	g_strlcpy(to, from, n);
}

/* Fills a missing platform with the host's. Called after the digest of the op was computed. */
static void platform_default(Pb__Op *op)
{
	struct platform p = {0};
	if (!op->platform) {
		op->platform = malloc(sizeof *op->platform);
		pb__platform__init(op->platform);
		platform_host(&p);
	} else {
		copy_field(p.os, sizeof p.os, op->platform->os);
		copy_field(p.architecture, sizeof p.architecture, op->platform->architecture);
		copy_field(p.variant, sizeof p.variant, op->platform->variant);
		copy_field(p.os_version, sizeof p.os_version, op->platform->osversion);
		platform_normalize(&p);
	}
	message_replace_text(&op->platform->os, p.os);
	message_replace_text(&op->platform->architecture, p.architecture);
	message_replace_text(&op->platform->variant, p.variant);
	message_replace_text(&op->platform->osversion, p.os_version);
}

static bool platform_check(const Pb__Op *op, GError **error)
{
	struct platform p;
	const Pb__Platform *from = op->platform;
	if (!from || (strlen(from->os) < sizeof p.os && strlen(from->architecture) < sizeof p.architecture &&
		      strlen(from->variant) < sizeof p.variant && strlen(from->osversion) < sizeof p.os_version))
		return true;
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid platform: names are too long");
}

static bool entitlements_check(Pb__Op *op, const struct llb_load_options *options, GError **error)
{
	if (op->op_case != PB__OP__OP_EXEC)
		return true;
	bool allow_host = options && options->allow_network_host;
	bool allow_insecure = options && options->allow_security_insecure;
	if (op->exec->network == PB__NET_MODE__HOST && !allow_host)
		return error_set(error, ERROR_PERMISSION_DENIED, "network.host is not allowed");
	if (op->exec->security == PB__SECURITY_MODE__INSECURE && !allow_insecure)
		return error_set(error, ERROR_PERMISSION_DENIED, "security.insecure is not allowed");
	if (op->exec->n_cdidevices > 0 && options && options->allow_devices)
		return options->allow_devices(options->devices_data, op->exec, error);
	return true;
}

static enum llb_op_type op_type(const Pb__Op *op)
{
	static const enum llb_op_type types[] = {
		[PB__OP__OP_EXEC] = LLB_EXEC,
		[PB__OP__OP_SOURCE] = LLB_SOURCE,
		[PB__OP__OP_FILE] = LLB_FILE,
		[PB__OP__OP_BUILD] = LLB_BUILD,
		[PB__OP__OP_MERGE] = LLB_MERGE,
		[PB__OP__OP_DIFF] = LLB_DIFF,
		[PB__OP__OP_PASSTHROUGH] = LLB_PASSTHROUGH,
	};
	return types[op->op_case];
}

/* First visit: validates the op and creates its vertex, without inputs and name. */
static bool vertex_open(llb_definition *d, struct loaded_op *one, const struct llb_load_options *options,
			GError **error)
{
	size_t n_outputs;
	if (!llb_op_validate(one->op, &n_outputs, error) || !entitlements_check(one->op, options, error) ||
	    !platform_check(one->op, error))
		return false;
	platform_default(one->op);
	if (!llb_caps_check(one->metadata, options && options->caps ? options->caps : llb_caps(), error))
		return false;
	struct llb_vertex *v = one->vertex = g_new0(struct llb_vertex, 1);
	const Pb__OpMetadata *m = one->metadata;
	v->digest = one->digest;
	v->type = op_type(one->op);
	v->op = one->op;
	v->metadata = m;
	v->n_outputs = n_outputs;
	v->ignore_cache = m && m->ignore_cache;
	v->export_cache = m && m->export_cache ? m->export_cache->value : -1;
	v->progress_group = m ? m->progress_group : NULL;
	v->resources = m && v->type == LLB_EXEC ? m->linux_resources : NULL;
	v->proxy = op_is_proxied(d, one->op) ? d->proxy : NULL;
	v->owner = d;
	return true;
}

/* Last visit: the vertices of all inputs exist and have names. */
static void vertex_close(llb_definition *d, struct loaded_op *one)
{
	const Pb__Op *op = one->op;
	struct llb_input *inputs = g_new0(struct llb_input, op->n_inputs + 1);
	for (size_t i = 0; i < op->n_inputs; i++) {
		inputs[i].vertex = op_find(d, op->inputs[i]->digest)->vertex;
		inputs[i].index = op->inputs[i]->index;
	}
	one->vertex->inputs = inputs;
	one->vertex->n_inputs = op->n_inputs;
	const char *custom = one->metadata ? message_map_find(one->metadata, description, "llb.customname") : NULL;
	g_autofree char *name = custom ? g_strdup(custom) : llb_op_name(op, inputs);
	one->vertex->name = url_redact_copy(name);
	g_ptr_array_add(d->vertices, one->vertex);
}

static bool make_vertices(llb_definition *d, struct loaded_op *root, const struct llb_load_options *options,
			  GError **error)
{
	struct frame {
		struct loaded_op *op;
		size_t next;
	};
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct frame));
	if (!vertex_open(d, root, options, error))
		return false;
	g_array_append_vals(stack, &(struct frame){.op = root}, 1);
	while (stack->len > 0) {
		struct frame *top = &g_array_index(stack, struct frame, stack->len - 1);
		if (top->next == top->op->op->n_inputs) {
			vertex_close(d, top->op);
			g_array_set_size(stack, stack->len - 1);
			continue;
		}
		struct loaded_op *in = op_find(d, top->op->op->inputs[top->next++]->digest);
		if (in->vertex)
			continue;
		if (!vertex_open(d, in, options, error))
			return false;
		g_array_append_vals(stack, &(struct frame){.op = in}, 1);
	}
	return true;
}

static bool load(llb_definition *d, const Pb__Definition *pb, const struct llb_load_options *options, GError **error)
{
	guint last = 0;
	if (!read_ops(d, pb, &last, error) || !edges_check(d, error))
		return false;
	if (d->ops->len < 2)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid LLB with %u vertexes", d->ops->len);
	struct loaded_op *terminal = op_at(d, last);
	if (terminal->op->n_inputs == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid LLB with no inputs on last vertex");
	attach_metadata(d, pb);
	if (!definition_rewrite(d, options, error))
		return false;
	attach_locations(d);
	if (!llb_caps_check(terminal->metadata, options && options->caps ? options->caps : llb_caps(), error))
		return false;
	struct loaded_op *root = op_find(d, terminal->op->inputs[0]->digest);
	if (!make_vertices(d, root, options, error))
		return false;
	d->result.vertex = root->vertex;
	d->result.index = terminal->op->inputs[0]->index;
	return true;
}

llb_definition *llb_load(const Pb__Definition *pb, const struct llb_load_options *options, GError **error)
{
	if (pb->n_def == 0)
		return error_null(error, ERROR_INVALID_ARGUMENT, "invalid empty definition");
	if (pb->n_def > LIMIT_LLB_OPS + 1)
		return error_null(error, ERROR_INVALID_ARGUMENT, "definition has %zu ops, limit is %lld", pb->n_def - 1,
				  LIMIT_LLB_OPS);
	g_autoptr(llb_definition) d = g_new0(llb_definition, 1);
	d->refs = 1;
	d->ops = g_array_sized_new(FALSE, TRUE, sizeof(struct loaded_op), (guint)pb->n_def);
	g_array_set_clear_func(d->ops, loaded_op_clear);
	d->by_digest = g_hash_table_new(g_str_hash, g_str_equal);
	d->vertices = g_ptr_array_new();
	d->proxy = options && options->proxy ? netproxy_policy_ref(options->proxy) : NULL;
	if (!load(d, pb, options, error))
		return NULL;
	return g_steal_pointer(&d);
}

/* ---- error details of a vertex */

static void annotate_location(const llb_definition *d, Pb__Location *location, GError *error)
{
	const Pb__Source *source = d->side->source;
	if (location->sourceindex < 0 || (size_t)location->sourceindex >= source->n_infos)
		return;
	Errdefs__Source detail = ERRDEFS__SOURCE__INIT;
	detail.info = source->infos[location->sourceindex];
	detail.n_ranges = location->n_ranges;
	detail.ranges = location->ranges;
	json_writer *w = json_writer_new(0);
	op_json_message(w, &detail.base);
	g_autofree char *json = json_writer_take(&w, NULL);
	error_add_detail(error, "errdefs.Source", json);
}

void llb_vertex_annotate_error(const struct llb_vertex *v, GError *error)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "digest", v->digest.text);
	json_object_end(w);
	g_autofree char *json = json_writer_take(&w, NULL);
	error_add_detail(error, "errdefs.Vertex", json);
	const struct loaded_op *one = op_find((llb_definition *)v->owner, v->digest.text);
	/* Upstream wraps the error once per location, so the last location is the first detail on the wire. */
	for (size_t i = one && one->locations ? one->locations->n_locations : 0; i > 0; i--)
		annotate_location(v->owner, one->locations->locations[i - 1], error);
}

const char *llb_source_attr(const Pb__SourceOp *source, const char *key)
{
	return message_map_find(source, attrs, key);
}
