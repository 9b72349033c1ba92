/* SPDX-License-Identifier: Apache-2.0 */
/*
 * excerpt: prints the source lines that an error refers to, in the format of upstream's clients.
 *
 *	excerpt_print_all(out, error);       prints every errdefs.Source detail of the error
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

void excerpt_print_all(GString *out, const GError *error);
