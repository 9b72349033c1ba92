/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve: a file that reserves disk space, which is released so that the daemon can start when the disk is full.
 *
 *	reserve_release_when_full(root_fd);      before a database is opened
 *	reserve_make(root_fd);                   once everything runs
 *
 * The file is LIMIT_DISK_RESERVE_BYTES long, less on a small disk; on tmpfs it is not created. Thread: main.
 */
#pragma once

void reserve_release_when_full(int root_fd);
/* Creates the file; failures are ignored. */
void reserve_make(int root_fd);
