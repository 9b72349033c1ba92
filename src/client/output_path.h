/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output_path: whether a file or directory that is written after the build can be written, asked before it.
 *
 *	if (!output_path_check("metadata-file", path, OUTPUT_PATH_FILE, error)) return false;
 *
 * Nothing is made or changed. Errors name the option and the path. Thread: any.
 */
#pragma once
#include "base/error.h"

enum output_path_kind { OUTPUT_PATH_FILE, OUTPUT_PATH_DIRECTORY /* made with its parents when absent */ };
bool output_path_check(const char *option, const char *path, enum output_path_kind kind, GError **error);
