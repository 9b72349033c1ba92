/* SPDX-License-Identifier: Apache-2.0 */
/* format: what --format of a command prints: the template over a JSON document, and a newline. Thread: main. */
#pragma once
#include "base/error.h"

bool print_formatted(const char *format, const char *json, GError **error);
