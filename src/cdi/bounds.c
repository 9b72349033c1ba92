/* SPDX-License-Identifier: Apache-2.0 */
#include "cdi/bounds.h"
#include "base/limits.h"
#include "cdi/libyaml.h"

struct totals {
	int depth, anchors;
};

static bool has_anchor(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.anchor != NULL;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return event->data.sequence_start.anchor != NULL;
	return event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor != NULL;
}

static bool add_event(struct totals *t, const yaml_event_t *event, GError **error)
{
	size_t line = event->start_mark.line + 1;
	t->depth += event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
	t->depth -= event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT;
	t->anchors += has_anchor(event);
	if (t->depth > LIMIT_CDI_LEVELS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "line %zu: more than %lld levels", line,
				 LIMIT_CDI_LEVELS);
	return t->anchors <= LIMIT_CDI_ANCHORS ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "line %zu: more than %lld anchors", line, LIMIT_CDI_ANCHORS);
}

/* Only the first document is used. */
static bool check(yaml_parser_t *parser, GError **error)
{
	struct totals totals = {0};
	yaml_event_t event;
	for (bool end = false; !end;) {
		if (!libyaml.parser_parse(parser, &event))
			return error_set(error, ERROR_INVALID_ARGUMENT, "line %zu: %s", parser->problem_mark.line + 1,
					 parser->problem ? parser->problem : "invalid YAML");
		end = event.type == YAML_DOCUMENT_END_EVENT || event.type == YAML_STREAM_END_EVENT;
		bool ok = add_event(&totals, &event, error);
		libyaml.event_delete(&event);
		if (!ok)
			return false;
	}
	return true;
}

bool cdi_bounds_check(const void *bytes, size_t n, GError **error)
{
	yaml_parser_t parser;
	if (!libyaml.parser_initialize(&parser))
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "cannot allocate memory");
	libyaml.parser_set_input_string(&parser, bytes, n);
	bool ok = check(&parser, error);
	libyaml.parser_delete(&parser);
	return ok;
}
