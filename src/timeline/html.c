/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/html.h"

void html_add(GString *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_markup_vprintf_escaped(format, args);
	va_end(args);
	g_string_append(out, text);
}
