/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "base/limits.h"
#include "format/patterns.h"
#include "llb/definition.h"
#include <string.h>

convert *convert_new(context *x, const struct source_file *file, const struct platform *target)
{
	convert *c = g_new0(convert, 1);
	c->arena = arena_new();
	c->tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
	c->context = x;
	c->options = context_options(x);
	c->file = file;
	c->graph = llb_graph_new();
	c->lint.a = c->arena;
	c->work_left = LIMIT_EXPANSION_WORK;
	c->build = c->options->build_platform;
	c->implicit_target = !target;
	c->target = target ? *target : c->build;
	c->target_name = c->options->target;
	c->build_args = options_build_args(c->options);
	g_ptr_array_add(c->tables, c->build_args);
	c->by_name = convert_table(c);
	c->arg_infos = convert_table(c);
	c->context_paths = convert_table(c);
	llb_graph_set_platform(c->graph, &c->target);
	c->source_index =
		llb_graph_add_source(c->graph, file->name, "Dockerfile", file->shown, file->n_shown, file->definition);
	return c;
}

void convert_free(convert *c)
{
	if (!c)
		return;
	patterns_free(c->ignore);
	llb_graph_free(c->graph);
	g_ptr_array_unref(c->tables);
	arena_free(c->arena);
	g_free(c);
}

GHashTable *convert_table(convert *c)
{
	GHashTable *t = g_hash_table_new(g_str_hash, g_str_equal);
	g_ptr_array_add(c->tables, t);
	return t;
}

bool convert_fail_at(convert *c, struct span span)
{
	struct span *at = arena_make(c->arena, struct span);
	*at = span;
	arena_push(c->arena, &c->where, at);
	return false;
}

bool convert_check_marshal(const convert *c, GError **error)
{
	return !c->marshal_error || error_set(error, ERROR_INVALID_ARGUMENT, "%s", c->marshal_error);
}

bool convert_spend(convert *c, size_t n, GError **error)
{
	return (c->work_left -= (int64_t)n) >= 0 ||
	       error_set(error, ERROR_RESOURCE_EXHAUSTED, "the Dockerfile needs more work than %lld units",
			 LIMIT_EXPANSION_WORK);
}

static int by_text(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

bool convert_has_cap(const char *cap)
{
	const char *const *caps = llb_caps(); /* sorted */
	return bsearch(cap, caps, g_strv_length((char **)caps), sizeof *caps, by_text) != NULL;
}

static bool configure_lint(convert *c, GError **error)
{
	struct directive check;
	if (c->options->check)
		return lint_configure(&c->lint, c->options->check, error);
	return !directive_find(c->arena, c->file->bytes, c->file->n, "check", &check) ||
	       lint_configure(&c->lint, check.value, error) || error_prefix(error, "failed to parse check options: ");
}

static bool sort_instruction(convert *c, const struct node *node, struct instruction *i, GError **error)
{
	if (i->kind == INSTRUCTION_FROM) {
		struct stage *s = arena_make(c->arena, struct stage);
		s->from = i;
		s->base_name = s->original_base = i->from.image;
		s->name = i->from.stage_name;
		s->span = i->span;
		arena_push(c->arena, &c->parsed, s);
		if (c->parsed.n > (size_t)LIMIT_STAGES)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "Dockerfile with more than %lld stages",
					 LIMIT_STAGES);
	} else if (c->parsed.n) {
		arena_push(c->arena, &vec_at(&c->parsed, struct stage *, c->parsed.n - 1)->instructions, i);
	} else if (i->kind == INSTRUCTION_ARG) {
		arena_push(c->arena, &c->meta_args, i);
	} else {
		error_set(error, ERROR_INVALID_ARGUMENT, "no build stage in current context");
		return convert_fail_at(c, node->span);
	}
	return true;
}

static bool understand(convert *c, GError **error)
{
	for (size_t n = 0; n < c->scan.nodes.n; n++) {
		const struct node *node = c->scan.nodes.items[n];
		struct instruction *i = instruction_parse(c->arena, node, &c->lint, error);
		if (!i) {
			g_prefix_error(error, "dockerfile parse error on line %d: ", node->span.first);
			return convert_fail_at(c, node->span);
		}
		if (!sort_instruction(c, node, i, error))
			return false;
	}
	return c->parsed.n || error_set(error, ERROR_INVALID_ARGUMENT, "dockerfile contains no stages to build");
}

bool convert_parse(convert *c, GError **error)
{
	struct span where;
	if (!c->file->n)
		return error_set(error, ERROR_INVALID_ARGUMENT, "the Dockerfile cannot be empty");
	if (!configure_lint(c, error))
		return false;
	if (!scan_file(c->arena, c->file->bytes, c->file->n, &c->scan, &where, error))
		return convert_fail_at(c, where);
	c->words = (struct words){.escape = c->scan.escape, .work = &c->work_left};
	for (size_t i = 0; i < c->scan.empty_continuation.n; i++)
		lint_report(&c->lint, NULL, LINT_NO_EMPTY_CONTINUATION,
			    *vec_at(&c->scan.empty_continuation, struct span *, i), "Empty continuation line");
	return understand(c, error);
}

/* Applies labels of the request and the forced platform to the final image config. */
static void finish_image(convert *c)
{
	struct image_config *image = c->target_stage->image;
	for (size_t i = 0; i < c->options->labels.n; i++) {
		const struct pair *label = c->options->labels.items[i];
		image_config_label_set(c->arena, image, label->key, label->value);
	}
	if (!c->implicit_target) {
		const struct platform *t = &c->target;
		bool same = image_config_fits(image, t);
		image->os = t->os;
		image->architecture = t->architecture;
		if (*t->variant || !same)
			image->variant = t->variant;
		if (*t->os_version || !same)
			image->os_version = t->os_version;
	}
	struct platform *p = image_config_platform(c->arena, image);
	platform_normalize(p);
	image->os = p->os;
	image->architecture = p->architecture;
	image->variant = p->variant;
}

bool convert_all(convert *c, GError **error)
{
	const char *const *ignored;
	struct llb_out files;
	GHashTable *needed;
	if (!convert_parse(c, error))
		return false;
	validate_stages(c);
	args_proxy(c);
	if (!args_global(c, error) || !epoch_resolve(c, error) || !stages_build(c, error) ||
	    !stages_find_target(c, error) || !stages_link(c, error) || !stages_resolve(c, &needed, error) ||
	    !context_ignore(c->context, &ignored, error) || (ignored && !(c->ignore = patterns_new(ignored, error))))
		return false;
	c->context_placeholder = llb_promise(c->graph);
	if (!convert_dispatch(c, needed, error) || !lint_finish(&c->lint, error))
		return false;
	finish_image(c);
	if (!context_main(c->context, c->graph, follow_paths(c, c->context_paths), &files, error))
		return false;
	llb_promise_set(c->graph, c->context_placeholder, files);
	named_contexts_finish(c);
	return true;
}
