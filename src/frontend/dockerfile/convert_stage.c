/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "format/gotype.h"
#include "frontend/dockerfile/mounts.h"
#include "frontend/dockerfile/scan.h"
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/text.h"
#include <inttypes.h>
#include <string.h>

static struct stage *stages_by_name(convert *c, const char *name)
{
	return g_hash_table_lookup(c->by_name, text_lower(c->arena, name));
}

static void stage_tables(convert *c, struct stage *s)
{
	s->paths = convert_table(c);
	s->used_args = convert_table(c);
	s->arg_infos = convert_table(c);
}

static void copy_table(GHashTable *to, GHashTable *from)
{
	for (struct hash_walk it = hash_walk(from); hash_walk_next(&it);)
		g_hash_table_replace(to, it.key, it.value);
}

/* The base is looked up by its name as written; names in the table are lower case. */
static void stage_add(convert *c, struct stage *s)
{
	arena_push(c->arena, &c->stages, s);
	s->base = g_hash_table_lookup(c->by_name, s->base_name);
	if (s->base) {
		copy_table(s->used_args, s->base->used_args);
		copy_table(s->arg_infos, s->base->arg_infos);
	}
	if (*s->name)
		g_hash_table_replace(c->by_name, (char *)s->name, s);
}

static struct stage *stage_unregistered(convert *c, const char *base_name, struct span span)
{
	struct stage *s = arena_make(c->arena, struct stage);
	s->base_name = s->original_base = base_name;
	s->name = s->display = "";
	s->span = span;
	stage_tables(c, s);
	return s;
}

/* --- FROM lines --- */

static bool expand_platform(convert *c, struct stage *s, GError **error)
{
	const char *text = s->from->from.platform;
	struct platform *platform = arena_make(c->arena, struct platform);
	struct words_result r;
	if (!text || !*text)
		return true;
	if (!words_expand(&c->words, c->arena, text, &c->globals->words, &r, error)) {
		g_prefix_error(error, "failed to process arguments for platform : ");
		return convert_fail_at(c, s->span);
	}
	validate_from(c, s, &r.unmatched);
	validate_from_platform(c, s, &r);
	if (!*r.text) {
		error_set(error, ERROR_INVALID_ARGUMENT, "empty platform value from expression %s", text);
	} else if (platform_parse(r.text, platform, error)) {
		s->platform = platform;
		for (size_t i = 0; i < r.matched.n; i++)
			g_hash_table_add(s->used_args, r.matched.items[i]);
		return true;
	}
	for (size_t i = 0; i < r.unmatched.n; i++)
		if (suggest_to(error, r.unmatched.items[i], env_keys(c->globals), true))
			break;
	if (*r.text) { /* in both places, as upstream */
		g_prefix_error(error, "failed to parse platform %s: ", text);
		convert_fail_at(c, s->span);
	}
	return convert_fail_at(c, s->span);
}

static bool expand_from(convert *c, struct stage *s, struct vec *ret_used, GError **error)
{
	struct words_result r;
	bool ok = words_expand(&c->words, c->arena, s->base_name, &c->globals->words, &r, error);
	validate_from(c, s, &r.unmatched);
	if (!ok)
		return convert_fail_at(c, s->span);
	if (!*r.text) {
		error_set(error, ERROR_INVALID_ARGUMENT, "base name (%s) should not be blank", s->base_name);
		return convert_fail_at(c, s->span);
	}
	s->base_name = s->original_base = r.text;
	*ret_used = r.matched;
	return expand_platform(c, s, error);
}

static int count_steps(const struct stage *s)
{
	int total = strcmp(s->base_name, "scratch") != 0 && !s->base;
	for (size_t i = 0; i < s->instructions.n; i++) {
		enum instruction_kind kind = vec_at(&s->instructions, struct instruction *, i)->kind;
		total += kind == INSTRUCTION_ADD || kind == INSTRUCTION_COPY || kind == INSTRUCTION_RUN ||
			 kind == INSTRUCTION_WORKDIR;
	}
	return total;
}

