/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_keys: warns about unknown keys of the configuration file and suggests the nearest known key.
 *
 *	config_keys_check(toml_root(t), path, warnings);
 *
 * Thread: main.
 */
#pragma once
#include "format/toml.h"

/*
 * Appends a line (char *) for each unknown key to warnings. After a maximum number of lines, a last one says that there
 * are more.
 */
void config_keys_check(const struct toml_value *root, const char *path, GPtrArray *warnings);
