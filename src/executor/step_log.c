/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/step_log.h"
#include "base/limits.h"

/* Reads a 32-bit integer from the environment; anything else leaves the default. */
static int64_t limit_from_env(const char *name, int64_t otherwise)
{
	const char *text = g_getenv(name);
	char *end;
	if (!text || *text == '\0')
		return otherwise;
	errno = 0;
	int64_t value = g_ascii_strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || value < INT32_MIN || value > INT32_MAX)
		return otherwise;
	return value;
}

void step_log_init(struct step_log *log, progress_sink *sink)
{
	int64_t now = g_get_monotonic_time();
	*log = (struct step_log){
		.sink = sink,
		.max_size = limit_from_env("BUILDKIT_STEP_LOG_MAX_SIZE", LIMIT_STEP_LOG_BYTES),
		.max_speed = limit_from_env("BUILDKIT_STEP_LOG_MAX_SPEED", LIMIT_STEP_LOG_BYTES_PER_SECOND),
		.streams = {{.created_us = now}, {.created_us = now}},
	};
}

char *step_log_size_text(int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	double value = (double)bytes;
	size_t u = 0;
	while (value >= 1024 && u + 1 < G_N_ELEMENTS(units)) {
		value /= 1024;
		u++;
	}
	return g_strdup_printf("%g%s", value, units[u]);
}

/* Returns how many of n more bytes pass; ret_by_speed: the speed limit applied. */
static size_t stream_allowance(const struct step_log *log, struct step_log_stream *s, size_t n, bool *ret_by_speed)
{
	int64_t before = s->size, max = -1;
	*ret_by_speed = false;
	s->size += (int64_t)n;
	if (log->max_speed != -1) {
		int64_t seconds = (g_get_monotonic_time() - s->created_us) / G_USEC_PER_SEC + 1;
		max = seconds * log->max_speed;
		*ret_by_speed = true;
	}
	if (max == -1 || max > log->max_size) {
		max = log->max_size;
		*ret_by_speed = false;
	}
	if (max == -1)
		return n;
	if (max < before)
		return 0;
	return s->size > max ? (size_t)(max - before) : n;
}

static void tail_write(struct step_log_stream *s, const uint8_t *bytes, size_t n)
{
	if (n > STEP_LOG_TAIL_BYTES) {
		s->n_tail += n - STEP_LOG_TAIL_BYTES;
		bytes += n - STEP_LOG_TAIL_BYTES;
		n = STEP_LOG_TAIL_BYTES;
	}
	size_t at = s->n_tail % STEP_LOG_TAIL_BYTES;
	size_t first = MIN(n, STEP_LOG_TAIL_BYTES - at);
	memcpy(s->tail + at, bytes, first);
	memcpy(s->tail, bytes + first, n - first);
	s->n_tail += n;
}

void step_log_write(struct step_log *log, int stream, const void *bytes, size_t n)
{
	struct step_log_stream *s = &log->streams[stream == 2];
	bool by_speed;
	size_t allowed = stream_allowance(log, s, n, &by_speed);
	bool clipped = allowed < n;

	if (clipped && !s->tail)
		s->tail = g_malloc(STEP_LOG_TAIL_BYTES);
	if (s->tail)
		tail_write(s, bytes, n);
	if (allowed > 0 && !(clipped && !s->clipping))
		progress_output(log->sink, stream, bytes, allowed);
	if (clipped && !s->clipping) {
		/* The notice belongs to the preceding bytes: one event. */
		g_autofree char *limit = step_log_size_text(by_speed ? log->max_speed : log->max_size);
		g_autoptr(GString) text = g_string_new_len(bytes, (gssize)allowed);
		g_string_append_printf(text, "\n[output clipped, log limit %s%s reached]\n", limit,
				       by_speed ? "/s" : "");
		progress_output(log->sink, stream, text->str, text->len);
	}
	s->clipping = clipped;
}

static void stream_flush_tail(struct step_log *log, int stream)
{
	struct step_log_stream *s = &log->streams[stream == 2];
	if (!s->tail)
		return;
	size_t at = s->n_tail % STEP_LOG_TAIL_BYTES;
	if (s->n_tail <= STEP_LOG_TAIL_BYTES) {
		progress_output(log->sink, stream, s->tail, s->n_tail);
	} else {
		g_autofree uint8_t *ordered = g_malloc(STEP_LOG_TAIL_BYTES);
		memcpy(ordered, s->tail + at, STEP_LOG_TAIL_BYTES - at);
		memcpy(ordered + STEP_LOG_TAIL_BYTES - at, s->tail, at);
		progress_output(log->sink, stream, ordered, STEP_LOG_TAIL_BYTES);
	}
	g_clear_pointer(&s->tail, g_free);
	s->n_tail = 0;
}

void step_log_flush_tail(struct step_log *log)
{
	stream_flush_tail(log, 1);
	stream_flush_tail(log, 2);
}

void step_log_done(struct step_log *log)
{
	g_free(log->streams[0].tail);
	g_free(log->streams[1].tail);
	*log = (struct step_log){0};
}
