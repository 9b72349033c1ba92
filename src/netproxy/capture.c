/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/capture.h"
#include "base/limits.h"
#include <string.h>

struct request {
	char *method, *url, *redirect; /* owned; redirect may be NULL */
	int status;
};
struct netproxy_capture {
	gint refs;
	GMutex mu;             /* guards the rest */
	GPtrArray *requests;   /* element type: struct request * */
	GPtrArray *materials;  /* element type: struct netproxy_material * */
	GPtrArray *incomplete; /* element type: struct netproxy_incomplete * */
	size_t bytes;          /* of the texts of all three */
	size_t n_dropped;
};

static void request_free(gpointer data)
{
	struct request *r = data;
	g_free(r->method);
	g_free(r->url);
	g_free(r->redirect);
	g_free(r);
}

static void material_free(gpointer data)
{
	g_free(((struct netproxy_material *)data)->url);
	g_free(data);
}

static void incomplete_free(gpointer data)
{
	struct netproxy_incomplete *i = data;
	g_free(i->method);
	g_free(i->url);
	g_free(i);
}

netproxy_capture *netproxy_capture_new(void)
{
	netproxy_capture *c = g_new0(netproxy_capture, 1);
	c->refs = 1;
	g_mutex_init(&c->mu);
	c->requests = g_ptr_array_new_with_free_func(request_free);
	c->materials = g_ptr_array_new_with_free_func(material_free);
	c->incomplete = g_ptr_array_new_with_free_func(incomplete_free);
	return c;
}

netproxy_capture *netproxy_capture_ref(netproxy_capture *c)
{
	g_atomic_int_inc(&c->refs);
	return c;
}

void netproxy_capture_unref(netproxy_capture *c)
{
	if (!c || !g_atomic_int_dec_and_test(&c->refs))
		return;
	g_ptr_array_unref(c->requests);
	g_ptr_array_unref(c->materials);
	g_ptr_array_unref(c->incomplete);
	g_mutex_clear(&c->mu);
	g_free(c);
}

/* ---- additions; all require mu */

static void add_incomplete(netproxy_capture *c, const char *method, const char *url, const char *reason)
{
	struct netproxy_incomplete *i = g_new0(struct netproxy_incomplete, 1);
	*i = (struct netproxy_incomplete){g_strdup(method), g_strdup(url), reason};
	g_ptr_array_add(c->incomplete, i);
}

/* Reports whether there is room for a record with these texts. */
static bool reserve(netproxy_capture *c, const GPtrArray *list, size_t n)
{
	if (c->n_dropped == 0 && list->len < LIMIT_PROXY_REQUESTS &&
	    c->bytes + n <= (size_t)LIMIT_PROXY_CAPTURE_BYTES) {
		c->bytes += n;
		return true;
	}
	if (c->n_dropped++ == 0)
		add_incomplete(c, "", "", "too_many_requests");
	return false;
}

void netproxy_capture_request(netproxy_capture *c, const char *method, const char *url, int status,
			      const char *redirect)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	if (!reserve(c, c->requests, strlen(method) + strlen(url) + (redirect ? strlen(redirect) : 0)))
		return;
	struct request *r = g_new0(struct request, 1);
	*r = (struct request){g_strdup(method), g_strdup(url), g_strdup(redirect), status};
	g_ptr_array_add(c->requests, r);
}

void netproxy_capture_material(netproxy_capture *c, const char *url, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	if (!reserve(c, c->materials, strlen(url)))
		return;
	struct netproxy_material *m = g_new0(struct netproxy_material, 1);
	*m = (struct netproxy_material){g_strdup(url), *digest};
	g_ptr_array_add(c->materials, m);
}

void netproxy_capture_incomplete(netproxy_capture *c, const char *method, const char *url, const char *reason)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	if (reserve(c, c->incomplete, strlen(method) + strlen(url)))
		add_incomplete(c, method, url, reason);
}

/* ---- results */

char *netproxy_capture_log(netproxy_capture *c)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	if (c->requests->len == 0)
		return NULL;
	GString *text = g_string_new("proxy network requests:\n");
	for (guint i = 0; i < c->requests->len; i++) {
		const struct request *r = c->requests->pdata[i];
		g_string_append_printf(text, "- %s %s -> %d\n", r->method, r->url, r->status);
	}
	if (c->n_dropped > 0)
		g_string_append(text, "- further requests are not listed\n");
	return g_string_free(text, FALSE);
}

static void add_material(GPtrArray *list, GHashTable *by_url, const char *url, const struct digest *digest)
{
	struct netproxy_material *m = g_new0(struct netproxy_material, 1);
	*m = (struct netproxy_material){g_strdup(url), *digest};
	g_ptr_array_add(list, m);
	g_hash_table_insert(by_url, m->url, m);
}

/* Follows the redirects backwards from the materials. */
static void add_redirected(const netproxy_capture *c, GPtrArray *list, GHashTable *by_url)
{
	g_autoptr(GHashTable) sources =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
	for (guint i = 0; i < c->requests->len; i++) {
		struct request *r = c->requests->pdata[i];
		if (!r->redirect)
			continue;
		GPtrArray *from = g_hash_table_lookup(sources, r->redirect);
		if (!from)
			g_hash_table_insert(sources, r->redirect, from = g_ptr_array_new());
		g_ptr_array_add(from, r->url);
	}
	for (guint i = 0; i < list->len; i++) {
		const struct netproxy_material *m = list->pdata[i];
		const GPtrArray *from = g_hash_table_lookup(sources, m->url);
		for (guint k = 0; from && k < from->len; k++)
			if (!g_hash_table_contains(by_url, from->pdata[k]))
				add_material(list, by_url, from->pdata[k], &m->digest);
	}
}

static char *material_id(const struct netproxy_material *m)
{
	return g_strconcat(m->digest.text, " ", m->url, NULL);
}

GPtrArray *netproxy_capture_materials(netproxy_capture *c)
{
	g_autoptr(GHashTable) by_url = g_hash_table_new(g_str_hash, g_str_equal),
			      seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GPtrArray *list = g_ptr_array_new_with_free_func(material_free);
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	for (guint i = 0; i < c->materials->len; i++) {
		const struct netproxy_material *m = c->materials->pdata[i];
		if (g_hash_table_add(seen, material_id(m)))
			add_material(list, by_url, m->url, &m->digest);
	}
	add_redirected(c, list, by_url);
	return list;
}

GPtrArray *netproxy_capture_all_incomplete(netproxy_capture *c)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(incomplete_free);
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	for (guint i = 0; i < c->incomplete->len; i++) {
		const struct netproxy_incomplete *from = c->incomplete->pdata[i];
		struct netproxy_incomplete *i2 = g_new0(struct netproxy_incomplete, 1);
		*i2 = (struct netproxy_incomplete){g_strdup(from->method), g_strdup(from->url), from->reason};
		g_ptr_array_add(list, i2);
	}
	return list;
}
