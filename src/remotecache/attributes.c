/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/attributes.h"
#include "format/gotype.h"

const char *attribute(GHashTable *attrs, const char *key)
{
	const char *value = g_hash_table_lookup(attrs, key);
	return value ? value : "";
}

bool attribute_bool(GHashTable *attrs, const char *key, bool fallback, bool *ret, GError **error)
{
	const char *value = g_hash_table_lookup(attrs, key);
	*ret = fallback;
	return !value || bool_parse(value, ret, error) || error_prefix(error, "failed to parse %s: ", key);
}

bool attribute_compression(GHashTable *attrs, struct compression_attributes *ret, GError **error)
{
	*ret = (struct compression_attributes){.compression = COMPRESSION_GZIP, .level = -1};
	const char *type = g_hash_table_lookup(attrs, "compression");
	if (type && !compression_parse(type, &ret->compression, error))
		return false;
	const char *force = attribute(attrs, "force-compression");
	ret->force = g_hash_table_contains(attrs, "force-compression");
	if (*force && !bool_parse(force, &ret->force, error))
		return error_prefix(error, "non-bool value %s specified for force-compression: ", force);
	const char *text = g_hash_table_lookup(attrs, "compression-level");
	int64_t level;
	if (!text)
		return true;
	if (!int_parse(text, 10, &level, error))
		return error_prefix(error, "non-integer value %s specified for compression-level: ", text);
	ret->level = (int)CLAMP(level, -1, 1000);
	return true;
}

reference *attribute_ref(GHashTable *attrs, GError **error)
{
	const char *text = attribute(attrs, "ref");
	if (!*text)
		return error_null(error, ERROR_INVALID_ARGUMENT, "missing ref");
	g_autoptr(reference) ref = reference_parse_normalized(text, error);
	if (!ref)
		return NULL;
	reference_tag_default(ref);
	return g_steal_pointer(&ref);
}
