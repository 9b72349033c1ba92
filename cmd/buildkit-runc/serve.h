/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve: the daemon's own door. One runner serves one daemon: it clones a process for each step asked for, which then
 * reads its plan from the step's own socket (runner/plan.h), waits for its end and tells it.
 *
 *	buildkit-runc serve SOCKET_FD INSTANCE PARENT
 *
 * When the daemon hangs up, all steps are killed and their cgroups removed. Should this process die, they die too.
 */
#pragma once

int serve(int argc, char **argv);
