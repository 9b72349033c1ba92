/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/steps.h"
#include "api/guard.h"
#include "base/digest.h"
#include "llb/op_json.h"
#include "format/url_redact.h"
#include <string.h>

struct step {
	char digest[DIGEST_TEXT_SIZE];
	Pb__Op *op; /* owned, guard_free */
	int number; /* -1: no number yet */
};
struct provenance_steps {
	struct step *all; /* in the order of the definition */
	size_t n;
	GHashTable *by_digest; /* borrowed text to struct step * */
	GPtrArray *order;      /* element type: struct step *, borrowed */
};

void provenance_steps_free(provenance_steps *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		guard_free(s->all[i].op);
	g_free(s->all);
	g_hash_table_unref(s->by_digest);
	g_ptr_array_unref(s->order);
	g_free(s);
}

/* Visits inputs first, with an explicit stack: definitions may be deep. */
static bool number_from(provenance_steps *s, struct step *last, GError **error)
{
	g_autoptr(GPtrArray) stack = g_ptr_array_new();
	g_autoptr(GHashTable) entered = g_hash_table_new(NULL, NULL);
	g_ptr_array_add(stack, last);
	while (stack->len > 0) {
		struct step *one = stack->pdata[stack->len - 1];
		bool fresh = g_hash_table_add(entered, one);
		if (one->number >= 0 || !fresh) {
			if (one->number < 0) {
				one->number = (int)s->order->len;
				g_ptr_array_add(s->order, one);
			}
			g_ptr_array_remove_index(stack, stack->len - 1);
			continue;
		}
		for (size_t i = one->op->n_inputs; i-- > 0;) {
			struct step *in = g_hash_table_lookup(s->by_digest, one->op->inputs[i]->digest);
			if (!in)
				return error_set(error, ERROR_INVALID_ARGUMENT, "failed to find input %s",
						 one->op->inputs[i]->digest);
			if (in->number < 0 && !g_hash_table_contains(entered, in))
				g_ptr_array_add(stack, in);
		}
	}
	return true;
}

provenance_steps *provenance_steps_new(const Pb__Definition *definition, GError **error)
{
	size_t n = definition ? definition->n_def : 0;
	g_autoptr(provenance_steps) s = g_new0(provenance_steps, 1);
	s->all = g_new0(struct step, n + 1);
	s->by_digest = g_hash_table_new(g_str_hash, g_str_equal);
	s->order = g_ptr_array_new();
	for (size_t i = 0; i < n; i++) {
		struct step *one = &s->all[s->n];
		struct digest digest;
		digest_of(definition->def[i].data, definition->def[i].len, &digest);
		one->op = guard_unpack(&pb__op__descriptor, definition->def[i].data, definition->def[i].len, error);
		if (!one->op)
			return NULL;
		g_strlcpy(one->digest, digest.text, sizeof one->digest);
		one->number = -1;
		s->n++;
		g_hash_table_replace(s->by_digest, one->digest, one);
	}
	if (n > 0 && !number_from(s, g_hash_table_lookup(s->by_digest, s->all[n - 1].digest), error))
		return NULL;
	return g_steal_pointer(&s);
}

int provenance_steps_find(const provenance_steps *s, const char *digest)
{
	const struct step *one = g_hash_table_lookup(s->by_digest, digest);
	return one ? one->number : -1;
}

/* ---- writing */

static void put_number(json_writer *w, int number)
{
	char text[32];
	g_snprintf(text, sizeof text, "step%d", number);
	json_put_string(w, text);
}

/* Copies a source without its session id and credentials. Masked strings are owned by masked. */
static void show_source(const Pb__SourceOp *from, Pb__SourceOp *ret, Pb__SourceOp__AttrsEntry **attrs,
			Pb__SourceOp__AttrsEntry *address, GPtrArray *masked)
{
	*ret = *from;
	ret->identifier = url_redact(from->identifier);
	g_ptr_array_add(masked, ret->identifier);
	ret->attrs = attrs;
	ret->n_attrs = 0;
	for (size_t i = 0; i < from->n_attrs; i++) {
		Pb__SourceOp__AttrsEntry *attr = from->attrs[i];
		if (strcmp(attr->key, "local.session") == 0 || strcmp(attr->key, "local.unique") == 0)
			continue;
		if (strcmp(attr->key, "git.fullurl") == 0) {
			*address = *attr;
			address->value = url_redact(attr->value);
			g_ptr_array_add(masked, address->value);
			attr = address;
		}
		attrs[ret->n_attrs++] = attr;
	}
}

/* Writes an op without its inputs, which are written as numbers. */
static void put_op(json_writer *w, const Pb__Op *op)
{
	Pb__Op shown = *op;
	shown.n_inputs = 0;
	if (op->op_case != PB__OP__OP_SOURCE || !op->source) {
		op_json_message(w, &shown.base);
		return;
	}
	Pb__SourceOp of;
	Pb__SourceOp__AttrsEntry address;
	g_autofree Pb__SourceOp__AttrsEntry **attrs = g_new0(Pb__SourceOp__AttrsEntry *, op->source->n_attrs + 1);
	g_autoptr(GPtrArray) masked = g_ptr_array_new_with_free_func(g_free);
	show_source(op->source, &of, attrs, &address, masked);
	shown.source = &of;
	op_json_message(w, &shown.base);
}

