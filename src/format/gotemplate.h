/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotemplate: renders the subset of Go's text/template used with --format, for a JSON value.
 *
 *	g_autofree char *text = gotemplate_render("{{range .}}{{.ID}} {{end}}", value, &error);
 *
 * Fields, index, range, if, with, else, pipelines, json, len, eq, ne, and, or, not, print, println, comments and trim
 * markers. A Go field name matches its JSON key ignoring case, '.' and '_'. Other features are ERROR_UNIMPLEMENTED. The
 * value is borrowed. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <jansson.h>

/*
 * A member of an object with fields for templates only: fields that the JSON text omits because they are zero, and
 * names of enumerated values. The json function, range and len ignore it.
 */
#define GOTEMPLATE_FIELDS "\x01"

char *gotemplate_render(const char *format, json_t *value, GError **error);
