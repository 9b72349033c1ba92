/* SPDX-License-Identifier: Apache-2.0 */
#include "os/service.h"
#include "base/time.h"
#include "worker/worker.h"

#define GB 1000000000LL
#define HOUR_NS (3600 * NS_PER_S)

/* Rounds a share of the disk as upstream: whole GiB plus one, counted as GB. */
static int64_t disk_share(int64_t total, int64_t percent)
{
	return (total / 100 * percent / (1LL << 30) + 1) * GB;
}

static int64_t chosen(int64_t given, int64_t computed)
{
	return given >= 0 ? given : computed;
}

struct gc_rule *gc_rules_default(int dir_fd, int64_t reserved, int64_t max_used, int64_t min_free, size_t *ret_n)
{
	int64_t total = 0, free_bytes = 0;
	bool known = disk_space(dir_fd, &total, &free_bytes, NULL) && total > 0;
	reserved = chosen(reserved, known ? MIN(disk_share(total, 10), 10 * GB) : 2 * GB);
	min_free = chosen(min_free, known ? disk_share(total, 20) : 2 * GB);
	max_used = chosen(max_used, known ? MIN(disk_share(total, 80), 100 * GB) : 2 * GB);
	struct gc_rule *rules = g_new0(struct gc_rule, 4);
	static const char *const transient[] = {"type==source.local", "type==exec.cachemount",
						"type==source.git.checkout", NULL};
	rules[0].filters = g_strdupv((char **)transient);
	rules[0].keep_duration_ns = 48 * HOUR_NS;
	rules[0].max_used_bytes = 512 * 1000000LL;
	rules[1].keep_duration_ns = 60 * 24 * HOUR_NS;
	rules[3].all = true;
	for (size_t i = 1; i < 4; i++) {
		rules[i].reserved_bytes = reserved;
		rules[i].max_used_bytes = max_used;
		rules[i].min_free_bytes = min_free;
	}
	*ret_n = 4;
	return rules;
}

void gc_rules_free(struct gc_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g_strfreev(rules[i].filters);
	g_free(rules);
}

bool worker_gc(worker *w, cancel *c, GError **error)
{
	g_autofree struct cache_prune_options *rules = g_new0(struct cache_prune_options, w->n_gc);
	for (size_t i = 0; i < w->n_gc; i++)
		rules[i] = (struct cache_prune_options){
			.filters = (const char *const *)w->gc[i].filters,
			.all = w->gc[i].all,
			.keep_duration_ns = w->gc[i].keep_duration_ns,
			.reserved_bytes = w->gc[i].reserved_bytes,
			.max_used_bytes = w->gc[i].max_used_bytes,
			.min_free_bytes = w->gc[i].min_free_bytes,
		};
	return cache_collect(w->cache, rules, w->n_gc, c, error);
}
