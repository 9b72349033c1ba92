/* SPDX-License-Identifier: Apache-2.0 */
#include "base/inherit.h"

static _Thread_local inherited *current;

inherited *inherited_ref(inherited *object)
{
	if (object)
		g_atomic_int_inc(&object->refs);
	return object;
}

void inherited_unref(inherited *object)
{
	if (object && g_atomic_int_dec_and_test(&object->refs))
		object->free(object);
}

inherited *inherit_get(void)
{
	return current;
}

inherited *inherit_replace(inherited *object)
{
	inherited *before = current;
	current = object;
	return before;
}
