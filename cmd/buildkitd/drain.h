/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drain: lets running builds end before the daemon stops.
 *
 *	drain_builds(b, server, timeout_ns);
 *
 * Thread: main, with SIGTERM and SIGINT blocked.
 */
#pragma once
#include "builder/build.h"
#include "rpc/rpc.h"

/*
 * Refuses further builds, reports NOT_SERVING in the health service, and returns when no build runs, after timeout_ns,
 * or at the next SIGTERM or SIGINT, which it takes. Clients of builds that ended have up to 3 s to read the history.
 */
void drain_builds(builder *b, rpc_server *s, int64_t timeout_ns);