static bool stage_build(convert *c, struct stage *s, size_t number, GError **error)
{
	struct vec used = {0};
	s->display = s->name;
	stage_tables(c, s);
	if (!expand_from(c, s, &used, error))
		return false;
	if (*s->name) {
		if (!named_context_find(c, s->name, s->platform, &s->context_value, &s->context_name, error))
			return false;
		if (s->context_value) { /* its instructions are not processed */
			stage_add(c, s);
			s->base = NULL;
			s->instructions = (struct vec){0};
			return true;
		}
	} else {
		s->display = arena_printf(c->arena, "stage-%zu", number);
	}
	GHashTable *platform_args = s->used_args;
	s->used_args = convert_table(c);
	stage_add(c, s);
	copy_table(s->used_args, platform_args);
	for (size_t i = 0; i < used.n; i++)
		g_hash_table_add(s->used_args, used.items[i]);
	s->total = count_steps(s);
	s->no_cache = options_no_cache(c->options, s->name);
	return true;
}

bool stages_build(convert *c, GError **error)
{
	for (size_t i = 0; i < c->parsed.n; i++)
		if (!stage_build(c, c->parsed.items[i], i, error))
			return false;
	return true;
}

static const char *const *stage_names(convert *c)
{
	struct vec names = {0};
	for (size_t i = 0; i < c->stages.n; i++) {
		const char *name = vec_at(&c->stages, struct stage *, i)->display;
		if (*name)
			arena_push(c->arena, &names, name);
	}
	return arena_strv(c->arena, &names);
}

bool stages_find_target(convert *c, GError **error)
{
	c->target_stage = c->stages.items[c->stages.n - 1];
	if (!*c->target_name)
		return true;
	c->target_stage = stages_by_name(c, c->target_name);
	if (c->target_stage)
		return true;
	error_set(error, ERROR_INVALID_ARGUMENT, "target stage %s could not be found",
		  text_quote(c->arena, c->target_name));
	suggest_to(error, c->target_name, stage_names(c), true);
	return false;
}

/* --- dependencies --- */

static bool is_integer(const char *text)
{
	const char *digits = text + (*text == '-' || *text == '+');
	return *digits && strspn(digits, "0123456789") == strlen(digits) && strlen(digits) < 10;
}

static bool copy_source(convert *c, const struct instruction *i, struct command *cmd, GError **error)
{
	const char *from = i->copy.from;
	struct words_result r;
	if (!words_expand(&c->words, c->arena, from, &words_env_empty, &r, error))
		return false;
	if (strcmp(r.text, from) != 0)
		return error_set(
			error, ERROR_INVALID_ARGUMENT,
			"variable expansion is not supported for --from, define a new stage with FROM using ARG "
			"from global scope as a workaround");
	struct stage *source;
	int64_t n;
	if (is_integer(from) && int_parse(from, 10, &n, NULL)) {
		if (n < 0 || (size_t)n >= c->stages.n)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid stage index %" PRId64, n);
		source = c->stages.items[n];
	} else {
		source = stages_by_name(c, from);
		if (!source)
			source = stage_unregistered(c, from, i->span);
	}
	arena_push(c->arena, &cmd->sources, source);
	return true;
}

static void mount_sources(convert *c, const struct instruction *i, struct command *cmd)
{
	for (size_t n = 0; n < i->run.mounts.n; n++) {
		/* A mount without "from" depends on scratch here, because its type may still be a variable. */
		const char *from = mount_from(c->arena, i->run.mounts.items[n]);
		if (!*from)
			from = "scratch";
		struct stage *source = stages_by_name(c, from);
		if (!source)
			source = stage_unregistered(c, from, (struct span){0});
		arena_push(c->arena, &cmd->sources, source);
	}
}

static void depend(convert *c, struct stage *s, struct stage *on, struct span span)
{
	for (size_t i = 0; i < s->deps.n; i++) {
		struct dependency *d = s->deps.items[i];
		if (d->stage == on) {
			d->span = span;
			return;
		}
	}
	struct dependency *d = arena_make(c->arena, struct dependency);
	*d = (struct dependency){on, span};
	arena_push(c->arena, &s->deps, d);
}

