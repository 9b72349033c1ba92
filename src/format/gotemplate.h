/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotemplate: the part of Go's text/template that people give to --format, over a JSON value.
 *
 *	g_autofree char *text = gotemplate_render("{{range .}}{{.ID}} {{end}}", value, &error);
 *
 * Fields, index, range, if, with, else, pipelines, json, len, eq, ne, and, or, not, print, println, comments and trim
 * markers. A Go field name finds its JSON key without regard to case, '.' and '_'. The rest is ERROR_UNIMPLEMENTED.
 * The value stays the caller's. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <jansson.h>

/*
 * A member of an object that holds what templates see beside or instead of its other members: fields that the JSON text
 * leaves out because they are zero, and names of enumerated values. The json function, range and len do not show it.
 */
#define GOTEMPLATE_FIELDS "\x01"

char *gotemplate_render(const char *format, json_t *value, GError **error);
