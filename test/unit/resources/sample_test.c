/* SPDX-License-Identifier: Apache-2.0 */
#include "resources/sample.h"
#include "unit/resources/resources_fixture.h"

static char *sample_text(const struct resource_sample *s)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	resource_sample_write(w, s);
	return json_writer_take(&w, NULL);
}

static void check_sample(const struct resource_fixture *f, const char *want)
{
	struct resource_sample s;
	g_assert_true(resource_sample_read(f->fd, &s));
	g_assert_cmpint(s.time_ns, >, INT64_C(1600000000000000000));
	s.time_ns = INT64_C(1700000000500000000);
	g_autofree char *text = sample_text(&s);
	g_assert_cmpstr(text, ==, want);
}

static void test_step(void)
{
	struct resource_fixture f;
	resources_fixture_init(&f);
	resources_fixture_write(&f, "cpu.stat",
				"usage_usec 1234567\nuser_usec 234567\nsystem_usec 1000000\nnr_periods 7\n"
				"nr_throttled 2\nthrottled_usec 3\nnr_bursts 0\n");
	resources_fixture_write(&f, "cpu.pressure",
				"some avg10=1.50 avg60=0.05 avg300=100.00 total=42\n"
				"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	resources_fixture_write(
		&f, "memory.stat",
		"anon 4096\nfile 8192\nkernel 5\nkernel_stack 1\npagetables 2\nsock 3\nshmem 4\nfile_mapped 5\n"
		"file_dirty 6\nfile_writeback 7\nslab 8\npgscan 9\npgsteal 10\npgfault 11\npgmajfault 12\n");
	resources_fixture_write(&f, "memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n");
	resources_fixture_write(&f, "memory.peak", "1048576\n");
	resources_fixture_write(&f, "memory.swap.current", "0\n");
	resources_fixture_write(
		&f, "io.stat",
		"8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=11 wbytes=22 rios=3 "
		"wios=4\n7:0\n");
	resources_fixture_write(&f, "pids.current", "5\n");
	check_sample(
		&f,
		"{\"timestamp\":\"2023-11-14T22:13:20.5Z\",\"cpuStat\":{\"usageNanos\":1234567000,\"userNanos\":"
		"234567000,"
		"\"systemNanos\":1000000000,\"nrPeriods\":7,\"nrThrottled\":2,\"throttledNanos\":3000,\"pressure\":{"
		"\"some\":{\"avg10\":1.5,\"avg60\":0.05,\"avg300\":100,\"total\":42},"
		"\"full\":{\"avg10\":0,\"avg60\":0,\"avg300\":0,\"total\":0}}},"
		"\"memoryStat\":{\"swapBytes\":0,\"anon\":4096,\"file\":8192,\"kernelStack\":1,\"pageTables\":2,"
		"\"sock\":3,\"shmem\":4,\"fileMapped\":5,\"fileDirty\":6,\"fileWriteback\":7,\"slab\":8,\"pgscan\":9,"
		"\"pgsteal\":10,\"pgfault\":11,\"pgmajfault\":12,\"peak\":1048576,\"maxEvents\":3,\"oomEvents\":1,"
		"\"oomKillEvents\":2},\"ioStat\":{\"readBytes\":111,\"writeBytes\":222,\"discardBytes\":0,\"readIOs\":"
		"4,"
		"\"writeIOs\":6,\"discardIOs\":0},\"pidsStat\":{\"current\":5}}");
	resources_fixture_clear(&f);
}

/* Values that are no numbers, or too large for their unit, are left out; so are files without a controller. */
static void test_step_odd(void)
{
	struct resource_fixture f;
	struct resource_sample s;
	resources_fixture_init(&f);
	g_assert_false(resource_sample_read(f.fd, &s));
	resources_fixture_write(&f, "cpu.stat",
				"usage_usec 18446744073709551615\nuser_usec 9223372036854775\nsystem_usec -1\n"
				"nr_periods\nnr_throttled x\n\nthrottled_usec 18446744073709551616");
	resources_fixture_write(&f, "cpu.pressure", "some avg10=1.5 avg60=x\nsome\nfull avg10=123456.00 avg60=0.00\n");
	resources_fixture_write(
		&f, "io.stat",
		"8:0 rbytes=18446744073709551615 wbytes wios= rios=7 dios=9223372036854775807\n8:1 dios=1\n\n=\n");
	check_sample(&f, "{\"timestamp\":\"2023-11-14T22:13:20.5Z\",\"cpuStat\":{\"userNanos\":9223372036854775000,"
			 "\"pressure\":{\"some\":null,\"full\":null}},"
			 "\"ioStat\":{\"readIOs\":7,\"discardIOs\":9223372036854775807},\"pidsStat\":{}}");
	resources_fixture_clear(&f);
}

