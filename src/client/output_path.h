/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output_path: checks before the build that an output file or directory can be written after it.
 *
 *	if (!output_path_check("metadata-file", path, OUTPUT_PATH_FILE, error)) return false;
 *
 * Creates and changes nothing. Errors name the option and the path. Thread: any.
 */
#pragma once
#include "base/error.h"

enum output_path_kind { OUTPUT_PATH_FILE, OUTPUT_PATH_DIRECTORY /* created with its parents if missing */ };
bool output_path_check(const char *option, const char *path, enum output_path_kind kind, GError **error);
