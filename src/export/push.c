/* SPDX-License-Identifier: Apache-2.0 */
#include "export/push.h"
#include "base/thread.h"
#include "base/scope.h"
#include "progress/progress.h"
#include "registry/known.h"
#include <string.h>

#define SOURCE_PREFIX "containerd.io/distribution.source."
#define PARALLEL 4

/* ---- blobs */

struct blob {
	const oci_descriptor *descriptor; /* borrowed from the tree */
	const oci_layer *layer;           /* NULL: this is a config */
	blob_provider *provider;          /* borrowed or NULL */
};
struct pushing {
	const struct exporter_context *context;
	const reference *ref;
	struct registry_push_options options;
	struct work work;       /* cancels all uploads when one fails */
	const GPtrArray *blobs; /* element type: struct blob, borrowed: running uploads */
	GMutex mu;
	GError *error; /* the first error */
};

/* Returns the number of leading path components that two repositories share. */
static size_t shared_components(const char *a, const char *b)
{
	size_t n = 0;
	for (; *a && *a == *b; a++, b++)
		n += *a == '/';
	return n;
}

/* Returns the repository in "repo,repo" that is most similar to the target, but not the target itself. */
static void mount_candidate(char **best, const char *list, const char *target)
{
	g_auto(GStrv) repositories = g_strsplit(list, ",", -1);
	for (char **r = repositories; *r; r++) {
		bool better = !*best || shared_components(*r, target) > shared_components(*best, target);
		if (**r && !g_str_equal(*r, target) && better) {
			g_free(*best);
			*best = g_strdup(*r);
		}
	}
}

static char *mount_from(const struct pushing *p, const struct blob *b)
{
	char *best = NULL;
	g_autofree char *label = g_strconcat(SOURCE_PREFIX, p->ref->domain, NULL);
	const char *list = b->layer ? oci_descriptor_annotation(b->layer->descriptor, label) : NULL;
	if (list)
		mount_candidate(&best, list, p->ref->path);
	const char *host, *repository;
	if (b->provider && blob_provider_origin(b->provider, &host, &repository) && g_str_equal(host, p->ref->domain))
		mount_candidate(&best, repository, p->ref->path);
	g_autofree char *earlier =
		best ? NULL
		     : registry_known_repository(p->context->registry, p->ref->domain, b->descriptor->digest.text);
	if (earlier)
		mount_candidate(&best, earlier, p->ref->path);
	return best;
}

static bool blob_push(struct pushing *p, const struct blob *b, GError **error)
{
	const oci_descriptor *d = b->descriptor;
	blob_store *blobs = p->context->blobs;
	g_autofree char *from = mount_from(p, b);
	if (b->provider && !blob_store_has(blobs, &d->digest)) {
		bool has = false;
		if (!registry_has_blob(p->context->registry, p->ref, d, from, p->context->registry_auth, &p->options,
				       &p->work, &has, error))
			return false;
		if (has)
			return true;
		if (!blob_provider_fetch(b->provider, blobs, &d->digest, d->size, &p->work, error))
			return false;
	}
	scoped_fd fd = blob_store_find_verified(blobs, &d->digest, error);
	if (fd < 0)
		return error && *error ? false
				       : error_set(error, ERROR_NOT_FOUND, "blob %s: not found", d->digest.text);
	return registry_push_blob(p->context->registry, p->ref, d, fd, from, p->context->registry_auth, &p->options,
				  &p->work, error);
}

static void blob_task(void *data, size_t i)
{
	struct pushing *p = data;
	const struct blob *b = p->blobs->pdata[i];
	g_autoptr(GError) why = NULL;
	if (!cancel_is_set(p->work.cancel) && blob_push(p, b, &why))
		registry_known_add_blob(p->context->registry, p->ref, b->descriptor->digest.text);
	if (why) {
		g_mutex_lock(&p->mu);
		if (!p->error)
			p->error = g_steal_pointer(&why);
		g_mutex_unlock(&p->mu);
		cancel_set(p->work.cancel, ERROR_CANCELED, NULL);
	}
}

static void blob_add(GHashTable *done, GPtrArray *list, const oci_descriptor *d, const struct cache_layer_result *layer)
{
	if (oci_media_type_is_foreign(d->media_type) || !g_hash_table_add(done, (gpointer)d->digest.text))
		return;
	struct blob *b = g_new0(struct blob, 1);
	*b = (struct blob){d, layer ? layer->layer : NULL, layer ? layer->provider : NULL};
	g_ptr_array_add(list, b);
}

