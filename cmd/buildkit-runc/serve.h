/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: the entry point for the daemon. One runner serves one daemon: it clones a process for each requested step,
 * waits for its end and reports it. The step reads its plan (runner/plan.h) from its own socket.
 *
 *	buildkit-runc serve SOCKET_FD INSTANCE PARENT
 *
 * When the daemon closes the socket, all steps are killed and their cgroups removed. Steps also die with this process.
 */
#pragma once

int serve(int argc, char **argv);
