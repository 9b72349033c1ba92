/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/mock_bridge.h"
#include "frontend/dockerfile/dockerfile.h"
#include "frontend/dockerfile/frontend_image.h"

static void mock_ref_unref(bridge_ref *ref)
{
	struct mock_ref *r = (struct mock_ref *)ref;
	if (g_atomic_int_dec_and_test(&r->count))
		g_free(r);
}

static bridge_ref *mock_ref_ref(bridge_ref *ref)
{
	g_atomic_int_inc(&((struct mock_ref *)ref)->count);
	return ref;
}

static bool mock_solve(bridge *b, const struct bridge_solve_request *r, struct work *work, build_result **ret,
		       GError **error)
{
	struct mock_bridge *m = (struct mock_bridge *)b;
	g_mutex_lock(&m->mu);
	if (r->definition && m->forget) {
		g_string_append(m->requests, "");
	} else if (r->definition) {
		g_ptr_array_add(m->definitions, message_copy(r->definition));
	} else {
		g_string_append_printf(m->requests, "frontend %s source=%s cmdline=%s\n", r->frontend,
				       (char *)g_hash_table_lookup(r->options, "source"),
				       (char *)g_hash_table_lookup(r->options, "cmdline"));
	}
	g_mutex_unlock(&m->mu);
	*ret = build_result_new();
	struct mock_ref *ref = g_new0(struct mock_ref, 1);
	ref->ref.class = b->class;
	ref->count = 1;
	ref->m = m;
	(*ret)->ref = &ref->ref;
	return true;
}

static const char mock_config[] =
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2017-07-14T02:40:00Z\",\"config\":{\"Env\":[\"PATH="
	"/bin\"],"
	"\"Cmd\":[\"/bin/sh\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
	"0000000000000000000000000000000000000000000000000000000000000001\"]},\"history\":[{\"created\":"
	"\"2017-07-14T02:40:00Z\",\"created_by\":\"base\"}]}";

static bool mock_image(bridge *b, const struct bridge_image_request *r, struct work *work, struct bridge_image *ret,
		       GError **error)
{
	struct mock_bridge *m = (struct mock_bridge *)b;
	g_mutex_lock(&m->mu);
	g_string_append_printf(m->requests, "image %s (%s)\n", r->ref, r->log_name);
	const char *config = g_hash_table_lookup(m->images, r->ref);
	g_mutex_unlock(&m->mu);
	if (strstr(r->ref, "missing"))
		return error_set(error, ERROR_NOT_FOUND, "failed to resolve source metadata for %s: not found", r->ref);
	ret->ref = g_strdup(r->ref);
	digest_of_text(r->ref, &ret->digest);
	config = config ? config : mock_config;
	ret->config = g_bytes_new(config, strlen(config));
	return true;
}

static GBytes *mock_read(bridge *b, bridge_ref *ref, const char *path, int64_t offset, int64_t length,
			 struct work *work, GError **error)
{
	struct mock_bridge *m = (struct mock_bridge *)b;
	const char *text = g_hash_table_lookup(m->files, path);
	if (!text) {
		error_set_errno(error, ENOENT, "open %s", path);
		return NULL;
	}
	size_t n = strlen(text);
	return g_bytes_new(text, length > 0 ? MIN(n, (size_t)length) : n);
}

static bool mock_warn(bridge *b, const char *vertex, const struct progress_warning *w, GError **error)
{
	struct mock_bridge *m = (struct mock_bridge *)b;
	g_mutex_lock(&m->mu);
	g_string_append_printf(m->warnings, "warning %s [%s]\n", w->text, w->url);
	g_mutex_unlock(&m->mu);
	return true;
}

static const struct platform *mock_platforms(bridge *b, size_t *ret_n)
{
	*ret_n = 1;
	return &((struct mock_bridge *)b)->platform;
}

static const Pb__Definition *mock_definition(bridge *b, bridge_ref *ref)
{
	return NULL;
}

static const char *mock_session(bridge *b)
{
	return "session";
}

static bool mock_serves_frontend(bridge *b, const char *source, GHashTable *options, struct work *work)
{
	return dockerfile_implements(source, dockerfile_repositories) && !frontend_image_has_context(options, source);
}

static const struct bridge_class mock_class = {
	.solve = mock_solve,
	.resolve_image = mock_image,
	.read_file = mock_read,
	.warn = mock_warn,
	.definition = mock_definition,
	.platforms = mock_platforms,
	.session_id = mock_session,
	.serves_frontend = mock_serves_frontend,
	.ref_ref = mock_ref_ref,
	.ref_unref = mock_ref_unref,
};

struct mock_bridge *mock_bridge_new(void)
{
	struct mock_bridge *m = g_new0(struct mock_bridge, 1);
	m->bridge.class = &mock_class;
	g_mutex_init(&m->mu);
	m->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	m->images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	m->definitions = g_ptr_array_new_with_free_func(guard_free);
	m->warnings = g_string_new(NULL);
	m->requests = g_string_new(NULL);
	g_strlcpy(m->platform.os, "linux", sizeof m->platform.os);
	g_strlcpy(m->platform.architecture, "amd64", sizeof m->platform.architecture);
	return m;
}

void mock_bridge_file(struct mock_bridge *m, const char *path, const char *text)
{
	g_hash_table_replace(m->files, g_strdup(path), g_strdup(text));
}

void mock_bridge_free(struct mock_bridge *m)
{
	g_hash_table_unref(m->files);
	g_hash_table_unref(m->images);
	g_ptr_array_unref(m->definitions);
	g_string_free(m->warnings, TRUE);
	g_string_free(m->requests, TRUE);
	g_mutex_clear(&m->mu);
	g_free(m);
}
