/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_env: JSON files of a directory with which the administrator extends the provenance of all builds.
 *
 *	json_t *env = provenance_env_load("/etc/buildkit/provenance.d", error);     json_decref
 *
 * The objects of all *.json files are merged in the order of their names; later members replace earlier ones. If the
 * directory does not exist, the object is empty. Errors name the file; a member with the name of a provenance field is
 * an error. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "format/json_writer.h"

json_t *provenance_env_load(const char *directory, GError **error);
/*
 * Writes those unwritten members whose keys sort before `key` (*at counts the written ones; key NULL: all remaining
 * ones). The caller writes its members in sorted order and calls this before each.
 */
void provenance_env_write(json_writer *w, const json_t *env, size_t *at, const char *key);
