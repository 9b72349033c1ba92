/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/plan.h"
#include <errno.h>
#include <glib.h>
#include <string.h>

static const char *args[] = {"/bin/sh", "-c", "true", NULL}, *env[] = {"A=1", "B=", NULL}, *masked[] = {"/proc/kcore"};

static struct plan sample(void)
{
	static struct plan_mount mounts[2] = {
		{.kind = PLAN_MOUNT_TYPE,
		 .fd = PLAN_NO_FD,
		 .user_fd = PLAN_NO_FD,
		 .dest = "/proc",
		 .type = "proc",
		 .source = "proc",
		 .set = 14},
		{.kind = PLAN_MOUNT_FILE,
		 .fd = PLAN_NO_FD,
		 .user_fd = PLAN_NO_FD,
		 .dest = "/etc/hosts",
		 .bytes = {"a\0b", 3}},
	};
	static struct plan_device devices[1] = {{"/dev/fuse", 0020000, 10, 229, 0666, 1, 2}};
	static struct plan_device_rule rules[1] = {{1, 'c', 10, -1, PLAN_ACCESS_READ}};
	static struct plan_limit limits[1] = {{7, 100, UINT64_MAX}};
	static uint32_t groups[] = {0, 50};
	static struct plan_setting sysctls[1] = {{"net.x", "1"}};
	static struct plan_join joins[1] = {{0x40000000, 1}};
	struct plan p;
	plan_init(&p);
	p.args = (struct plan_strings){args, 3};
	p.env = (struct plan_strings){env, 2};
	p.cwd = "/";
	p.uid = 5;
	p.groups = groups;
	p.n_groups = 2;
	p.mounts = mounts;
	p.n_mounts = 2;
	p.devices = devices;
	p.n_devices = 1;
	p.resources.devices = rules;
	p.resources.n_devices = 1;
	p.resources.memory = 1 << 20;
	p.limits = limits;
	p.n_limits = 1;
	p.sysctls = sysctls;
	p.n_sysctls = 1;
	p.joins = joins;
	p.n_joins = 1;
	p.masked = (struct plan_strings){masked, 1};
	p.root_fd = 0;
	return p;
}

static void *encode(struct plan *p, size_t *ret_n)
{
	struct plan_codec c;
	plan_codec_init_write(&c, NULL, 0);
	g_assert_cmpint(plan_encode(&c, p), ==, 0);
	size_t n = c.used;
	void *bytes = g_malloc(n);
	plan_codec_init_write(&c, bytes, n);
	g_assert_cmpint(plan_encode(&c, p), ==, 0);
	g_assert_cmpuint(c.used, ==, n);
	*ret_n = n;
	return bytes;
}

static int decode(const void *bytes, size_t n, void *arena, uint32_t n_fds, struct plan *ret)
{
	return plan_decode(bytes, n, arena, plan_arena_size(n), n_fds, ret);
}

static void test_round_trip(void)
{
	struct plan p = sample(), q;
	size_t n;
	g_autofree void *bytes = encode(&p, &n);
	g_autofree void *arena = g_malloc(plan_arena_size(n));
	g_assert_cmpint(decode(bytes, n, arena, 2, &q), ==, 0);
	g_assert_cmpuint(q.args.n, ==, 3);
	g_assert_cmpstr(q.args.list[2], ==, "true");
	g_assert_null(q.args.list[3]);
	g_assert_null(q.env.list[2]);
	g_assert_cmpuint(q.uid, ==, 5);
	g_assert_cmpuint(q.umask, ==, UINT32_MAX);
	g_assert_cmpuint(q.groups[1], ==, 50);
	g_assert_cmpstr(q.mounts[0].type, ==, "proc");
	g_assert_cmpuint(q.mounts[0].set, ==, 14);
	g_assert_cmpmem(q.mounts[1].bytes.ptr, q.mounts[1].bytes.len, "a\0b", 3);
	g_assert_cmpstr(q.devices[0].path, ==, "/dev/fuse");
	g_assert_cmpint(q.resources.devices[0].minor, ==, -1);
	g_assert_cmpint(q.resources.memory, ==, 1 << 20);
	g_assert_true(q.resources.memory_swap == PLAN_UNSET);
	g_assert_true(q.limits[0].hard == UINT64_MAX);
	g_assert_cmpstr(q.sysctls[0].value, ==, "1");
	g_assert_cmpuint(q.joins[0].fd, ==, 1);
	g_assert_cmpstr(q.masked.list[0], ==, "/proc/kcore");
	g_assert_cmpstr(q.hostname, ==, "");
}

