/* SPDX-License-Identifier: Apache-2.0 */
#include "format/compress.h"
#include <glib.h>

static const struct {
	const char *name;
	enum compression type;
} compressions[] = {
	{"uncompressed", COMPRESSION_NONE},
	{"gzip", COMPRESSION_GZIP},
	{"estargz", COMPRESSION_ESTARGZ},
	{"zstd", COMPRESSION_ZSTD},
};

const char *compression_name(enum compression type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(compressions); i++)
		if (compressions[i].type == type)
			return compressions[i].name;
	return "";
}

bool compression_parse(const char *text, enum compression *ret, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(compressions); i++) {
		if (g_str_equal(compressions[i].name, text)) {
			*ret = compressions[i].type;
			return true;
		}
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported compression type %s", text);
}
