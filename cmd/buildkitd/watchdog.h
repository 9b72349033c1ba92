/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog: notifies the service manager (WatchdogSec=) while the I/O thread's loop runs.
 *
 *	watchdog *w = watchdog_start(loop);      NULL: no watchdog requested
 *	... rpc_loop_free(loop); watchdog_free(w);
 *
 * Thread: main; the notifications are sent on the loop's thread.
 */
#pragma once
#include "rpc/rpc.h"

typedef struct watchdog watchdog;

watchdog *watchdog_start(rpc_loop *loop);
void watchdog_free(watchdog *w); /* Call after its loop is freed. */
