/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_process: pages of the debug address about the process: threads, memory, descriptors.
 *
 *	debug_process_threads(out);
 *
 * Thread: any.
 */
#pragma once
#include <glib.h>

/* Of each thread: name, state, CPU time, the system call that it waits in, and its stack in the kernel. */
void debug_process_threads(GString *out);
/* What malloc has, and the mappings as the kernel counts them. */
void debug_process_memory(GString *out);
/* Each open descriptor and its file. */
void debug_process_files(GString *out);
