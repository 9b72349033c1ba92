/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: reads text and writes to file descriptors. For copies and attributes of files see os/tree.h.
 *
 *	if (!file_write_all(fd, bytes, n))
 *		return error_set_errno(error, errno, "write %s", name);
 *
 * Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stddef.h>
#include <sys/types.h>

/* Opens a text file to read, but no symbolic link. NULL with errno; fclose. */
FILE *file_open_text_at(int dir_fd, const char *name);
/* Writes all n bytes, also after short writes and interruptions. False with errno. Blocks if the descriptor does. */
bool file_write_all(int fd, const void *bytes, size_t n);
/* The same at an offset of the file; its position stays. */
bool file_write_all_at(int fd, const void *bytes, size_t n, off_t offset);
