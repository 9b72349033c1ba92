/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerfile [CASE]: scans and compiles large and hostile Dockerfiles, each in a separate process. One line a case:
 * processor time, peak memory, and what came of it. Nothing is judged here.
 */
#include "frontend/dockerfile/dockerfile.h"
#include "lib/mock_bridge.h"
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void add_lines(GString *s, int n)
{
	g_string_append(s, "FROM alpine\nARG A=1\n");
	for (int i = 0; i < n / 4; i++)
		g_string_append_printf(
			s, "ENV V%d=\"x $A\"\nLABEL l%d=${V%d}\nRUN echo $A ${V%d:-x} %d\nCOPY f%d /d/f%d\n", i % 40, i,
			i % 40, i % 40, i, i, i);
}

static void add_long_line(GString *s, int n)
{
	g_string_append(s, "FROM alpine\nRUN ");
	for (int i = 0; i < n; i++)
		g_string_append_c(s, 'x');
	g_string_append_c(s, '\n');
}

static void add_continued_line(GString *s, int n)
{
	g_string_append(s, "FROM alpine\nRUN true \\\n");
	for (int i = 0; i < n / 8; i++)
		g_string_append(s, "&& : x \\\n");
	g_string_append(s, "&& true\n");
}

/* As deep as n, in lines short enough to be read. */
static void add_nested(GString *s, int n)
{
	g_string_append(s, "FROM alpine\nENV A=");
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, "${u:-%s", i % 5000 == 4999 ? "\\\n" : "");
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, "}%s", i % 5000 == 4999 ? "\\\n" : "");
	g_string_append_c(s, '\n');
}

static void add_expansions(GString *s, int n)
{
	g_string_append(s, "FROM alpine\nENV a=0123456789\n");
	for (int i = 0; i < n / 1000; i++) {
		g_string_append_printf(s, "ENV b%d=", i % 100);
		for (int j = 0; j < 1000; j++)
			g_string_append(s, j % 2 ? "${a#0}" : "$a");
		g_string_append_c(s, '\n');
	}
}

static void add_doubling(GString *s, int n)
{
	g_string_append(s, "FROM alpine\nENV a=aaaaaaaaaaaaaaaa\n");
	for (int i = 0; i < n; i++)
		g_string_append(s, "ENV a=$a$a\n");
}

static void add_heredocs(GString *s, int n)
{
	g_string_append(s, "FROM alpine\n");
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, "RUN <<E%d\necho %d\nE%d\n", i, i, i);
}

static void add_heredocs_of_a_line(GString *s, int n)
{
	g_string_append(s, "FROM alpine\nCOPY");
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, " <<E%d", i);
	g_string_append(s, " /d/\n");
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, "%d\nE%d\n", i, i);
}

static void add_open_heredocs(GString *s, int n)
{
	g_string_append(s, "FROM alpine\n");
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, "RUN <<E%d\n", i);
}

static void add_stages(GString *s, int n)
{
	g_string_append(s, "FROM scratch AS s0\nENV A=1\n");
	for (int i = 1; i < n; i++)
		g_string_append_printf(s, "FROM s%d AS s%d\nCOPY --from=s%d a /b\n", i - 1, i, i / 2);
}

static void add_args(GString *s, int n)
{
	g_string_append(s, "FROM alpine\n");
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, "ARG a%d=$a%d\nRUN echo $a%d\n", i, i - 1, i);
}

static void add_directives(GString *s, int n)
{
	for (int i = 0; i < n; i++)
		g_string_append_printf(s, "# d%d=%d\n", i, i);
	g_string_append(s, "FROM alpine\n");
}

static const struct bench_case {
	const char *name;
	void (*add)(GString *s, int n);
	int n;
} cases[] = {
	{"lines", add_lines, 5000},
	{"lines", add_lines, 10000},
	{"lines", add_lines, 40000},
	{"bytes of one line", add_long_line, 1 << 20},
	{"bytes of one continued line", add_continued_line, 1 << 20},
	{"nested expansions", add_nested, 100000},
	{"expansions", add_expansions, 100000},
	{"doublings of a variable", add_doubling, 64},
	{"heredocs", add_heredocs, 10000},
	{"heredocs of one line", add_heredocs_of_a_line, 10000},
	{"heredocs without an end", add_open_heredocs, 10000},
	{"chained stages", add_stages, 5000},
	{"chained stages", add_stages, 50000},
	{"arguments in scope", add_args, 2000},
	{"directives", add_directives, 100000},
};

static double cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double solve_ms(const char *text, GError **error)
{
	struct mock_bridge *m = mock_bridge_new();
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	build_result *result = NULL;
	mock_bridge_file(m, "Dockerfile", text);
	m->forget = true;
	double start = cpu_ms();
	if (dockerfile_frontend.solve(&m->bridge, options, NULL, NULL, &result, error))
		build_result_unref(result);
	double ms = cpu_ms() - start;
	mock_bridge_free(m);
	return ms;
}

static int run(const struct bench_case *c)
{
	g_autoptr(GString) s = g_string_new(NULL);
	c->add(s, c->n);
	double best = 0;
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 5 && (i == 0 || best < 500); i++) {
		g_clear_error(&error);
		double ms = solve_ms(s->str, &error);
		best = i == 0 ? ms : MIN(best, ms);
	}
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("%7d %-28s %9.1f ms %7ld MB  %.60s\n", c->n, c->name, best, usage.ru_maxrss / 1024,
	       error ? error->message : "ok");
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0, status;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		if (argc > 1 && !strstr(cases[i].name, argv[1]))
			continue;
		fflush(stdout);
		pid_t child = fork();
		if (child == 0)
			return run(&cases[i]);
		bool ended = child > 0 && waitpid(child, &status, 0) == child && status == 0;
		if (!ended)
			printf("%7d %-28s failed\n", cases[i].n, cases[i].name);
		failed |= !ended;
	}
	return failed;
}
