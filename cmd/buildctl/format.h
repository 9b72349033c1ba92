/* SPDX-License-Identifier: Apache-2.0 */
/* format: prints a JSON document through the Go template of --format, followed by a newline. Thread: main. */
#pragma once
#include "base/error.h"

bool print_formatted(const char *format, const char *json, GError **error);
