/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/subrequest.h"

bool subrequest_answer(const char *id, context *x, const struct source_file *file, build_result **ret, GError **error)
{
	error_set(error, ERROR_UNIMPLEMENTED, "unsupported request %s", id);
	if (error && *error) {
		g_autofree char *json = g_strdup_printf("{\"name\":\"%s\"}", id);
		error_add_detail(*error, "errdefs.Subrequest", json);
	}
	return false;
}
