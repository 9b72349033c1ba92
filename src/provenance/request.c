/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/request.h"
#include "base/hash_walk.h"
#include "provenance/origin.h"
#include "format/git_address.h"
#include "format/url_redact.h"
#include <string.h>

#define SHA256_HEX 64

const char *git_digest_algorithm(const char *commit)
{
	return strlen(commit) == SHA256_HEX ? "sha256" : "sha1";
}

/*
 * Returns the address of a git repository with its ref and, if asked for, the directory in it. NULL: not a git address.
 */
static char *git_uri(const char *text, bool with_directory)
{
	g_auto(git_address) a = {0};
	if (!git_address_parse(text, &a))
		return NULL;
	const char *fragment = a.fragment ? a.fragment : "", *colon = strchr(fragment, ':');
	g_autofree char *ref = g_strndup(fragment, colon ? (gsize)(colon - fragment) : strlen(fragment));
	const char *directory = colon && with_directory ? colon + 1 : "";
	directory += strspn(directory, "/");
	return g_strconcat(a.remote, *ref || *directory ? "#" : "", ref, *directory ? ":" : "", directory, NULL);
}

static const struct provenance_source *find(const provenance_capture *c, enum source_material kind, const char *name)
{
	for (guint i = 0; i < c->sources[kind]->len; i++) {
		const struct provenance_source *s = c->sources[kind]->pdata[i];
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

/* Sets the config source from a context, with its digest if the context was fetched. */
static void config_source(struct request_view *v, const char *context, const provenance_capture *c)
{
	g_autofree char *git = git_uri(context, false);
	g_autofree char *shown = git_uri(context, true), *masked = url_redact(git ? git : context);
	const struct provenance_source *found = find(c, SOURCE_MATERIAL_GIT, masked);
	g_free(v->uri);
	if (found) {
		v->uri = url_redact(shown ? shown : context);
		v->digest_algorithm = git_digest_algorithm(found->pin);
		v->digest = g_strdup(found->pin);
		return;
	}
	found = find(c, SOURCE_MATERIAL_HTTP, masked);
	v->uri = found ? g_strdup(found->name) : url_redact(context);
	if (found && g_str_has_prefix(found->pin, "sha256:")) {
		v->digest_algorithm = "sha256";
		v->digest = g_strdup(found->pin + strlen("sha256:"));
	}
}

static const char *given(GHashTable *args, const char *key)
{
	const char *value = g_hash_table_lookup(args, key);
	return value && *value ? value : NULL;
}

void request_view_init(struct request_view *v, const struct provenance_request *r, const provenance_capture *c)
{
	*v = (struct request_view){
		.frontend = r->frontend ? r->frontend : "",
		.inputs = r->inputs,
		.uri = g_strdup(""),
		.path = g_strdup(""),
		.args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.vcs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
	};
	if (!r->args)
		return;
	for (struct hash_walk it = hash_walk(r->args); hash_walk_next(&it);)
		g_hash_table_insert(v->args, g_strdup(it.key), g_strdup(it.value));
	const char *context_key = given(r->args, "contextkey");
	if (!context_key)
		context_key = given(r->args, "input:context") ? "input:context" : "context";
	const char *context = given(r->args, context_key), *path = given(r->args, "filename");
	if (context) {
		config_source(v, context, c);
		g_hash_table_remove(v->args, context_key);
	}
	if (path) {
		g_free(v->path);
		v->path = g_strdup(path);
		g_hash_table_remove(v->args, "filename");
	}
}

void request_view_clear(struct request_view *v)
{
	g_clear_pointer(&v->uri, g_free);
	g_clear_pointer(&v->digest, g_free);
	g_clear_pointer(&v->path, g_free);
	g_clear_pointer(&v->args, g_hash_table_unref);
	g_clear_pointer(&v->vcs, g_hash_table_unref);
}

void request_view_take_vcs(struct request_view *v)
{
	for (struct hash_walk it = hash_walk(v->args); hash_walk_next(&it);) {
		if (!g_str_has_prefix(it.key, "vcs:"))
			continue;
		if (*(const char *)it.value)
			g_hash_table_insert(v->vcs, g_strdup((const char *)it.key + strlen("vcs:")),
					    g_strdup(it.value));
		g_hash_table_iter_remove(&it.iter);
	}
}

bool request_view_scrub(struct request_view *v)
{
	bool any = false;
	for (struct hash_walk it = hash_walk(v->args); hash_walk_next(&it);) {
		if (!g_str_has_prefix(it.key, "build-arg:") && !g_str_has_prefix(it.key, "label:"))
			continue;
		g_hash_table_iter_remove(&it.iter);
		any = true;
	}
	return any;
}

bool request_view_equal(const struct request_view *a, const struct request_view *b)
{
	if (strcmp(a->frontend, b->frontend) != 0 || strcmp(a->uri, b->uri) != 0 || strcmp(a->path, b->path) != 0 ||
	    g_strcmp0(a->digest, b->digest) != 0 || !provenance_inputs_equal(a->inputs, b->inputs) ||
	    g_hash_table_size(a->args) != g_hash_table_size(b->args))
		return false;
	for (struct hash_walk it = hash_walk(a->args); hash_walk_next(&it);)
		if (g_strcmp0(g_hash_table_lookup(b->args, it.key), it.value) != 0)
			return false;
	return true;
}
