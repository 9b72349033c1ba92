/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog: tells a service manager that asked for it (WatchdogSec=) that the I/O thread still turns.
 *
 *	watchdog *w = watchdog_start(loop);      NULL: nobody asked
 *	... rpc_loop_free(loop); watchdog_free(w);
 *
 * Thread: main; the pings come from the loop's thread.
 */
#pragma once
#include "rpc/rpc.h"

typedef struct watchdog watchdog;

watchdog *watchdog_start(rpc_loop *loop);
void watchdog_free(watchdog *w); /* after its loop */
