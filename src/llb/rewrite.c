/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computes the final digests of a loaded definition from the encoding of llb_op_pack, as upstream computes vertex
 * digests. An op has a new digest if it was sent in another encoding than Go's deterministic one, if a source was
 * replaced, if it reaches the network through a proxy, or if one of its inputs has a new digest. The definition's metadata and locations are keyed by the sent
 * digests.
 */
#include "llb/definition_internal.h"
#include "api/message.h"
#include "llb/build.h"

#define PROXY_MARK "\0buildkit.proxy-network.v0" /* as upstream */

struct rewrite {
	llb_definition *d;
	bool *changed; /* indexed by op */
	bool *done;
	struct digest *digests; /* valid for ops that are done */
};

static bool rewrite_sources(struct rewrite *r, const struct llb_load_options *options, GError **error)
{
	g_autofree struct llb_source *sources = g_new0(struct llb_source, r->d->ops->len);
	g_autofree guint *indexes = g_new(guint, r->d->ops->len);
	size_t n = 0;
	for (guint i = 0; i < r->d->ops->len; i++) {
		Pb__Op *op = op_at(r->d, i)->op;
		if (op->op_case != PB__OP__OP_SOURCE)
			continue;
		sources[n] = (struct llb_source){.op = op->source, .platform = op->platform};
		indexes[n++] = i;
	}
	if (n > 0 && !options->rewrite_sources(options->rewrite_data, sources, n, error))
		return false;
	for (size_t k = 0; k < n; k++)
		r->changed[indexes[k]] |= sources[k].changed;
	return true;
}

static guint index_of(const struct rewrite *r, const struct loaded_op *one)
{
	return (guint)(one - op_at(r->d, 0));
}

/* Computes the digest of an op whose inputs are done; the table still has the sent digests. */
static void digest_again(struct rewrite *r, struct loaded_op *one)
{
	guint index = index_of(r, one);
	Pb__Op *op = one->op;
	for (size_t i = 0; i < op->n_inputs; i++) {
		const struct loaded_op *in = op_find(r->d, op->inputs[i]->digest);
		if (!r->changed[index_of(r, in)])
			continue;
		message_replace_text(&op->inputs[i]->digest, r->digests[index_of(r, in)].text);
		r->changed[index] = true;
	}
	r->done[index] = true;
	r->digests[index] = one->digest;
	if (!r->changed[index])
		return;
	g_autoptr(GBytes) bytes = llb_op_pack(op);
	g_autoptr(hasher) h = hasher_new_sha256();
	hasher_update(h, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	if (op_is_proxied(r->d, op)) {
		const char *scope = netproxy_policy_scope(r->d->proxy);
		hasher_update(h, PROXY_MARK, sizeof PROXY_MARK - 1);
		hasher_update(h, scope, strlen(scope));
	}
	hasher_finish(h, &r->digests[index]);
}

/* Visits inputs first. Digests make cycles impossible. */
static void digest_from(struct rewrite *r, struct loaded_op *root)
{
	g_autoptr(GPtrArray) stack = g_ptr_array_new();
	g_ptr_array_add(stack, root);
	while (stack->len > 0) {
		struct loaded_op *top = stack->pdata[stack->len - 1];
		guint before = stack->len;
		for (size_t i = 0; i < top->op->n_inputs && !r->done[index_of(r, top)]; i++) {
			struct loaded_op *in = op_find(r->d, top->op->inputs[i]->digest);
			if (!r->done[index_of(r, in)])
				g_ptr_array_add(stack, in);
		}
		if (stack->len > before)
			continue;
		g_ptr_array_set_size(stack, (gint)before - 1);
		if (!r->done[index_of(r, top)])
			digest_again(r, top);
	}
}

/* Ops with equal new digests become one op. */
static void take_digests(llb_definition *d, const struct digest *digests)
{
	g_hash_table_remove_all(d->by_digest);
	for (guint i = 0; i < d->ops->len; i++) {
		struct loaded_op *one = op_at(d, i);
		one->digest = digests[i];
		if (!g_hash_table_contains(d->by_digest, one->digest.text))
			g_hash_table_insert(d->by_digest, one->digest.text, GUINT_TO_POINTER(i + 1));
	}
}

bool definition_rewrite(llb_definition *d, const struct llb_load_options *options, GError **error)
{
	g_autofree bool *changed = g_new0(bool, d->ops->len), *done = g_new0(bool, d->ops->len);
	g_autofree struct digest *digests = g_new0(struct digest, d->ops->len);
	struct rewrite r = {.d = d, .changed = changed, .done = done, .digests = digests};
	bool any = false;
	for (guint i = 0; i < d->ops->len; i++)
		changed[i] = !op_at(d, i)->is_canonical || op_is_proxied(d, op_at(d, i)->op);
	if (options && options->rewrite_sources && !rewrite_sources(&r, options, error))
		return false;
	for (guint i = 0; i < d->ops->len; i++)
		any |= changed[i];
	for (guint i = 0; any && i < d->ops->len; i++)
		digest_from(&r, op_at(d, i));
	if (any)
		take_digests(d, digests);
	return true;
}
