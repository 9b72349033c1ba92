/* SPDX-License-Identifier: Apache-2.0 */
#include "progress/log_file.h"
#include <string.h>

void log_file_append(GByteArray *file, GBytes *message)
{
	gsize n;
	const uint8_t *bytes = g_bytes_get_data(message, &n);
	guint32 length = GUINT32_TO_LE((guint32)n);
	g_byte_array_append(file, (const guint8 *)&length, sizeof length);
	g_byte_array_append(file, bytes, (guint)n);
}

bool log_file_next(GBytes *file, size_t *at, const uint8_t **ret, size_t *ret_n, GError **error)
{
	gsize n;
	const uint8_t *bytes = g_bytes_get_data(file, &n);
	guint32 length;
	if (n - *at < sizeof length)
		return false;
	memcpy(&length, bytes + *at, sizeof length);
	length = GUINT32_FROM_LE(length);
	if (length > n - *at - sizeof length)
		return error_set(error, ERROR_DATA_LOSS, "truncated");
	*ret = bytes + *at + sizeof length;
	*ret_n = length;
	*at += sizeof length + length;
	return true;
}
