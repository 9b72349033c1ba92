/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_env: what the administrator adds to the provenance of all builds: the JSON files of a directory.
 *
 *	json_t *env = provenance_env_load("/etc/buildkit/provenance.d", error);     json_decref
 *
 * The objects of all *.json files, in the order of their names, are one; later members replace earlier ones. A directory
 * that does not exist gives an empty object. Errors name the file; members that provenance has itself are one.
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include "format/json_writer.h"

json_t *provenance_env_load(const char *directory, GError **error);
/*
 * Writes the members whose keys come before `key` and were not written yet (*at counts them; NULL: all that are left). Keys
 * are sorted, so that they take their places between the members of an object that is written in order.
 */
void provenance_env_write(json_writer *w, const json_t *env, size_t *at, const char *key);
