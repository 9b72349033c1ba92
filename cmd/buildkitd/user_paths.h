/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_paths: default paths of a daemon that an ordinary user runs (XDG base directories), as upstream chooses them.
 *
 *	if (user_paths_wanted()) { g_autofree char *root = user_paths_root(); ... }
 *
 * Of a variable with several directories (a:b) the first is used. Results are owned by the caller. Thread: any.
 */
#pragma once
#include "base/error.h"

/* Reports whether the daemon runs in a user namespace for a user other than root: by the environment variable USER. */
bool user_paths_wanted(void);
char *user_paths_root(void);       /* $XDG_DATA_HOME/buildkit, ~/.local/share/buildkit */
char *user_paths_config_dir(void); /* $XDG_CONFIG_HOME/buildkit, ~/.config/buildkit */
char *user_paths_address(void);    /* unix://$XDG_RUNTIME_DIR/buildkit/buildkitd.sock */
/* Creates the directory of the socket, with the sticky bit: files with it are not removed as outdated. */
bool user_paths_make_runtime_dir(GError **error);
