/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/scope.h"
#include <string.h>

struct provenance_scope {
	const provenance_scope *parent; /* borrowed: owner of this scope; NULL: root */
	char *frontend;
	GHashTable *args;   /* immutable */
	GHashTable *inputs; /* immutable; NULL: not known */
	GMutex mu;
	provenance_capture *images; /* mu; only its images are used */
	GPtrArray *built;           /* mu; of llb_definition * */
	GPtrArray *children;        /* mu; owned */
};

provenance_scope *provenance_scope_new(provenance_scope *parent, const char *frontend, GHashTable *options,
				       GHashTable *inputs)
{
	g_autoptr(GHashTable) none = options ? NULL : g_hash_table_new(g_str_hash, g_str_equal);
	provenance_scope *s = g_new0(provenance_scope, 1);
	s->parent = parent;
	s->frontend = g_strdup(frontend);
	s->args = provenance_args(options ? options : none);
	s->inputs = inputs;
	s->images = provenance_capture_new();
	s->built = g_ptr_array_new_with_free_func((GDestroyNotify)llb_definition_unref);
	s->children = g_ptr_array_new_with_free_func((GDestroyNotify)provenance_scope_free);
	g_mutex_init(&s->mu);
	if (parent) {
		g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&parent->mu);
		g_ptr_array_add(parent->children, s);
	}
	return s;
}

void provenance_scope_free(provenance_scope *s)
{
	if (!s)
		return;
	g_ptr_array_unref(s->children);
	g_ptr_array_unref(s->built);
	provenance_capture_free(s->images);
	g_hash_table_unref(s->args);
	g_clear_pointer(&s->inputs, g_hash_table_unref);
	g_mutex_clear(&s->mu);
	g_free(s->frontend);
	g_free(s);
}

void provenance_scope_note_image(provenance_scope *s, const char *ref, const struct platform *platform,
				 const char *digest, bool is_local)
{
	struct provenance_source image = {
		.name = (char *)ref, .pin = (char *)digest, .is_local = is_local, .has_platform = platform != NULL};
	if (platform)
		image.platform = *platform;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	provenance_capture_add_source(s->images, SOURCE_MATERIAL_IMAGE, &image);
}

void provenance_scope_note_built(provenance_scope *s, llb_definition *definition)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	g_ptr_array_add(s->built, llb_definition_ref(definition));
}

/* ---- scope and its children */

static void collect(provenance_scope *s, provenance_capture *images, GPtrArray *built)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	if (images)
		provenance_capture_merge(images, s->images);
	for (guint i = 0; built && i < s->built->len; i++)
		g_ptr_array_add(built, llb_definition_ref(s->built->pdata[i]));
	for (guint i = 0; i < s->children->len; i++)
		collect(s->children->pdata[i], images, built);
}

GPtrArray *provenance_scope_images(provenance_scope *s)
{
	g_autoptr(provenance_capture) all = provenance_capture_new();
	collect(s, all, NULL);
	return g_ptr_array_ref(all->sources[SOURCE_MATERIAL_IMAGE]);
}

GPtrArray *provenance_scope_built(provenance_scope *s)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)llb_definition_unref);
	collect(s, NULL, all);
	return all;
}

/* ---- requests */

static void describe(const provenance_scope *s, struct provenance_request *ret)
{
	ret->frontend = g_strdup(s->frontend);
	ret->args = g_hash_table_ref(s->args);
	ret->inputs = s->inputs ? g_hash_table_ref(s->inputs) : NULL;
}

struct provenance_request provenance_scope_request(const provenance_scope *s)
{
	return (struct provenance_request){.frontend = s->frontend, .args = s->args, .inputs = s->inputs};
}

/* A result without a frontend has no request. A result of a frontend has that request and, if not empty, the root's. */
void provenance_scope_describe(const provenance_scope *s, provenance_capture *c)
{
	const provenance_scope *root = s;
	if (!s->parent)
		return;
	describe(s, &c->request);
	while (root->parent)
		root = root->parent;
	if (*root->frontend || g_hash_table_size(root->args) > 0 || root->inputs)
		describe(root, &c->root);
}
