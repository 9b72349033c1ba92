/* SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"
#include "os/service.h"
#include "rpc/loop.h"

struct watchdog {
	rpc_loop *loop; /* borrowed */
	struct loop_timer timer;
	int64_t period_us;
};

static void ping(void *data)
{
	watchdog *w = data;
	service_notify("WATCHDOG=1");
	loop_timer_set(w->loop, &w->timer, g_get_monotonic_time() + w->period_us);
}

watchdog *watchdog_start(rpc_loop *loop)
{
	int64_t limit_us = service_watchdog_us();
	if (limit_us == 0)
		return NULL;
	watchdog *w = g_new0(watchdog, 1);
	*w = (watchdog){.loop = loop,
			.timer = {.fire = ping, .data = w},
			.period_us = limit_us / 2}; /* sd_watchdog_enabled(3) */
	loop_timer_set(loop, &w->timer, g_get_monotonic_time());
	return w;
}

void watchdog_free(watchdog *w)
{
	g_free(w);
}
