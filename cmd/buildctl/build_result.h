/* SPDX-License-Identifier: Apache-2.0 */
/* build_result: what buildctl build leaves behind: metadata and ref files, the answer of a subrequest. Thread: main. */
#pragma once
#include "build_options.h"

/* Whether the files that build_result_write writes can be written; before the build. */
bool build_result_check(const flags *f, GError **error);
bool build_result_write(const flags *f, const struct build_options *o, const char *ref,
			const struct solve_result *result, GError **error);
