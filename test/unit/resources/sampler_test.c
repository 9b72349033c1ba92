/* SPDX-License-Identifier: Apache-2.0 */
#include "resources/sampler.h"
#include "base/thread.h"
#include "base/time.h"
#include "unit/resources/resources_fixture.h"
#include <poll.h>

#define INTERVAL_US 2000

static json_t *usage_json(step_usage *u)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	if (!step_usage_write(w, u))
		return NULL;
	size_t n;
	g_autofree char *text = json_writer_take(&w, &n);
	g_autoptr(GError) error = NULL;
	json_t *value = json_read(text, n, n, "usage", &error);
	g_assert_no_error(error);
	return value;
}

static int64_t cpu_ns(const json_t *usage, size_t index)
{
	const json_t *sample = json_array_get(json_object_get(usage, "samples"), index);
	return json_integer_value(json_object_get(json_object_get(sample, "cpuStat"), "usageNanos"));
}

static void set_cpu(const struct resource_fixture *f, const char *usec)
{
	g_autofree char *text = g_strconcat("usage_usec ", usec, "\n", NULL);
	resources_fixture_write(f, "step/cpu.stat", text);
}

/* The last sample is of the end, and taken before the descriptor is closed, which keeps the cgroup. */
static void test_end(void)
{
	struct resource_fixture f;
	int ends[2];
	resources_fixture_init(&f);
	resource_sampler *s = resource_sampler_new(RESOURCE_INTERVAL_US);
	g_autoptr(step_usage) u = step_usage_new();
	resource_sampler_begin(s, u, f.fd, "step");
	g_assert_cmpint(mkdirat(f.fd, "step", 0755), ==, 0);
	set_cpu(&f, "7");
	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	resource_sampler_end(s, u, ends[1]);
	struct pollfd closed = {.fd = ends[0]};
	g_assert_cmpint(poll(&closed, 1, 10000), ==, 1);
	set_cpu(&f, "9");
	g_autoptr(json_t) usage = usage_json(u);
	g_assert_nonnull(usage);
	g_assert_cmpuint(json_array_size(json_object_get(usage, "samples")), ==, 1);
	g_assert_cmpint(cpu_ns(usage, 0), ==, 7000);
	close(ends[0]);
	resource_sampler_free(s);
	resources_fixture_clear(&f);
}

static void wait_for_machine(resource_sampler *s, int64_t since_ns, guint n)
{
	for (;;) {
		g_autoptr(GArray) machine = resource_sampler_machine(s, since_ns);
		g_assert_nonnull(machine);
		if (machine->len > n)
			return;
		g_usleep(INTERVAL_US); /* the thread has no event for others: it only fills its list */
	}
}

/* A long step has samples in between, whose number stays small. */
static void test_long(void)
{
	struct resource_fixture f;
	int64_t since_ns = g_get_real_time() * NS_PER_US;
	resources_fixture_init(&f);
	g_assert_cmpint(mkdirat(f.fd, "step", 0755), ==, 0);
	set_cpu(&f, "1");
	resource_sampler *s = resource_sampler_new(INTERVAL_US);
	g_autoptr(step_usage) u = step_usage_new();
	resource_sampler_begin(s, u, f.fd, "step");
	int64_t began_us = g_get_monotonic_time();
	wait_for_machine(s, since_ns, 3);
	while (g_get_monotonic_time() - began_us < 100 * INTERVAL_US)
		g_usleep(INTERVAL_US);
	set_cpu(&f, "5");
	resource_sampler_end(s, u, -1);
	g_autoptr(json_t) usage = usage_json(u);
	size_t n = json_array_size(json_object_get(usage, "samples"));
	g_assert_cmpuint(n, >, 2);
	g_assert_cmpuint(n, <=, 25);
	g_assert_cmpint(cpu_ns(usage, 0), ==, 1000);
	g_assert_cmpint(cpu_ns(usage, n - 1), ==, 5000);
	g_assert_cmpuint(json_object_size(json_object_get(usage, "sysCPUStat")), ==, 10);
	g_autoptr(GArray) machine = resource_sampler_machine(s, since_ns);
	g_assert_cmpuint(machine->len, >, 2);
	g_assert_cmpuint(machine->len, <=, 45);
	resource_sampler_free(s);
	resources_fixture_clear(&f);
}

static void test_absent(void)
{
	struct resource_fixture f;
	resources_fixture_init(&f);
	resource_sampler *s = resource_sampler_new(RESOURCE_INTERVAL_US);
	g_assert_null(resource_sampler_machine(s, 0 + 1));
	g_autoptr(step_usage) never = step_usage_new(), without = step_usage_new(), gone = step_usage_new();
	resource_sampler_end(s, never, -1);
	g_assert_null(usage_json(never));
	resource_sampler_begin(s, without, -1, NULL);
	g_assert_null(usage_json(without)); /* it runs */
	g_autoptr(GArray) running = resource_sampler_machine(s, (g_get_real_time() + G_USEC_PER_SEC) * NS_PER_US);
	g_assert_cmpuint(running->len, ==, 1); /* it began before, and it runs */
	resource_sampler_end(s, without, -1);
	g_assert_null(usage_json(without));
	resource_sampler_begin(s, gone, f.fd, "no-such-cgroup");
	resource_sampler_end(s, gone, -1);
	resource_sampler_end(s, gone, -1);
	g_assert_null(usage_json(gone));
	g_autoptr(GArray) machine = resource_sampler_machine(s, 1);
	g_assert_cmpuint(machine->len, ==, 1);
	g_autoptr(GArray) later = resource_sampler_machine(s, (g_get_real_time() + G_USEC_PER_SEC) * NS_PER_US);
	g_assert_null(later);
	resource_sampler_free(s);
	resources_fixture_clear(&f);
}

static void test_no_thread(void)
{
	struct resource_fixture f;
	resources_fixture_init(&f);
	g_assert_cmpint(mkdirat(f.fd, "step", 0755), ==, 0);
	set_cpu(&f, "3");
	thread_set_limit(thread_count() > 0 ? thread_count() : 1);
	resource_sampler *s = resource_sampler_new(RESOURCE_INTERVAL_US),
			 *other = resource_sampler_new(RESOURCE_INTERVAL_US);
	g_autoptr(step_usage) first = step_usage_new(), u = step_usage_new();
	resource_sampler_begin(other, first, -1, NULL); /* has the only thread */
	resource_sampler_begin(s, u, f.fd, "step");
	resource_sampler_end(s, u, -1);
	g_autoptr(json_t) usage = usage_json(u);
	g_assert_cmpint(cpu_ns(usage, 0), ==, 3000);
	resource_sampler_end(other, first, -1);
	resource_sampler_free(other);
	resource_sampler_free(s);
	thread_set_limit(0);
	resources_fixture_clear(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/resources/sampler/end", test_end);
	g_test_add_func("/resources/sampler/long", test_long);
	g_test_add_func("/resources/sampler/absent", test_absent);
	g_test_add_func("/resources/sampler/no-thread", test_no_thread);
	return g_test_run();
}
