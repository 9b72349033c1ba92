/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve: room on the disk that only we can give up, so that a start finds some when everything else is full.
 *
 *	reserve_release_when_full(root_fd);      before a database is opened
 *	reserve_make(root_fd);                   once everything runs
 *
 * A file of LIMIT_DISK_RESERVE_BYTES, less on a small disk, none in memory. Thread: main.
 */
#pragma once

void reserve_release_when_full(int root_fd);
/* What cannot be had is done without. */
void reserve_make(int root_fd);
