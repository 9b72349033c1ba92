/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/metrics.h"
#include "base/time.h"

#define CODES 17 /* of gRPC; 0, OK, counts successes */

/* Upper bounds in seconds, those of OpenTelemetry's histograms. */
static const unsigned bounds[] = {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
static const char *const step_kinds[] = {"completed", "cached", "total", "warnings"};

struct histogram {
	int64_t buckets[G_N_ELEMENTS(bounds)]; /* not cumulative */
	int64_t count;
	double sum;
};
struct build_metrics {
	GMutex mu;
	int64_t builds[CODES];
	int64_t steps[G_N_ELEMENTS(step_kinds)];
	struct histogram durations[2]; /* successes, failures */
};

build_metrics *build_metrics_new(void)
{
	build_metrics *m = g_new0(build_metrics, 1);
	g_mutex_init(&m->mu);
	return m;
}

void build_metrics_free(build_metrics *m)
{
	if (!m)
		return;
	g_mutex_clear(&m->mu);
	g_free(m);
}

void build_metrics_note(build_metrics *m, const GError *failure, const struct progress_counts *counts,
			int64_t duration_ns)
{
	unsigned code = failure ? (unsigned)error_get_code(failure) : 0;
	const int64_t steps[] = {counts->completed, counts->cached, counts->total, counts->warnings};
	double seconds = (double)duration_ns / NS_PER_S;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	m->builds[code < CODES ? code : ERROR_UNKNOWN]++;
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		m->steps[i] += steps[i];
	struct histogram *h = &m->durations[failure != NULL];
	h->count++;
	h->sum += seconds;
	for (size_t i = 0; i < G_N_ELEMENTS(bounds); i++) {
		if (seconds <= bounds[i]) {
			h->buckets[i]++;
			break;
		}
	}
}

static void write_head(GString *out, const char *name, const char *type, const char *help)
{
	g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_histogram(GString *out, const struct histogram *h, const char *status)
{
	static const char name[] = "buildkit_build_duration_seconds";
	char sum[G_ASCII_DTOSTR_BUF_SIZE];
	int64_t below = 0;
	if (h->count == 0)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(bounds); i++) {
		below += h->buckets[i];
		g_string_append_printf(out, "%s_bucket{status=\"%s\",le=\"%u\"} %" G_GINT64_FORMAT "\n", name, status,
				       bounds[i], below);
	}
	g_string_append_printf(out,
			       "%s_bucket{status=\"%s\",le=\"+Inf\"} %" G_GINT64_FORMAT "\n"
			       "%s_sum{status=\"%s\"} %s\n%s_count{status=\"%s\"} %" G_GINT64_FORMAT "\n",
			       name, status, h->count, name, status, g_ascii_dtostr(sum, sizeof sum, h->sum), name,
			       status, h->count);
}

void build_metrics_write(build_metrics *m, GString *out)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	write_head(out, "buildkit_builds_total", "counter", "Completed builds by status and code of the error.");
	g_string_append_printf(out, "buildkit_builds_total{status=\"success\"} %" G_GINT64_FORMAT "\n", m->builds[0]);
	for (unsigned code = 1; code < CODES; code++)
		if (m->builds[code] > 0)
			g_string_append_printf(
				out,
				"buildkit_builds_total{status=\"failure\",error_code=\"%s\"} %" G_GINT64_FORMAT "\n",
				error_code_name((enum error_code)code), m->builds[code]);
	write_head(out, "buildkit_builds_steps_total", "counter", "Steps of completed builds by kind.");
	for (size_t i = 0; i < G_N_ELEMENTS(step_kinds); i++)
		g_string_append_printf(out, "buildkit_builds_steps_total{kind=\"%s\"} %" G_GINT64_FORMAT "\n",
				       step_kinds[i], m->steps[i]);
	write_head(out, "buildkit_build_duration_seconds", "histogram", "Time from the start to the end of builds.");
	write_histogram(out, &m->durations[0], "success");
	write_histogram(out, &m->durations[1], "failure");
}
