/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "frontend/dockerfile/text.h"
#include "format/reference.h"
#include "format/gotype.h"
#include "frontend/dockerfile/suggest.h"
#include <string.h>

static const char *const *base_suggestions(convert *c)
{
	static const char *const common[] = {"alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora"};
	struct vec names = {0};
	for (size_t i = 0; i < c->stages.n; i++) {
		const char *display = vec_at(&c->stages, struct stage *, i)->display;
		if (*display)
			arena_push(c->arena, &names, display);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(common); i++) {
		arena_push(c->arena, &names, common[i]);
		arena_push(c->arena, &names, arena_printf(c->arena, "%s:latest", common[i]));
	}
	return arena_strv(c->arena, &names);
}

static const struct platform *wanted_platform(const convert *c, const struct stage *s)
{
	return s->platform ? s->platform : &c->target;
}

static bool load_stage_context(convert *c, struct stage *s, GError **error)
{
	struct image_config *image;
	if (!named_context_load(c, s, s->context_value, s->context_name, wanted_platform(c, s), &s->state, &image,
				error))
		return false;
	s->dispatched = true;
	s->image = image;
	if (image) {
		image->created = NULL;
		if (*image->architecture && *image->os)
			s->platform = image_config_platform(c->arena, image);
	} else {
		s->image = arena_make(c->arena, struct image_config);
		s->image->architecture = s->image->os = s->image->os_version = s->image->variant = "";
		s->image->rootfs_type = s->image->user = s->image->working_dir = s->image->stop_signal = "";
	}
	return true;
}

static bool load_base_context(convert *c, struct stage *s, const char *value, const char *name,
			      const struct platform *platform, GError **error)
{
	struct image_config *image;
	if (!named_context_load(c, s, value, name, platform, &s->state, &image, error))
		return false;
	if (!image)
		image = image_config_scratch(c->arena, platform);
	s->base_image = image_config_copy(c->arena, image);
	image->created = NULL;
	s->image = image;
	s->state.platform = s->platform = platform;
	return true;
}

static const char *metadata_name(convert *c, const struct platform *p, const char *ref)
{
	if (!c->options->multi_platform)
		return arena_printf(c->arena, "[internal] load metadata for %s", ref);
	return arena_printf(c->arena, "[%s internal] load metadata for %s",
			    arena_take(c->arena, platform_format_all(p)), ref);
}

static const char *with_digest(convert *c, const char *ref, const char *digest, GError **error)
{
	g_autoptr(reference) r = reference_parse_normalized(ref, error);
	if (!r)
		return error_prefix_null(error, "failed to parse ref \"%s\": ", ref);
	if (*digest) {
		g_free(r->digest);
		r->digest = g_strdup(digest);
	}
	return arena_take(c->arena, reference_text(r));
}

/*
 * Without --platform, *platform becomes the build platform if the image has that one and not the target platform.
 */
static bool fetch_config(convert *c, struct stage *s, const struct platform **platform, GError **error)
{
	struct context_image found;
	struct bridge_image_request r = {.ref = s->base_name,
					 .platform = *platform,
					 .resolve_mode = c->options->resolve_mode,
					 .log_name = metadata_name(c, *platform, s->base_name)};
	if (!context_resolve_image(c->context, &r, &found, error)) {
		g_prefix_error(error, "%s: ", s->original_base);
		suggest_to(error, s->original_base, base_suggestions(c), true);
		return false;
	}
	size_t n = 0;
	const void *bytes = found.config ? g_bytes_get_data(found.config, &n) : "";
	struct image_config *image = image_config_read(c->arena, bytes, n, error);
	if (!image)
		return error_prefix(error, "failed to parse image config: ");
	s->base_image = image_config_copy(c->arena, image);
	image->created = NULL;
	s->image = image;
	if (!s->platform && c->implicit_target && !image_config_fits(image, *platform) &&
	    image_config_fits(image, &c->build))
		*platform = &c->build;
	s->base_name = with_digest(c, found.ref, found.digest, error);
	return s->base_name != NULL;
}

static struct llb_out image_source(convert *c, struct stage *s, const struct platform *platform)
{
	const char *attrs[] = {"image.resolvemode", c->options->resolve_mode, NULL};
	const char *description[] = {"com.docker.dockerfile.v1.command", s->from ? s->from->code : "", NULL};
	const char *text = arena_printf(c->arena, "FROM %s", s->base_name);
	struct llb_meta meta = convert_meta(c, name_prefix(c, s, text, platform, false), s->span);
	meta.description = description;
	meta.platform = platform;
	return llb_source(c->graph, arena_printf(c->arena, "docker-image://%s", s->base_name),
			  strcmp(c->options->resolve_mode, "default") == 0 ? NULL : attrs, &meta);
}

static bool resolve_image(convert *c, struct stage *s, bool needed, GError **error)
{
	g_autoptr(reference) ref = reference_parse_normalized(s->base_name, error);
	if (!ref)
		return error_prefix(error, "failed to parse stage name %s: ", text_quote(c->arena, s->base_name));
	const struct platform *platform = wanted_platform(c, s);
	reference_tag_default(ref);
	s->base_name = arena_take(c->arena, reference_text(ref));
	if (!needed) /* no vertex is made */
		return true;
	if (s->context_value)
		return load_stage_context(c, s, error);
	const char *value, *name;
	if (!named_context_find(c, s->base_name, platform, &value, &name, error))
		return false;
	if (value)
		return load_base_context(c, s, value, name, platform, error);
	if (!fetch_config(c, s, &platform, error))
		return false;
	s->state = STATE_INIT;
	if (image_config_has_layers(s->image)) {
		s->state.out = image_source(c, s, platform);
		s->state.platform = platform;
		validate_base_platform(c, s, platform);
	}
	s->platform = platform;
	return true;
}

bool stage_resolve_base(convert *c, struct stage *s, bool needed, GError **error)
{
	bool ok = true;
	if (strcmp(s->base_name, "scratch") == 0 && !s->context_value) {
		s->image = image_config_scratch(c->arena, &c->target);
		s->platform = &c->target;
		s->state = STATE_INIT;
	} else {
		ok = resolve_image(c, s, needed, error);
	}
	if (!s->from)
		s->dispatched = true;
	return ok;
}

/* Reports whether the stage's image config will be resolved by a registry request, and returns that request. */
static bool prefetchable(convert *c, struct stage *s, struct bridge_image_request *ret)
{
	if (s->base || s->dispatched || s->resolved || s->context_value || strcmp(s->base_name, "scratch") == 0)
		return false;
	g_autoptr(reference) ref = reference_parse_normalized(s->base_name, NULL);
	if (!ref)
		return false;
	reference_tag_default(ref);
	const char *text = arena_take(c->arena, reference_text(ref)), *value, *name;
	const struct platform *p = wanted_platform(c, s);
	if (!named_context_find(c, text, p, &value, &name, NULL) || value)
		return false;
	*ret = (struct bridge_image_request){.ref = text,
					     .platform = p,
					     .resolve_mode = c->options->resolve_mode,
					     .log_name = metadata_name(c, p, text)};
	return true;
}

void stages_prefetch(convert *c, GHashTable *needed)
{
	g_autoptr(GArray) requests = g_array_new(FALSE, FALSE, sizeof(struct bridge_image_request));
	for (size_t i = 0; i < c->stages.n; i++) {
		struct stage *s = c->stages.items[i];
		struct bridge_image_request r;
		if ((c->all_stages || g_hash_table_contains(needed, s)) && prefetchable(c, s, &r))
			g_array_append_val(requests, r);
	}
	context_prefetch_images(c->context, (void *)requests->data, requests->len);
}
