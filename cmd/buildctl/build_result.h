/* SPDX-License-Identifier: Apache-2.0 */
/* build_result: writes the results of buildctl build: metadata file, ref file, answer of a subrequest. Thread: main. */
#pragma once
#include "build_options.h"

/* Checks before the build that the files of build_result_write can be written. */
bool build_result_check(const flags *f, GError **error);
bool build_result_write(const flags *f, const struct build_options *o, const char *ref,
			const struct solve_result *result, GError **error);
