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

/* ---- one fetch per digest and store at a time */

struct flight {
	blob_store *store; /* borrowed; only compared */
	struct digest digest;
};
static GMutex flights_mu;
static GCond flights_changed;
static GHashTable *flights; /* set of struct flight, borrowed from the stacks of the fetching threads */

static guint flight_hash(gconstpointer data)
{
	const struct flight *f = data;
	return g_str_hash(f->digest.text) ^ g_direct_hash(f->store);
}

static gboolean flight_equal(gconstpointer a, gconstpointer b)
{
	const struct flight *x = a, *y = b;
	return x->store == y->store && digest_equal(&x->digest, &y->digest);
}

/* Waits for another fetch of the same blob. Returns true when the caller may fetch. */
static bool flight_enter(struct flight *f, cancel *c, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &flights_mu, &flights_changed);
	g_mutex_lock(&flights_mu);
	if (!flights)
		flights = g_hash_table_new(flight_hash, flight_equal);
	while (g_hash_table_contains(flights, f) && !cancel_is_set(c))
		g_cond_wait(&flights_changed, &flights_mu);
	bool ours = !g_hash_table_contains(flights, f);
	if (ours)
		g_hash_table_add(flights, f);
	g_mutex_unlock(&flights_mu);
	return ours || cancel_check(c, error);
}

static void flight_leave(struct flight *f)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&flights_mu);
	g_hash_table_remove(flights, f);
	g_cond_broadcast(&flights_changed);
}

bool blob_provider_fetch(blob_provider *p, blob_store *into, const struct digest *digest, int64_t size,
			 struct work *work, GError **error)
{
	if (blob_store_has(into, digest))
		return true;
	struct flight f = {into, *digest};
	if (!flight_enter(&f, work ? work->cancel : NULL, error))
		return false;
	bool done = blob_store_adopt(into, digest) || p->class->fetch(p->self, into, digest, size, work, error);
	flight_leave(&f);
	return done;
}
