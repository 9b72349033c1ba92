/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve: a file that keeps disk space for the start of the daemon when the disk is full.
 *
 *	reserve_release_when_full(root_fd);      before a database is opened
 *	reserve_make(root_fd);                   once everything runs
 *
 * The file has LIMIT_DISK_RESERVE_BYTES, less on a small disk; there is none on tmpfs. Thread: main.
 */
#pragma once

void reserve_release_when_full(int root_fd);
/* Creates the file; failures are ignored. */
void reserve_make(int root_fd);
