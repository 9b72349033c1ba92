/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv: parses one record with the quoting rules of Go's encoding/csv, as used by options (type=image,"name=a,b").
 *
 *	g_auto(GStrv) fields = csv_parse(text, error);
 *
 * Errors: INVALID_ARGUMENT with Go's texts ("parse error on line 1, column N: bare \" in non-quoted-field").
 * Thread: any.
 */
#pragma once
#include "base/error.h"

char **csv_parse(const char *text, GError **error);
/* Splits a field at the first '='; false if there is none. The caller owns both. */
bool csv_split(const char *field, char **ret_key, char **ret_value);
