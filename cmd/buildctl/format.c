/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"
#include "command.h"
#include "format/gotemplate.h"

bool print_formatted(const char *format, const char *json, GError **error)
{
	json_error_t problem;
	json_t *value = json_loads(json, JSON_ALLOW_NUL, &problem);
	if (!value)
		return error_set(error, ERROR_INTERNAL, "json: %s", problem.text);
	g_autofree char *text = gotemplate_render(format, value, error);
	json_decref(value);
	g_autofree char *line = text ? g_strconcat(text, "\n", NULL) : NULL;
	return line && print_text(line, error);
}