/* Each truncation is an error, never a plan and never a read beyond the end. */
static void test_cut(void)
{
	struct plan p = sample(), q;
	size_t n;
	g_autofree void *bytes = encode(&p, &n);
	for (size_t cut = 0; cut < n; cut++) {
		g_autofree void *exact = g_memdup2(bytes, cut);
		g_autofree void *arena = g_malloc(plan_arena_size(cut));
		g_assert_cmpint(decode(exact, cut, arena, 2, &q), <, 0);
	}
	g_autofree char *longer = g_malloc0(n + 1);
	g_autofree void *arena = g_malloc(plan_arena_size(n + 1));
	memcpy(longer, bytes, n);
	g_assert_cmpint(decode(longer, n + 1, arena, 2, &q), ==, -EBADMSG);
}

static void test_refused(void)
{
	struct plan q;
	struct {
		const char *what;
		struct plan plan;
	} cases[] = {{"no args", sample()},
		     {"relative cwd", sample()},
		     {"fd out of range", sample()},
		     {"half an instruction", sample()}};
	cases[0].plan.args.n = 0;
	cases[1].plan.cwd = "tmp";
	cases[2].plan.root_fd = 2;
	cases[3].plan.seccomp = (struct plan_bytes){"abcd", 4};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		size_t n;
		g_autofree void *bytes = encode(&cases[i].plan, &n);
		g_autofree void *arena = g_malloc(plan_arena_size(n));
		g_test_message("%s", cases[i].what);
		g_assert_cmpint(decode(bytes, n, arena, 2, &q), ==, -EBADMSG);
	}
}

/* The arena is large enough for the worst plan of its size: only empty strings. */
static void test_arena(void)
{
	enum { MANY = 60000 };
	g_autofree const char **many = g_new(const char *, MANY + 1);
	struct plan p = sample(), q;
	size_t n;
	for (size_t i = 0; i < MANY; i++)
		many[i] = "";
	many[MANY] = NULL;
	p.env = (struct plan_strings){many, MANY};
	g_autofree void *bytes = encode(&p, &n);
	g_autofree void *arena = g_malloc(plan_arena_size(n));
	g_assert_cmpint(decode(bytes, n, arena, 2, &q), ==, 0);
	g_assert_cmpuint(q.env.n, ==, MANY);
	g_assert_cmpint(plan_decode(bytes, n, arena, 1000, 2, &q), ==, -ENOMEM);
}

/* What decoding would refuse is not encoded. */
static void test_too_much(void)
{
	enum { MANY = PLAN_MAX_ITEMS + 1 };
	g_autofree const char **many = g_new(const char *, MANY + 1);
	g_autofree uint32_t *groups = g_new0(uint32_t, MANY);
	g_autofree char *large = g_strnfill(PLAN_MAX_BYTES, 'x');
	struct plan_codec c;
	for (size_t i = 0; i < MANY; i++)
		many[i] = "";
	const struct plan_strings strings = {many, MANY};
	const struct {
		const char *what;
		struct plan_strings args, env, masked;
		uint32_t n_groups;
		const char *hostname;
		int expected;
	} cases[] = {
		{"args", .args = strings, .expected = -E2BIG},
		{"env", .env = strings, .expected = -E2BIG},
		{"paths", .masked = strings, .expected = -E2BIG},
		{"groups", .n_groups = MANY, .expected = -E2BIG},
		{"most groups", .n_groups = PLAN_MAX_ITEMS, .expected = 0},
		{"bytes", .hostname = large, .expected = -EMSGSIZE},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct plan p = sample();
		p.args = cases[i].args.n > 0 ? cases[i].args : p.args;
		p.env = cases[i].env.n > 0 ? cases[i].env : p.env;
		p.masked = cases[i].masked.n > 0 ? cases[i].masked : p.masked;
		p.groups = cases[i].n_groups > 0 ? groups : p.groups;
		p.n_groups = cases[i].n_groups > 0 ? cases[i].n_groups : p.n_groups;
		p.hostname = cases[i].hostname ? cases[i].hostname : p.hostname;
		g_test_message("%s", cases[i].what);
		plan_codec_init_write(&c, NULL, 0);
		g_assert_cmpint(plan_encode(&c, &p), ==, cases[i].expected);
	}
}

static void test_phases(void)
{
	g_assert_cmpstr(plan_phase_text(PHASE_PLAN), ==, "plan");
	g_assert_cmpstr(plan_phase_text(PHASES - 1), !=, "unknown");
	g_assert_cmpstr(plan_phase_text(PHASES), ==, "unknown");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/plan/round-trip", test_round_trip);
	g_test_add_func("/plan/cut", test_cut);
	g_test_add_func("/plan/refused", test_refused);
	g_test_add_func("/plan/arena", test_arena);
	g_test_add_func("/plan/too-much", test_too_much);
	g_test_add_func("/plan/phases", test_phases);
	return g_test_run();
}
