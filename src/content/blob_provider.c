/* SPDX-License-Identifier: Apache-2.0 */
#include "content/blob_store.h"

struct blob_provider {
	gint refs;
	const struct blob_provider_class *class;
	void *self; /* owned through class->free */
};

blob_provider *blob_provider_new(const struct blob_provider_class *class, void *self)
{
	blob_provider *p = g_new0(blob_provider, 1);
	p->refs = 1;
	p->class = class;
	p->self = self;
	return p;
}

blob_provider *blob_provider_ref(blob_provider *p)
{
	if (p)
		g_atomic_int_inc(&p->refs);
	return p;
}

void blob_provider_unref(blob_provider *p)
{
	if (!p || !g_atomic_int_dec_and_test(&p->refs))
		return;
	if (p->class->free)
		p->class->free(p->self);
	g_free(p);
}

bool blob_provider_origin(blob_provider *p, const char **ret_host, const char **ret_repository)
{
	return p->class->origin && p->class->origin(p->self, ret_host, ret_repository);
}

bool blob_provider_pass(blob_provider *p, blob_store *into, const struct digest *digest, int64_t size,
			struct work *work, GError **error)
{
	return p->class->fetch(p->self, into, digest, size, work, error);
}

bool blob_provider_can(blob_provider *p, const struct digest *digest)
{
	return !p->class->can || p->class->can(p->self, digest);
}
