/* SPDX-License-Identifier: Apache-2.0 */
/* SOURCE_DATE_EPOCH as the name of a source: the main context, a named context, or a stage that only downloads. */
#include "frontend/dockerfile/convert.h"
#include <string.h>

bool epoch_from_source(convert *c, const char *name, bool *ret_known, GError **error)
{
	const char *const *attrs;
	*ret_known = false;
	if (strcmp(name, "context") == 0 && !context_main_source(c->x, &attrs))
		return true;
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid SOURCE_DATE_EPOCH: %s", name);
}