static bool stage_make_command(convert *c, struct stage *s, const struct instruction *i, bool onbuild,
			       struct command **ret, GError **error)
{
	struct command *cmd = arena_make(c->arena, struct command);
	*cmd = (struct command){.instruction = i, .onbuild = onbuild};
	if (i->kind == INSTRUCTION_COPY && i->copy.from && *i->copy.from && !copy_source(c, i, cmd, error))
		return false;
	if (i->kind == INSTRUCTION_RUN)
		mount_sources(c, i, cmd);
	if (!convert_spend(c, cmd->sources.n * (s->deps.n + 1), error))
		return false;
	for (size_t n = 0; n < cmd->sources.n; n++) {
		struct stage *source = cmd->sources.items[n];
		depend(c, s, source, i->span);
		if (!source->from)
			stage_add(c, source);
	}
	if (c->stages.n > 2 * (size_t)LIMIT_STAGES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "Dockerfile with more than %lld stages",
				 LIMIT_STAGES);
	*ret = cmd;
	return true;
}

/* A stage on the path of the search, and the index of its next dependency. */
struct dependency_walk {
	struct stage *stage;
	size_t next;
};

/* Depth-first search from one stage; the lines of a cycle are added to c->where. */
static bool find_cycle(convert *c, struct stage *root, GHashTable *visited, GHashTable *path)
{
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct dependency_walk));
	struct dependency_walk first = {root, 0};
	g_array_append_val(stack, first);
	g_hash_table_add(visited, root);
	g_hash_table_add(path, root);
	while (stack->len) {
		struct dependency_walk *v = &g_array_index(stack, struct dependency_walk, stack->len - 1);
		if (v->next == v->stage->deps.n) {
			g_hash_table_remove(path, v->stage);
			g_array_set_size(stack, stack->len - 1);
			continue;
		}
		struct stage *dep = vec_at(&v->stage->deps, struct dependency *, v->next++)->stage;
		if (g_hash_table_contains(path, dep)) {
			for (guint i = stack->len; i-- > 0;) { /* the end of the path comes first */
				const struct dependency_walk *at = &g_array_index(stack, struct dependency_walk, i);
				convert_fail_at(c, vec_at(&at->stage->deps, struct dependency *, at->next - 1)->span);
			}
			return true;
		}
		if (g_hash_table_add(visited, dep)) {
			struct dependency_walk next = {dep, 0};
			g_hash_table_add(path, dep);
			g_array_append_val(stack, next);
		}
	}
	return false;
}

static bool refuse_circles(convert *c, GError **error)
{
	g_autoptr(GHashTable) visited = g_hash_table_new(NULL, NULL);
	g_autoptr(GHashTable) path = g_hash_table_new(NULL, NULL);
	for (size_t i = 0; i < c->stages.n; i++) {
		struct stage *s = c->stages.items[i];
		if (!g_hash_table_contains(visited, s) && find_cycle(c, s, visited, path))
			return error_set(error, ERROR_INVALID_ARGUMENT, "circular dependency detected on stage: %s",
					 s->display);
	}
	return true;
}

bool stages_link(convert *c, GError **error)
{
	for (size_t n = 0; n < c->stages.n; n++) { /* grows during the loop */
		struct stage *s = c->stages.items[n];
		for (size_t i = 0; i < s->instructions.n; i++) {
			struct command *cmd;
			if (!stage_make_command(c, s, s->instructions.items[i], false, &cmd, error))
				return false;
			arena_push(c->arena, &s->commands, cmd);
		}
	}
	if (!refuse_circles(c, error))
		return false;
	if (c->stages.n == 1)
		vec_at(&c->stages, struct stage *, 0)->display = "";
	return true;
}

/* --- resolution --- */

GHashTable *stages_needed(convert *c, struct stage *target)
{
	GHashTable *needed = g_hash_table_new(NULL, NULL);
	g_ptr_array_add(c->tables, needed);
	g_autoptr(GPtrArray) todo = g_ptr_array_new();
	g_ptr_array_add(todo, target);
	while (todo->len) {
		struct stage *s = g_ptr_array_steal_index_fast(todo, todo->len - 1);
		if (!g_hash_table_add(needed, s))
			continue;
		if (s->base)
			g_ptr_array_add(todo, s->base);
		for (size_t i = 0; i < s->deps.n; i++)
			g_ptr_array_add(todo, vec_at(&s->deps, struct dependency *, i)->stage);
	}
	return needed;
}

