/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encodes ops in the order of Go's deterministic marshalling: plain fields by number, then the member of the one-of;
 * map entries by key, always with both fields.
 */
#include "llb/build.h"
#include "api/wire.h"
#include <string.h>

static void put_varint(GByteArray *out, uint64_t value)
{
	uint8_t bytes[WIRE_VARINT_BYTES];
	g_byte_array_append(out, bytes, (guint)wire_put_varint(bytes, value));
}

static void put_bytes(GByteArray *out, unsigned field, const void *bytes, size_t n)
{
	uint8_t head[WIRE_HEAD_BYTES];
	g_byte_array_append(out, head, (guint)wire_put_head(head, field, n));
	if (n > 0)
		g_byte_array_append(out, bytes, (guint)n);
}

static void put_text(GByteArray *out, unsigned field, const char *text)
{
	put_bytes(out, field, text, strlen(text));
}

static void put_message(GByteArray *out, unsigned field, const ProtobufCMessage *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	g_autofree uint8_t *bytes = g_malloc(n + 1);
	protobuf_c_message_pack(message, bytes);
	put_bytes(out, field, bytes, n);
}

/* Unknown fields of newer clients keep their bytes and come last, as in Go. */
static void put_unknown(GByteArray *out, const ProtobufCMessage *message)
{
	for (unsigned i = 0; i < message->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *f = &message->unknown_fields[i];
		put_varint(out, (uint64_t)f->tag << 3 | f->wire_type);
		g_byte_array_append(out, f->data, (guint)f->len);
	}
}

/* All types of map entries begin with their key, so one function sorts all of them. */
static int entry_compare(const void *a, const void *b)
{
	const Pb__SourceOp__AttrsEntry *const *x = a, *const *y = b;
	return strcmp((*x)->key, (*y)->key);
}

static void *entries_sorted(void *entries, size_t n)
{
	void **sorted = g_memdup2(entries, n * sizeof *sorted);
	if (n > 1)
		qsort(sorted, n, sizeof *sorted, entry_compare);
	return sorted;
}

G_STATIC_ASSERT(offsetof(Pb__SourceOp__AttrsEntry, key) == offsetof(Pb__BuildOp__AttrsEntry, key));
G_STATIC_ASSERT(offsetof(Pb__SourceOp__AttrsEntry, key) == offsetof(Pb__BuildOp__InputsEntry, key));
G_STATIC_ASSERT(offsetof(Pb__SourceOp__AttrsEntry, value) == offsetof(Pb__BuildOp__AttrsEntry, value));

static void put_text_map(GByteArray *out, unsigned field, void *entries, size_t n)
{
	g_autofree Pb__SourceOp__AttrsEntry **sorted = entries_sorted(entries, n);
	for (size_t i = 0; i < n; i++) {
		g_autoptr(GByteArray) entry = g_byte_array_new();
		put_text(entry, 1, sorted[i]->key);
		put_text(entry, 2, sorted[i]->value);
		put_bytes(out, field, entry->data, entry->len);
	}
}

static GByteArray *source_pack(const Pb__SourceOp *op)
{
	GByteArray *out = g_byte_array_new();
	if (*op->identifier)
		put_text(out, 1, op->identifier);
	put_text_map(out, 2, op->attrs, op->n_attrs);
	put_unknown(out, &op->base);
	return out;
}

static GByteArray *build_pack(const Pb__BuildOp *op)
{
	GByteArray *out = g_byte_array_new();
	if (op->builder != 0) {
		put_varint(out, 1 << 3);
		put_varint(out, (uint64_t)op->builder);
	}
	Pb__BuildInput empty = PB__BUILD_INPUT__INIT;
	g_autofree Pb__BuildOp__InputsEntry **sorted = entries_sorted(op->inputs, op->n_inputs);
	for (size_t i = 0; i < op->n_inputs; i++) {
		g_autoptr(GByteArray) entry = g_byte_array_new();
		put_text(entry, 1, sorted[i]->key);
		put_message(entry, 2, sorted[i]->value ? &sorted[i]->value->base : &empty.base);
		put_bytes(out, 2, entry->data, entry->len);
	}
	if (op->def)
		put_message(out, 3, &op->def->base);
	put_text_map(out, 4, op->attrs, op->n_attrs);
	put_unknown(out, &op->base);
	return out;
}

static void put_body(GByteArray *out, const Pb__Op *op)
{
	if (op->op_case == PB__OP__OP__NOT_SET)
		return;
	if (op->op_case != PB__OP__OP_SOURCE && op->op_case != PB__OP__OP_BUILD) {
		put_message(out, op->op_case, (const ProtobufCMessage *)op->exec); /* all members are messages */
		return;
	}
	g_autoptr(GByteArray) body = op->op_case == PB__OP__OP_SOURCE ? source_pack(op->source) : build_pack(op->build);
	put_bytes(out, op->op_case, body->data, body->len);
}

GBytes *llb_op_pack(const Pb__Op *op)
{
	Pb__Op head = *op;
	head.op_case = PB__OP__OP__NOT_SET;
	head.base.n_unknown_fields = 0;
	GByteArray *out = g_byte_array_new();
	g_byte_array_set_size(out, (guint)protobuf_c_message_get_packed_size(&head.base));
	protobuf_c_message_pack(&head.base, out->data);
	put_body(out, op);
	put_unknown(out, &op->base);
	return g_byte_array_free_to_bytes(out);
}
