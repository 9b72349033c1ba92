/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptor: reads and writes JSON members that all documents of this module share.
 *
 *	if (!oci_read_string(json, "mediaType", &text, error)) return false;
 *
 * Absent, null and empty members are all NULL. Thread: any.
 */
#pragma once
#include "oci/oci.h"

bool oci_read_string(const json_t *object, const char *key, char **ret, GError **error);
bool oci_read_annotations(const json_t *object, GHashTable **ret, GError **error);