static void write_machine(const struct resource_fixture *f)
{
	g_autoptr(GString) stat = g_string_new("cpu  150 1 25 1000 0 0 3 0 0 0\ncpu0 150 1 25 1000 0 0 3 0 0 0\nintr");
	/* A line of interrupts that is longer than a buffer, and that contains the names of later lines. */
	for (int i = 0; i < 5000; i++)
		g_string_append(stat, " 10");
	g_string_append(stat, " processes 99 ctxt 98\nctxt 123\nbtime 1\nprocesses 45\nprocs_running 6\nsoftirq 1 2\n");
	resources_fixture_write(f, "stat", stat->str);
	resources_fixture_write(
		f, "meminfo",
		"MemTotal:       1000 kB\nMemFree:         900 kB\nMemAvailable:    950 kB\nBuffers:  1 kB\n"
		"Cached:  2 kB\nSwapCached:  3 kB\nActive:  4 kB\nInactive:  5 kB\nSwapTotal:  0 kB\nDirty: 6 kB\n"
		"Writeback:  7 kB\n");
	g_assert_cmpint(mkdirat(f->fd, "pressure", 0755), ==, 0);
	resources_fixture_write(f, "pressure/io", "some avg10=0.10 avg60=0.00 avg300=0.00 total=9\n");
}

static void test_machine(void)
{
	struct resource_fixture f;
	struct resource_machine_sample s;
	resources_fixture_init(&f);
	g_assert_false(resource_machine_sample_read(f.fd, &s));
	write_machine(&f);
	g_assert_true(resource_machine_sample_read(f.fd, &s));
	s.time_ns = 0;
	g_autoptr(json_writer) w = json_writer_new(0);
	resource_machine_sample_write(w, &s);
	g_autofree char *text = json_writer_take(&w, NULL);
	g_assert_cmpstr(
		text, ==,
		"{\"timestamp\":\"1970-01-01T00:00:00Z\",\"cpuStat\":{\"user\":1.5,\"nice\":0.01,\"system\":0.25,"
		"\"idle\":10,\"iowait\":0,\"irq\":0,\"softirq\":0.03,\"steal\":0,\"guest\":0,\"guestNice\":0},"
		"\"procStat\":{\"contextSwitches\":123,\"processCreated\":45,\"processesRunning\":6},"
		"\"memoryStat\":{\"total\":1000,\"free\":900,\"available\":950,\"buffers\":1,\"cached\":2,\"active\":4,"
		"\"inactive\":5,\"swap\":0,\"dirty\":6,\"writeback\":7,\"slab\":null},"
		"\"ioPressure\":{\"some\":{\"avg10\":0.1,\"avg60\":0,\"avg300\":0,\"total\":9},\"full\":null}}");
	resources_fixture_clear(&f);
}

static void test_cpu_time(void)
{
	const struct resource_cpu_time from = {{100, 5}}, to = {{250, 4, 7}};
	g_autoptr(json_writer) w = json_writer_new(0);
	resource_cpu_time_write(w, &from, &to);
	g_autofree char *text = json_writer_take(&w, NULL);
	g_assert_cmpstr(
		text, ==,
		"{\"user\":1.5,\"nice\":0,\"system\":0.07,\"idle\":0,\"iowait\":0,\"irq\":0,\"softirq\":0,\"steal\":0,"
		"\"guest\":0,\"guestNice\":0}");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/resources/sample/step", test_step);
	g_test_add_func("/resources/sample/step-odd", test_step_odd);
	g_test_add_func("/resources/sample/machine", test_machine);
	g_test_add_func("/resources/sample/cpu-time", test_cpu_time);
	return g_test_run();
}
