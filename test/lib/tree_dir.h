/* SPDX-License-Identifier: Apache-2.0 */
/* tree_dir: a temporary directory filled from lines: "ADD x dir", "ADD x file TEXT", "ADD x symlink TO", "ADD x link
 * FROM". */
#pragma once
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "base/scope.h"
#include "os/tree.h"

char *tree_dir_new(int *ret_fd);
void tree_dir_free(char *path, int fd);
void tree_dir_write(int fd, const char *name, const char *text);
char *tree_dir_read(int fd, const char *name);
void tree_dir_fill(int fd, const char *const *lines);
