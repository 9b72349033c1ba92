/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml: the YAML parser, loaded when the first CDI specification is read.
 *
 *	if (!libyaml_load(error)) return false;
 *	libyaml.parser_initialize(&parser);
 *
 * Thread: any; the functions are available after libyaml_load returned true.
 */
#pragma once
#include "os/library.h"
#include <yaml.h>

#define LIBYAML_CALLS(X)                                                                                               \
	X(document_delete)                                                                                             \
	X(document_get_node)                                                                                           \
	X(document_get_root_node)                                                                                      \
	X(event_delete)                                                                                                \
	X(parser_delete)                                                                                               \
	X(parser_initialize)                                                                                           \
	X(parser_load)                                                                                                 \
	X(parser_parse)                                                                                                \
	X(parser_set_input_string)

struct libyaml_calls {
#define X(name) typeof(yaml_##name) *name;
	LIBYAML_CALLS(X)
#undef X
};

extern struct libyaml_calls libyaml;

bool libyaml_load(GError **error);
