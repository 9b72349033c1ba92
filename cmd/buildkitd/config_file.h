/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_file: reads buildkitd.toml into struct config by the option table. Functions beside the table read registries and GC
 * policies. Thread: main.
 */
#pragma once
#include "config.h"
#include "options.h"

/* A missing file is no error. Errors: "FILE:LINE:COLUMN: KEY: ...". */
bool config_file_load(struct config *config, const char *path, GError **error);

/* Shared with config.c. */
void *option_member(void *base, const struct option *option);
bool option_set_text(void *base, const struct option *option, const char *text, GError **error);
