/* SPDX-License-Identifier: Apache-2.0 */
/* The source op: hashes the key of a source, and returns its tree as the result. */
#include "ops/op.h"
#include "api/message.h"

struct op_source {
	struct op op;
	GMutex mu;
	source *source; /* owned; created at first use, so that its errors are errors of the vertex */
	char *pin;      /* owned; guarded by mu; NULL: not known yet, or none */
};

static source *get_source(struct op_source *o, GError **error)
{
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&o->mu);
	if (!o->source) {
		size_t n;
		struct platform platform = worker_platforms(o->op.worker, &n)[0];
		if (o->op.v->op->platform)
			message_platform_read(o->op.v->op->platform, &platform);
		o->source = source_open(&o->op.worker->source_context, o->op.v->op->source, &platform, error);
	}
	return o->source;
}

static void note_pin(struct op_source *o, source *s)
{
	g_autofree char *pin = source_pin(s);
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&o->mu);
	g_free(o->pin);
	o->pin = g_steal_pointer(&pin);
}

static bool source_cache_map(void *self, struct work *work, unsigned phase, struct cache_map *ret, GError **error)
{
	source *s = get_source(self, error);
	g_autofree char *key = NULL;
	bool last;
	if (!s || !source_cache_key(s, work, phase, &key, &last, error))
		return false;
	note_pin(self, s);
	g_autofree char *text = g_strconcat("buildkit.source.v0:", key, NULL);
	struct digest d;
	digest_of_text(text, &d);
	/* Files sent by a client have no identity beyond its session; only their contents identify them. */
	if (g_str_has_prefix(key, "session:"))
		g_snprintf(ret->digest, sizeof ret->digest, "random:%s", digest_hex(&d));
	else
		g_strlcpy(ret->digest, d.text, sizeof ret->digest);
	ret->inputs = NULL;
	ret->last = last;
	return true;
}

static bool source_exec(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
			size_t n_outputs, GError **error)
{
	source *s = get_source(self, error);
	cache_ref *ref = NULL;
	if (!s || !source_snapshot(s, work, &ref, error))
		return false;
	for (size_t i = 1; i < n_outputs; i++)
		ret_outputs[i] = NULL;
	if (n_outputs > 0)
		ret_outputs[0] = ref;
	else
		cache_ref_unref(ref);
	return true;
}

static void op_source_free(void *self)
{
	struct op_source *o = self;
	if (o->source)
		source_free(o->source);
	g_free(o->pin);
	g_mutex_clear(&o->mu);
	op_free(o);
}

static const struct solver_op_class class = {
	.cache_map = source_cache_map,
	.exec = source_exec,
	.takes_slot = true,
	.free = op_source_free,
};

char *ops_source_pin(const struct solver_op *op)
{
	if (!op || op->class != &class)
		return NULL;
	struct op_source *o = op->self;
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&o->mu);
	return g_strdup(o->pin);
}

bool op_source_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	struct op_source *o = op_new(sizeof *o, w, v);
	g_mutex_init(&o->mu);
	*ret = (struct solver_op){&class, o};
	return true;
}
