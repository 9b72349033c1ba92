/* SPDX-License-Identifier: Apache-2.0 */
#include "drain.h"
#include "base/log.h"
#include "base/time.h"
#include "os/service.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#define WAKE_SIGNAL SIGUSR1 /* sent to the waiting thread when a build ends */
#define LINGER_MS 3000
#define STOP_US (20 * G_USEC_PER_SEC) /* for the service manager: the time of the stop itself */

/* Runs with a lock of the builder held. */
static void wake(void *data)
{
	pthread_kill(*(const pthread_t *)data, WAKE_SIGNAL);
}

/* False: time is up, or another signal was received. */
static bool wait_builds(builder *b, const sigset_t *set, gint64 until_us)
{
	while (builder_running(b) > 0) {
		gint64 left_us = MAX(until_us - g_get_monotonic_time(), 0);
		struct timespec left = {left_us / G_USEC_PER_SEC, left_us % G_USEC_PER_SEC * 1000};
		int got = sigtimedwait(set, NULL, &left);
		if (got == WAKE_SIGNAL || (got < 0 && errno == EINTR))
			continue;
		log_warn("%zu running builds are cancelled: %s", builder_running(b),
			 got > 0 ? "another signal was received" : "the drain timeout is over");
		return false;
	}
	return true;
}

void drain_builds(builder *b, rpc_server *s, int64_t timeout_ns)
{
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, WAKE_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	pthread_t self = pthread_self();
	guint watch = builder_watch(b, wake, &self);
	gint64 timeout_us = timeout_ns / 1000;
	g_autofree char *extend =
		g_strdup_printf("EXTEND_TIMEOUT_USEC=%" G_GINT64_FORMAT, timeout_us + (gint64)STOP_US);
	service_notify(extend);
	rpc_server_set_serving(s, false);
	builder_drain(b);
	size_t running = builder_running(b);
	if (running > 0)
		log_info("waiting for %zu running builds", running);
	if (wait_builds(b, &set, g_get_monotonic_time() + timeout_us) && running > 0)
		rpc_server_wait_disconnected(s, LINGER_MS);
	builder_unwatch(b, watch);
	/* Takes a signal of a build that ended last. */
	const struct timespec now = {0};
	sigset_t woken;
	sigemptyset(&woken);
	sigaddset(&woken, WAKE_SIGNAL);
	sigtimedwait(&woken, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
