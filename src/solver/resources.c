/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/resources.h"
#include "api/guard.h"
#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define CPU_MAX 4096

/* 0 is unlimited. */
static int64_t relax_memory(int64_t a, int64_t b)
{
	return a == 0 || b == 0 ? 0 : MAX(a, b);
}

/* 0 is unset, -1 unlimited. */
static int64_t relax_swap(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a == 0 ? b : a;
	return a == -1 || b == -1 ? -1 : MAX(a, b);
}

/*
 * Returns the pair that allows more time; of equal ones the shorter period. Quota 0 is unlimited. Pairs are never
 * mixed.
 */
static bool bandwidth_is_wider(const Pb__LinuxResources *a, const Pb__LinuxResources *b)
{
	if (a->cpuquota == 0 || b->cpuquota == 0)
		return a->cpuquota == 0;
	if (a->cpuperiod != 0 && b->cpuperiod != 0) {
		long double x = (long double)a->cpuquota * (long double)b->cpuperiod;
		long double y = (long double)b->cpuquota * (long double)a->cpuperiod;
		return x != y ? x > y : a->cpuperiod <= b->cpuperiod;
	}
	return a->cpuquota != b->cpuquota ? a->cpuquota > b->cpuquota : a->cpuperiod != 0;
}

static bool number_parse(const char **text, unsigned *ret)
{
	const char *start = *text;
	unsigned long value = 0;
	while (g_ascii_isdigit(**text) && value < CPU_MAX)
		value = value * 10 + (unsigned long)(*(*text)++ - '0');
	*ret = (unsigned)value;
	return *text > start && value < CPU_MAX;
}

/* "0-3,7" */
static bool cpuset_parse(const char *text, bool *set)
{
	for (;;) {
		unsigned first, last;
		if (!number_parse(&text, &first))
			return false;
		last = first;
		if (*text == '-') {
			text++;
			if (!number_parse(&text, &last) || last < first)
				return false;
		}
		for (unsigned i = first; i <= last; i++)
			set[i] = true;
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			return false;
	}
}

static char *cpuset_format(const bool *set)
{
	GString *s = g_string_new(NULL);
	for (unsigned i = 0; i < CPU_MAX; i++) {
		if (!set[i])
			continue;
		unsigned last = i;
		while (last + 1 < CPU_MAX && set[last + 1])
			last++;
		g_string_append_printf(s, "%s%u", s->len > 0 ? "," : "", i);
		if (last > i)
			g_string_append_printf(s, "-%u", last);
		i = last;
	}
	return g_string_free(s, FALSE);
}

/* Empty means all; otherwise the union of both. An invalid list is replaced by the other one. */
static char *relax_cpuset(const char *a, const char *b)
{
	if (!*a || !*b)
		return g_strdup("");
	g_autofree bool *x = g_new0(bool, CPU_MAX), *y = g_new0(bool, CPU_MAX);
	bool a_ok = cpuset_parse(a, x), b_ok = cpuset_parse(b, y);
	if (!a_ok || !b_ok)
		return g_strdup(b_ok ? b : a);
	for (unsigned i = 0; i < CPU_MAX; i++)
		x[i] |= y[i];
	return cpuset_format(x);
}

Pb__LinuxResources *resources_relax(const Pb__LinuxResources *a, const Pb__LinuxResources *b)
{
	if (!a)
		return message_copy(b);
	const Pb__LinuxResources *wider = bandwidth_is_wider(a, b) ? a : b;
	g_autofree char *cpus = relax_cpuset(a->cpusetcpus, b->cpusetcpus);
	g_autofree char *mems = relax_cpuset(a->cpusetmems, b->cpusetmems);
	Pb__LinuxResources merged = PB__LINUX_RESOURCES__INIT;
	merged.memory = relax_memory(a->memory, b->memory);
	merged.memoryswap = relax_swap(a->memoryswap, b->memoryswap);
	merged.cpushares =
		a->cpushares == 0 || b->cpushares == 0 ? a->cpushares + b->cpushares : MAX(a->cpushares, b->cpushares);
	merged.cpuperiod = a->cpuquota == 0 && b->cpuquota == 0 ? 0 : wider->cpuperiod;
	merged.cpuquota = wider->cpuquota;
	merged.cpusetcpus = cpus;
	merged.cpusetmems = mems;
	return message_copy(&merged);
}
