/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"
#include "api/message.h"
#include "source/pull.h"
#include <string.h>

static char *store_name(const char *store)
{
	return g_strconcat("oci:", store, NULL);
}

reference *pull_layout_reference(const char *text, GError **error)
{
	const char *at = strrchr(text, '@');
	struct digest digest;
	if (!at)
		return error_null(error, ERROR_INVALID_ARGUMENT, "oci-layout reference %.200s has no digest", text);
	if (!digest_parse(at + 1, &digest, error))
		return NULL;
	g_autofree char *name = g_strndup(text, (gsize)(at - text));
	char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
	g_autoptr(reference) r = g_new0(reference, 1);
	if (colon && (!slash || colon > slash)) {
		r->tag = g_strdup(colon + 1);
		*colon = '\0';
	}
	r->domain = g_strdup("");
	r->path = g_steal_pointer(&name);
	r->digest = g_strdup(digest.text);
	return g_steal_pointer(&r);
}

/* ---- documents */

static bool layout_resolve(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
			   GError **error)
{
	g_autoptr(session) s = session_with_content(o->sessions, o->session_id, work, error);
	g_autofree char *store = store_name(o->store);
	struct digest digest;
	int64_t size;
	if (!s || !digest_parse(ref->digest, &digest, error) ||
	    !session_content_info(s, store, digest.text, work->cancel, &size, error))
		return false;
	*ret = oci_descriptor_new("", &digest, size);
	return true;
}

static GBytes *layout_fetch(const struct pull_origin *o, const reference *ref, const oci_descriptor *d, size_t max,
			    struct work *work, GError **error)
{
	g_autoptr(session) s = session_with_content(o->sessions, o->session_id, work, error);
	if (!s)
		return NULL;
	g_autofree char *store = store_name(o->store);
	return session_content_fetch(s, store, &d->digest, max, work->cancel, error);
}

/* Layouts are content-addressed: a client that knows the digest may use the worker's copy. */
static bool layout_is_known(const struct pull_origin *o, const reference *ref, const char *digest)
{
	return true;
}

static void layout_learn(const struct pull_origin *o, const reference *ref, const char *digest)
{
}

void pull_origin_layout(struct pull_origin *ret, const struct source_context *context, const char *session_id,
			const char *store)
{
	*ret = (struct pull_origin){
		.blobs = context->blobs,
		.resolve = layout_resolve,
		.fetch = layout_fetch,
		.is_known = layout_is_known,
		.learn = layout_learn,
		.sessions = context->sessions,
		.session_id = session_id,
		.store = store,
	};
}

blob_provider *pull_layout_provider(session_registry *sessions, const char *session_id, const char *store)
{
	g_autofree char *name = store_name(store);
	return session_content_provider(sessions, session_id, name);
}

/* ---- the source */

static blob_provider *layout_provider(struct image_request *q, const oci_manifest *manifest)
{
	return pull_layout_provider(q->origin.sessions, q->session_id, q->store);
}

static void *layout_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
			 GError **error)
{
	const char *text = strstr(op->identifier, "://") + 3;
	struct image_request *q = g_new0(struct image_request, 1);
	q->ref = pull_layout_reference(text, error);
	if (!q->ref ||
	    !source_layer_limit_parse(message_map_find(op, attrs, "oci.layerlimit"), &q->layer_limit, error)) {
		image_request_free(q);
		return NULL;
	}
	const char *store = message_map_find(op, attrs, "oci.store");
	q->session_id = g_strdup(message_map_find(op, attrs, "oci.session"));
	q->store = g_strdup(store && *store ? store : q->ref->path);
	q->text = g_strdup(text);
	q->platform = *platform;
	q->platform.os_features = q->os_features = g_strdupv((char **)platform->os_features);
	q->cache = context->cache;
	q->provider = layout_provider;
	pull_origin_layout(&q->origin, context, q->session_id, q->store);
	return q;
}

const struct source_class source_oci_layout_class = {
	.scheme = "oci-layout",
	.material = SOURCE_MATERIAL_IMAGE,
	.is_layout = true,
	.open = layout_open,
	.cache_key = image_request_cache_key,
	.snapshot = image_request_snapshot,
	.pin = image_request_pin,
	.free = image_request_free,
};
