/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "base/limits.h"
#include "format/json_writer.h"
#include "format/patterns.h"
#include "format/reference.h"
#include "frontend/dockerfile/git_url.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

#define REPLACED_MAX 10 /* same as upstream */

/* A named context while it is loaded. */
struct load {
	convert *c;
	struct stage *stage;
	const char *value; /* value as given */
	const char *rest;  /* text after the scheme's colon */
	const char *name;  /* name, with ::platform if the option has it */
	const struct platform *platform;
	struct state *state;
	struct image_config *image;
	int replaced; /* number of times that a policy replaced the image by another source */
};

char **named_context_names(const reference *ref, const struct platform *p)
{
	char *familiar = reference_familiar(ref);
	if (g_str_has_suffix(familiar, ":latest"))
		familiar[strlen(familiar) - strlen(":latest")] = 0;
	struct platform wanted = *p;
	platform_normalize(&wanted);
	g_autofree char *platform = platform_format_all(&wanted);
	char **names = g_new0(char *, 3);
	names[0] = g_strdup_printf("%s::%s", familiar, platform);
	names[1] = familiar;
	return names;
}

bool named_context_find(convert *c, const char *name, const struct platform *p, const char **ret_value,
			const char **ret_name, GError **error)
{
	*ret_value = NULL;
	if (text_equal_fold(name, "scratch") || text_equal_fold(name, "context"))
		return true;
	g_autoptr(reference) ref = reference_parse_normalized(name, error);
	if (!ref)
		return error_prefix(error, "invalid context name %s: ", name);
	g_auto(GStrv) names = named_context_names(ref, p ? p : &c->target);
	for (size_t i = 0; names[i] && !*ret_value; i++) {
		*ret_name = arena_strdup(c->arena, names[i]);
		*ret_value = options_get(c->options, arena_printf(c->arena, "context:%s", *ret_name));
	}
	return true;
}

static const char *context_label(struct load *l, const char *text)
{
	return arena_printf(l->c->arena, "[context %s] %s", l->name, text);
}

/* Applies the same members of an image config as llb.WithImageConfig. */
static bool apply_config(struct load *l, GBytes *bytes, GError **error)
{
	size_t n = 0;
	const void *p = bytes ? g_bytes_get_data(bytes, &n) : "";
	l->image = image_config_read(l->c->arena, p, n, error);
	if (!l->image)
		return false;
	if (*l->image->working_dir)
		l->state->dir = arena_strdup(l->c->arena, l->image->working_dir);
	if (*l->image->os && *l->image->architecture)
		l->state->platform = image_config_platform(l->c->arena, l->image);
	return true;
}

static void source(struct load *l, const char *identifier, const char *const *attrs, const char *label)
{
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = label;
	meta.platform = l->platform;
	l->state->out = llb_source(l->c->graph, identifier, attrs, &meta);
}

static const char *skip_slashes(const char *text)
{
	return g_str_has_prefix(text, "//") ? text + 2 : text;
}

static bool load_value(struct load *l, const char *value, GError **error);

/* A policy replaced the image by a source of another kind: loads that source as the context. */
static bool load_other(struct load *l, const char *identifier, GError **error)
{
	const char *rest = strstr(identifier, "://");
	if (!rest)
		return error_set(error, ERROR_INVALID_ARGUMENT, "could not parse ref: %s", identifier);
	if (++l->replaced > REPLACED_MAX)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "context recursion limit exceeded; this may indicate a cycle in the provided source "
				 "policies: %s",
				 l->value);
	return load_value(
		l, arena_printf(l->c->arena, "%.*s:%s", (int)(rest - identifier), identifier, rest + strlen("://")),
		error);
}

static bool load_image(struct load *l, GError **error)
{
	const char *text = skip_slashes(l->rest);
	if (strcmp(text, "scratch") == 0)
		return true;
	g_autoptr(reference) ref = reference_parse_normalized(text, error);
	if (!ref)
		return false;
	reference_tag_default(ref);
	g_autofree char *full = reference_text(ref);
	struct context_image found;
	struct bridge_image_request r = {
		.ref = full,
		.platform = l->platform,
		.resolve_mode = l->c->options->resolve_mode,
		.log_name = context_label(l, arena_printf(l->c->arena, "load metadata for %s", text))};
	g_autoptr(GError) why = NULL;
	if (!context_resolve_image(l->c->context, &r, &found, &why)) {
		if (found.other)
			return load_other(l, found.other, error);
		return error_propagate(error, g_steal_pointer(&why));
	}
	source(l, arena_printf(l->c->arena, "docker-image://%s", found.ref), NULL, context_label(l, text));
	return apply_config(l, found.config, error);
}

