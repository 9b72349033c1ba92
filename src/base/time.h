/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time: units of time, and nanoseconds since 1970 as struct timespec.
 *
 *	int64_t mtime_ns = timespec_to_ns(&st.st_mtim);
 *	struct timespec t = timespec_from_ns(mtime_ns);
 *
 * For microseconds use GLib's G_USEC_PER_SEC. Thread: any.
 */
#pragma once
#include <stdint.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

/* seconds and a rest of nanoseconds; the nearest time that can be represented if they are too large. */
static inline int64_t seconds_to_ns(int64_t seconds, int64_t rest_ns)
{
	int64_t ns;
	if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) || __builtin_add_overflow(ns, rest_ns, &ns))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

/* tv_nsec is 0 to 999,999,999 before 1970, too. */
static inline struct timespec timespec_from_ns(int64_t ns)
{
	int64_t rest = ns % NS_PER_S;
	return (struct timespec){.tv_sec = ns / NS_PER_S - (rest < 0), .tv_nsec = rest + (rest < 0 ? NS_PER_S : 0)};
}

static inline int64_t timespec_to_ns(const struct timespec *t)
{
	return t->tv_sec * NS_PER_S + t->tv_nsec;
}