static GPtrArray *blob_list(const image_tree *tree)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(tree->manifests, i);
		blob_add(done, list, m->config, NULL);
		for (guint k = 0; m->statements && k < m->statements->len; k++)
			blob_add(done, list,
				 ((const struct image_document *)g_ptr_array_index(m->statements, k))->descriptor,
				 NULL);
		for (guint k = 0; k < m->layers->len; k++) {
			const struct cache_layer_result *r = g_ptr_array_index(m->layers, k);
			blob_add(done, list, r->layer->descriptor, r);
		}
	}
	return list;
}

static bool blobs_push(struct pushing *p, const image_tree *tree, struct work *work, GError **error)
{
	g_autoptr(GPtrArray) list = blob_list(tree);
	g_autoptr(cancel) stop = cancel_new(work->cancel);
	p->work = (struct work){.cancel = stop, .sessions = work->sessions, .progress = work->progress};
	p->blobs = list;
	thread_each(list->len, PARALLEL, blob_task, p);
	p->blobs = NULL;
	p->work.cancel = work->cancel;
	bool ok = cancel_check(work->cancel, error);
	if (ok && p->error) {
		g_propagate_error(error, g_steal_pointer(&p->error));
		ok = false;
	}
	g_clear_error(&p->error);
	return ok;
}

/* ---- manifests */

static bool manifest_push(struct pushing *p, const oci_descriptor *d, GBytes *bytes, bool by_tag, GError **error)
{
	return registry_push_manifest(p->context->registry, p->ref, d, g_bytes_get_data(bytes, NULL), by_tag,
				      p->context->registry_auth, &p->options, &p->work, error);
}

static bool manifests_push(struct pushing *p, const image_tree *tree, bool by_tag, GError **error)
{
	for (guint i = 0; i < tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(tree->manifests, i);
		if (!manifest_push(p, m->descriptor, m->bytes, by_tag && !tree->index_bytes, error))
			return false;
	}
	return !tree->index_bytes || manifest_push(p, tree->root, tree->index_bytes, by_tag, error);
}

static bool with_status(struct pushing *p, const char *id, bool ok_so_far, int64_t started_ns)
{
	if (ok_so_far)
		progress_status_end(p->work.progress, id, NULL, started_ns);
	return ok_so_far;
}

/* Returns the reference for a name, or NULL with an error if it cannot be pushed to. */
static reference *push_reference(const char *name, const struct push_options *options, GError **error)
{
	g_autoptr(reference) ref = reference_parse_normalized(name, error);
	if (!ref)
		return NULL;
	if (options->by_digest && (ref->tag || ref->digest)) {
		g_autofree char *text = reference_text(ref);
		return error_null(error, ERROR_INVALID_ARGUMENT, "can't push tagged ref %s by digest", text);
	}
	return g_steal_pointer(&ref);
}

bool push_check_name(const char *name, const struct push_options *options, GError **error)
{
	g_autoptr(reference) ref = push_reference(name, options, error);
	return ref != NULL;
}

bool push_image(const struct exporter_context *context, const image_tree *tree, const char *name,
		const struct push_options *options, struct work *work, GError **error)
{
	g_autoptr(reference) ref = push_reference(name, options, error);
	if (!ref)
		return false;
	/* A name refers to the root manifest, so a digest in it only means that there is no tag. */
	if (!options->by_digest && !ref->digest)
		reference_tag_default(ref);
	g_clear_pointer(&ref->digest, g_free);
	g_autofree char *shown = options->by_digest ? reference_name(ref) : reference_text(ref);
	g_autofree char *id = g_strconcat("pushing manifest for ", shown, options->by_digest ? "" : "@",
					  options->by_digest ? "" : tree->root->digest.text, NULL);
	struct pushing p = {.context = context, .ref = ref, .options = {.insecure = options->insecure}, .work = *work};
	g_mutex_init(&p.mu);
	int64_t started_ns = 0;
	progress_status_start(work->progress, "pushing layers", NULL, &started_ns);
	bool ok = with_status(&p, "pushing layers", blobs_push(&p, tree, work, error), started_ns);
	if (ok) {
		progress_status_start(work->progress, id, NULL, &started_ns);
		ok = with_status(&p, id, manifests_push(&p, tree, !options->by_digest, error), started_ns);
	}
	g_mutex_clear(&p.mu);
	return ok;
}
