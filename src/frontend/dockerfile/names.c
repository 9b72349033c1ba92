/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

/* Returns the target platform from the environment, or false. Missing members are empty. */
static bool platform_of_env(const struct env *env, struct platform *ret)
{
	const char *full = env_get(env, "TARGETPLATFORM");
	if (full && platform_parse(full, ret, NULL))
		return true;
	const struct {
		const char *name;
		char *member;
		size_t size;
	} rows[] = {{"TARGETOS", ret->os, sizeof ret->os},
		    {"TARGETARCH", ret->architecture, sizeof ret->architecture},
		    {"TARGETVARIANT", ret->variant, sizeof ret->variant}};
	bool set = false;
	*ret = (struct platform){0};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *value = env_get(env, rows[i].name);
		if (!value)
			continue;
		g_strlcpy(rows[i].member, value, rows[i].size);
		set = true;
	}
	return set;
}

/* Returns "->arm64" for a step that runs on one platform and builds for another. */
static const char *cross_hint(convert *c, const struct platform *base, const struct env *env)
{
	struct platform p;
	if (!env || !platform_of_env(env, &p))
		return "";
	if (!*p.os)
		g_strlcpy(p.os, base->os, sizeof p.os);
	if (!*p.architecture)
		g_strlcpy(p.architecture, base->architecture, sizeof p.architecture);
	platform_normalize(&p);
	if (strcmp(p.os, base->os) != 0)
		return arena_printf(c->arena, "->%s", arena_take(c->arena, platform_format_all(&p)));
	if (strcmp(p.architecture, base->architecture) == 0)
		return "";
	return arena_printf(c->arena, "->%s%s%s", p.architecture, *p.variant ? "/" : "", p.variant);
}

const char *name_prefix(convert *c, struct stage *s, const char *text, const struct platform *platform, bool with_env)
{
	if (!s->total)
		return text;
	const char *where = "";
	if (c->options->multi_platform && platform)
		where = arena_printf(c->arena, "%s%s ", arena_take(c->arena, platform_format_all(platform)),
				     cross_hint(c, platform, with_env ? s->state.env : NULL));
	s->index++;
	return arena_printf(c->arena, "[%s%s%s%*d/%d] %s%s", where, s->display, *s->display ? " " : "",
			    snprintf(NULL, 0, "%d", s->total), s->index, s->total, s->in_onbuild ? "ONBUILD " : "",
			    text);
}

const char *name_text(convert *c, const char *text, const struct words_env *env, bool run)
{
	struct words w = c->words;
	struct words_result r;
	w.keep_quotes = w.keep_unset = run;
	if (!words_expand(&w, c->arena, text, env, &r, NULL))
		r.text = (char *)text;
	size_t n = strcspn(r.text, " ");
	return arena_printf(c->arena, "%s%s", text_upper(c->arena, arena_strndup(c->arena, r.text, n)), r.text + n);
}
