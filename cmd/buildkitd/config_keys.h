/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_keys: keys of the configuration file that nothing reads, each as a warning with the nearest known key.
 *
 *	config_keys_check(toml_root(t), path, warnings);
 *
 * Thread: main.
 */
#pragma once
#include "format/toml.h"

/* Adds a line (char *) to warnings for each unknown key; at most some, then one that says so. */
void config_keys_check(const struct toml_value *root, const char *path, GPtrArray *warnings);