bool stage_inherit(convert *c, struct stage *s, GError **error)
{
	struct stage *base = s->base;
	if (!base)
		return true;
	size_t weight = base->args.n * sizeof(void *) + (base->state.env ? base->state.env->bytes : 0);
	if (!convert_spend(c, weight + (base->image ? image_config_weight(base->image) : 0), error))
		return false;
	s->state = base->state;
	if (s->state.env)
		s->state.env = env_copy(base->state.env);
	s->platform = base->platform;
	if (base->image) {
		s->image = image_config_copy(c->arena, base->image);
		s->image->on_build = (struct vec){0};
	}
	s->base_image = base->base_image;
	s->paths = base->paths;
	s->workdir_set = base->workdir_set;
	for (size_t i = 0; i < base->args.n; i++)
		arena_push(c->arena, &s->args, base->args.items[i]);
	return true;
}

static bool resolve_bases(convert *c, GHashTable *needed, GError **error)
{
	stages_prefetch(c, needed);
	size_t n = c->stages.n;
	for (size_t i = 0; i < n; i++) {
		struct stage *s = c->stages.items[i];
		if (s->base || s->dispatched || s->resolved)
			continue;
		if (!stage_resolve_base(c, s, s->resolved = c->all_stages || g_hash_table_contains(needed, s), error)) {
			convert_fail_at(c, s->span);
			return false;
		}
	}
	return true;
}

static struct instruction *parse_trigger(convert *c, struct stage *s, const char *text, GError **error)
{
	struct scan scan;
	struct span where;
	if (!scan_file(c->arena, text, strlen(text), &scan, &where, error))
		return NULL;
	if (scan.nodes.n != 1)
		return error_null(error, ERROR_INVALID_ARGUMENT, "onbuild trigger should be a single expression");
	struct node *node = scan.nodes.items[0];
	node->span = s->span;
	struct instruction *i = instruction_parse(c->arena, node, NULL, error);
	if (i && i->kind == INSTRUCTION_FROM)
		return error_null(error, ERROR_INVALID_ARGUMENT, "*instructions.Stage is not a command type");
	return i;
}

/* ONBUILD triggers become the stage's first commands. */
static bool add_triggers(convert *c, struct stage *s, const struct vec *triggers, bool *ret_new, GError **error)
{
	struct vec commands = {0};
	for (size_t n = 0; n < triggers->n; n++) {
		struct instruction *i = parse_trigger(c, s, triggers->items[n], error);
		struct command *cmd;
		if (!i || !stage_make_command(c, s, i, true, &cmd, error))
			return false;
		*ret_new = *ret_new || cmd->sources.n;
		arena_push(c->arena, &commands, cmd);
	}
	for (size_t i = 0; i < s->commands.n; i++)
		arena_push(c->arena, &commands, s->commands.items[i]);
	s->commands = commands;
	s->total += (int)triggers->n;
	return true;
}

static bool init_triggers(convert *c, struct stage *s, bool *ret_new, GError **error)
{
	struct vec triggers = {0};
	if (s->onbuild_done)
		return true;
	for (size_t i = 0; s->image && !s->base && i < s->image->on_build.n; i++)
		arena_push(c->arena, &triggers, s->image->on_build.items[i]);
	for (size_t i = 0; s->base && i < s->base->commands.n; i++) {
		const struct instruction *trigger = vec_at(&s->base->commands, struct command *, i)->instruction;
		if (trigger->kind == INSTRUCTION_ONBUILD)
			arena_push(c->arena, &triggers, trigger->text);
	}
	s->onbuild_done = s->base || s->image;
	if (!triggers.n)
		return true;
	if (s->image)
		s->image->on_build = (struct vec){0};
	if (add_triggers(c, s, &triggers, ret_new, error))
		return true;
	c->where = (struct vec){0};
	return convert_fail_at(c, s->span);
}

bool stages_resolve(convert *c, GHashTable **ret_needed, GError **error)
{
	for (bool more = true; more;) {
		more = false;
		*ret_needed = stages_needed(c, c->target_stage);
		if (!resolve_bases(c, *ret_needed, error))
			return false;
		for (size_t i = 0; i < c->stages.n; i++)
			if (g_hash_table_contains(*ret_needed, c->stages.items[i]) &&
			    !init_triggers(c, c->stages.items[i], &more, error))
				return false;
	}
	/* Triggers can create a cycle, too. */
	return refuse_circles(c, error);
}
