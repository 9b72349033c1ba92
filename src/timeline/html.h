/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html: writes markup with escaped arguments. Internal to timeline/.
 *
 *	html_add(out, "<td title=\"%s\">%s</td>", name, name);
 *
 * Pure. Thread: any.
 */
#pragma once
#include <glib.h>

/* The arguments of %s are escaped for elements and quoted attributes; the format is not. */
void html_add(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);
