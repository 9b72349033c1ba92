/* SPDX-License-Identifier: Apache-2.0 */
/*
 * excerpt: the lines of a source file that an error is about, as upstream's clients print them.
 *
 *	excerpt_print_all(out, error);       every errdefs.Source detail of the error
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

void excerpt_print_all(GString *out, const GError *error);
/* name:line, then the marked lines with two around them. ranges: pairs of first and last line. */
void excerpt_print(GString *out, const char *name, const char *bytes, size_t n, const int (*ranges)[2],
		   size_t n_ranges);
