/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "base/time.h"
#include "format/gotype.h"
#include <inttypes.h>
#include <string.h>

/* Replaces the argument by the number everywhere, or removes it. */
static bool epoch_set(convert *c, const char *value, GError **error)
{
	static const char key[] = "SOURCE_DATE_EPOCH";
	if (g_hash_table_contains(c->build_args, key)) {
		if (value)
			g_hash_table_replace(c->build_args, (char *)key, (char *)value);
		else
			g_hash_table_remove(c->build_args, key);
	}
	if (!env_get(c->globals, key))
		return true;
	if (value)
		return env_set(c->globals, key, value, error);
	env_unset(c->globals, key);
	return true;
}

bool epoch_resolve(convert *c, GError **error)
{
	const char *text = g_hash_table_lookup(c->build_args, "SOURCE_DATE_EPOCH");
	if (!text)
		text = env_get(c->globals, "SOURCE_DATE_EPOCH");
	if (!text || !*text)
		return epoch_set(c, NULL, error);
	if (!int_parse(text, 10, &c->epoch_s, NULL)) {
		bool known;
		if (!epoch_from_source(c, text, &known, error))
			return false;
		if (!known)
			return epoch_set(c, NULL, error);
	}
	if (c->epoch_s > G_MAXINT64 / NS_PER_S || c->epoch_s < G_MININT64 / NS_PER_S)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid SOURCE_DATE_EPOCH: %s", text);
	c->epoch = arena_take(c->arena, time_format_rfc3339(seconds_to_ns(c->epoch_s, 0)));
	return epoch_set(c, arena_printf(c->arena, "%" PRId64, c->epoch_s), error);
}