/* One op at a time: as values, the ops of a large definition would need several times the memory of their text. */
static bool put_op_sorted(json_writer *w, const Pb__Op *op, GError **error)
{
	g_autoptr(json_writer) own = json_writer_new(0);
	put_op(own, op);
	size_t n;
	g_autofree char *text = json_writer_take(&own, &n);
	g_autoptr(json_t) value = json_read(text, n, n, "op", error);
	if (!value)
		return false;
	json_put_value(w, value, true);
	return true;
}

static void put_step_inputs(json_writer *w, const provenance_steps *s, const Pb__Op *op)
{
	if (op->n_inputs == 0)
		return;
	json_array_member_begin(w, "inputs");
	for (size_t i = 0; i < op->n_inputs; i++) {
		char text[64];
		g_snprintf(text, sizeof text, "step%d:%" G_GINT64_FORMAT,
			   provenance_steps_find(s, op->inputs[i]->digest), (gint64)op->inputs[i]->index);
		json_put_string(w, text);
	}
	json_array_end(w);
}

static bool put_usage(json_writer *w, GHashTable *usages, const struct step *one, bool sorted, GError **error)
{
	step_usage *usage = usages ? g_hash_table_lookup(usages, one->digest) : NULL;
	g_autoptr(json_writer) own = json_writer_new(0);
	if (!usage || !step_usage_write(own, usage))
		return true;
	size_t n;
	g_autofree char *text = json_writer_take(&own, &n);
	g_autoptr(json_t) value = json_read(text, n, n, "usage", error);
	json_key(w, "resourceUsage");
	if (value)
		json_put_value(w, value, sorted);
	return value != NULL;
}

static bool put_step(json_writer *w, const provenance_steps *s, const struct step *one, GHashTable *usages, bool sorted,
		     GError **error)
{
	json_object_begin(w);
	json_key(w, "id");
	put_number(w, one->number);
	if (sorted)
		put_step_inputs(w, s, one->op);
	json_key(w, "op");
	if (sorted && !put_op_sorted(w, one->op, error))
		return false;
	if (!sorted) {
		put_op(w, one->op);
		put_step_inputs(w, s, one->op);
	}
	if (!put_usage(w, usages, one, sorted, error))
		return false;
	json_object_end(w);
	return true;
}

static int by_digest(const void *a, const void *b)
{
	return strcmp((*(const struct step *const *)a)->digest, (*(const struct step *const *)b)->digest);
}

static void put_digest_mapping(json_writer *w, const provenance_steps *s)
{
	g_autofree struct step **sorted = g_memdup2(s->order->pdata, s->order->len * sizeof *sorted);
	qsort(sorted, s->order->len, sizeof *sorted, by_digest);
	json_object_member_begin(w, "digestMapping");
	for (guint i = 0; i < s->order->len; i++) {
		json_key(w, sorted[i]->digest);
		put_number(w, sorted[i]->number);
	}
	json_object_end(w);
}

bool provenance_steps_write(json_writer *w, const provenance_steps *s, GHashTable *usages, bool sorted, GError **error)
{
	if (s->order->len == 0)
		return true;
	if (sorted)
		put_digest_mapping(w, s);
	json_array_member_begin(w, "llbDefinition");
	for (guint i = 0; i < s->order->len; i++)
		if (!put_step(w, s, s->order->pdata[i], usages, sorted, error))
			return false;
	json_array_end(w);
	if (!sorted)
		put_digest_mapping(w, s);
	return true;
}

/* ---- source locations */

static int by_key(const void *a, const void *b)
{
	const struct {
		char key[32];
		const Pb__Locations *value;
	} *x = a, *y = b;
	return strcmp(x->key, y->key);
}

static void put_locations(json_writer *w, const Pb__Source *source, const provenance_steps *s)
{
	struct row {
		char key[32];
		const Pb__Locations *value;
	};
	g_autofree struct row *rows = g_new0(struct row, source->n_locations + 1);
	size_t n = 0;
	for (size_t i = 0; i < source->n_locations; i++) {
		int number = provenance_steps_find(s, source->locations[i]->key);
		if (number < 0)
			continue;
		g_snprintf(rows[n].key, sizeof rows[n].key, "step%d", number);
		rows[n++].value = source->locations[i]->value;
	}
	if (n == 0)
		return;
	qsort(rows, n, sizeof *rows, by_key);
	json_object_member_begin(w, "locations");
	for (size_t i = 0; i < n; i++) {
		json_key(w, rows[i].key);
		if (rows[i].value)
			op_json_message(w, &rows[i].value->base);
		else
			json_put_null(w);
	}
	json_object_end(w);
}

static bool put_info(json_writer *w, const Pb__SourceInfo *info, GError **error)
{
	g_autoptr(provenance_steps) steps = provenance_steps_new(info->definition, error);
	if (!steps)
		return false;
	json_object_begin(w);
	json_put_string_member_nonempty(w, "filename", info->filename);
	json_put_string_member_nonempty(w, "language", info->language);
	if (info->data.len > 0) {
		json_key(w, "data");
		json_put_base64(w, info->data.data, info->data.len);
	}
	bool ok = provenance_steps_write(w, steps, NULL, false, error);
	json_object_end(w);
	return ok;
}

bool provenance_source_write(json_writer *w, const Pb__Definition *definition, const provenance_steps *s,
			     GError **error)
{
	const Pb__Source *source = definition ? definition->source : NULL;
	if (!source || source->n_infos == 0)
		return true;
	json_object_member_begin(w, "source");
	put_locations(w, source, s);
	json_array_member_begin(w, "infos");
	for (size_t i = 0; i < source->n_infos; i++)
		if (!put_info(w, source->infos[i], error))
			return false;
	json_array_end(w);
	json_object_end(w);
	return true;
}