static bool load_git(struct load *l, GError **error)
{
	struct git_url u;
	bool is_git;
	const char *const *attrs;
	if (!git_url_parse(l->c->arena, l->value, &u, &is_git, error))
		return false;
	if (!is_git)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid git context %s", l->value);
	const char *id = git_url_source(l->c->arena, &u, u.keep_git_dir == 1, u.checksum, u.mtime, &attrs);
	source(l, id, attrs, arena_printf(l->c->arena, "[internal] load git source %s", l->value));
	return true;
}

static bool load_http(struct load *l, GError **error)
{
	static const char *const attrs[] = {"http.filename", "context", NULL};
	struct git_url u;
	bool is_git;
	if (!git_url_parse(l->c->arena, l->value, &u, &is_git, error))
		return false;
	if (is_git)
		return load_git(l, error);
	source(l, l->value, attrs, context_label(l, l->value));
	return true;
}

/* Splits name[:tag]@digest; the tag is ignored. */
static bool split_layout(struct load *l, const char **ret_name, const char **ret_digest, GError **error)
{
	const char *text = skip_slashes(l->rest), *at = strchr(text, '@');
	const char *name = at ? arena_strndup(l->c->arena, text, (size_t)(at - text)) : text;
	if (text == at) /* "@digest" without a name is not a reference */
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "could not parse oci-layout reference \"%s\": invalid reference format", text);
	if (!*name)
		return error_set(error, ERROR_INVALID_ARGUMENT, "oci-layout reference \"%s\" has no name", text);
	if (!at)
		return error_set(error, ERROR_INVALID_ARGUMENT, "oci-layout reference \"%s\" has no digest", text);
	if (!digest_is_valid(at + 1))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "could not parse oci-layout reference \"%s\": invalid reference format", text);
	const char *slash = strrchr(name, '/'), *colon = strrchr(slash ? slash : name, ':');
	*ret_name = colon ? arena_strndup(l->c->arena, name, (size_t)(colon - name)) : name;
	*ret_digest = at + 1;
	return true;
}

static bool load_layout(struct load *l, GError **error)
{
	const char *store, *digest;
	if (!split_layout(l, &store, &digest, error))
		return false;
	const char *colons = strstr(l->name, "::");
	const char *plain = colons ? arena_strndup(l->c->arena, l->name, (size_t)(colons - l->name)) : l->name;
	g_autoptr(reference) ref = reference_parse_normalized(plain, error);
	if (!ref)
		return error_prefix(error, "could not parse oci-layout reference \"%s\": ", plain);
	g_free(ref->digest);
	ref->digest = g_strdup(digest);
	const char *full = arena_take(l->c->arena, reference_text(ref)), *session = context_session(l->c->context, "");
	struct context_image found;
	struct bridge_image_request r = {
		.ref = full,
		.platform = l->platform,
		.oci_layout = true,
		.session_id = session,
		.store_id = store,
		.log_name = context_label(l, arena_printf(l->c->arena, "load metadata for %s", full))};
	if (!context_resolve_image(l->c->context, &r, &found, error))
		return false;
	const char *attrs[] = {"oci.session", session, "oci.store", store, NULL};
	source(l, arena_printf(l->c->arena, "oci-layout://%s", full), attrs, context_label(l, "OCI load from client"));
	return apply_config(l, found.config, error);
}

static bool read_local_ignore(struct load *l, const char *local, GError **error)
{
	convert *c = l->c;
	const char *const files[] = {".dockerignore", NULL};
	const char *attrs[] = {"local.session",
			       context_session(c->context, local),
			       "local.followpaths",
			       context_json_list(c->arena, files),
			       "local.sharedkeyhint",
			       arena_printf(c->arena, "context:%s-.dockerignore", l->name),
			       "local.differ",
			       "none",
			       NULL};
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = context_label(l, "load .dockerignore");
	g_autoptr(llb_graph) g = llb_graph_new();
	g_autoptr(build_result) result = NULL;
	struct llb_out out = llb_source(g, arena_printf(c->arena, "local://%s", local), attrs, &meta);
	if (!context_solve(c->context, g, out, true, &result, error))
		return false;
	g_autoptr(GBytes) bytes = context_read_file(c->context, result, files[0], 0, NULL);
	size_t n = 0;
	const char *text = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	if (!n)
		return true;
	g_auto(GStrv) list = patterns_read_ignore_file(text, n, error);
	if (!list)
		return error_prefix(error, "failed parsing .dockerignore: ");
	struct vec copy = {0};
	for (size_t i = 0; list[i]; i++)
		arena_push(c->arena, &copy, arena_strdup(c->arena, list[i]));
	l->stage->files_ignore = arena_strv(c->arena, &copy);
	return true;
}

static bool load_local(struct load *l, GError **error)
{
	convert *c = l->c;
	if (!read_local_ignore(l, l->rest, error))
		return false;
	const char *key = options_get(c->options, arena_printf(c->arena, "sharedkey:localdir:%s", l->name));
	l->stage->files_local = l->rest;
	l->stage->files_name = context_label(l, "load from client");
	l->stage->files_key = arena_printf(c->arena, "context:%s-%s", l->name, key ? key : "");
	l->state->out = l->stage->files_placeholder = llb_promise(c->graph);
	return true;
}

/* Sets the followpaths of local contexts after all instructions have recorded the files they use. */
void named_contexts_finish(convert *c)
{
	for (size_t i = 0; i < c->stages.n; i++) {
		struct stage *s = c->stages.items[i];
		if (!s->files_local)
			continue;
		struct vec attrs = {0};
		const char *pairs[] = {"local.session", context_session(c->context, s->files_local),
				       "local.sharedkeyhint", s->files_key};
		for (size_t k = 0; k < G_N_ELEMENTS(pairs); k++)
			arena_push(c->arena, &attrs, pairs[k]);
		if (s->files_ignore && s->files_ignore[0]) {
			arena_push(c->arena, &attrs, "local.excludepatterns");
			arena_push(c->arena, &attrs, context_json_list(c->arena, s->files_ignore));
		}
		const char *const *paths = follow_paths(c, s->paths);
		if (paths) {
			arena_push(c->arena, &attrs, "local.followpaths");
			arena_push(c->arena, &attrs, context_json_list(c->arena, paths));
		}
		struct llb_meta meta = LLB_META_INIT;
		meta.custom_name = s->files_name;
		llb_promise_set(c->graph, s->files_placeholder,
				llb_source(c->graph, arena_printf(c->arena, "local://%s", s->files_local),
					   arena_strv(c->arena, &attrs), &meta));
	}
}

static bool load_input_config(struct load *l, const char *text, GError **error)
{
	g_autoptr(json_t) map = json_read(text, strlen(text), (size_t)LIMIT_CONFIG_BYTES, "input metadata", error);
	if (!map)
		return error_prefix(error, "failed to parse input metadata %s: ", text);
	const char *encoded = json_string_value(json_object_get(map, "containerimage.config"));
	if (!encoded)
		return true;
	size_t n;
	void *bytes = g_base64_decode(encoded, &n);
	g_autoptr(GBytes) config = g_bytes_new_take(bytes, n);
	return apply_config(l, config, error);
}

static bool load_input(struct load *l, GError **error)
{
	const Pb__Definition *input = context_input(l->c->context, l->rest);
	if (!input)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid input %s for %s", l->rest, l->name);
	GError *inner = NULL;
	l->state->out = llb_import(l->c->graph, input, &inner);
	if (inner)
		return error_propagate(error, inner);
	const char *metadata = options_get(l->c->options, arena_printf(l->c->arena, "input-metadata:%s", l->rest));
	return !metadata || load_input_config(l, metadata, error);
}

static const struct {
	const char *scheme;
	bool (*load)(struct load *l, GError **error);
} schemes[] = {
	{"docker-image", load_image}, {"git", load_git},     {"http", load_http},   {"https", load_http},
	{"oci-layout", load_layout},  {"local", load_local}, {"input", load_input},
};

static bool load_value(struct load *l, const char *value, GError **error)
{
	const char *colon = strchr(value, ':');
	if (!colon)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid context specifier %s for %s", value, l->name);
	const char *scheme = arena_strndup(l->c->arena, value, (size_t)(colon - value));
	if (g_str_has_prefix(scheme, "git@"))
		scheme = "git";
	l->value = value;
	l->rest = colon + 1;
	for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
		if (strcmp(schemes[i].scheme, scheme) == 0)
			return schemes[i].load(l, error);
	return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported context source %s for %s", scheme, l->name);
}

bool named_context_load(convert *c, struct stage *s, const char *value, const char *name, const struct platform *p,
			struct state *ret_state, struct image_config **ret_image, GError **error)
{
	*ret_state = STATE_INIT;
	struct load l = {.c = c, .stage = s, .name = name, .platform = p, .state = ret_state};
	if (!load_value(&l, value, error))
		return false;
	*ret_image = l.image;
	return true;
}
