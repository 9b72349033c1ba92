/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: progress events of builds. A sink belongs to one vertex, a log to one build.
 *
 *	progress_log *log = progress_log_new();
 *	progress_sink *sink = progress_sink_new(&(struct progress_vertex){.digest = d, .name = "[1/2] RUN x"});
 *	progress_sink_add(sink, log);          call for every build that shares the vertex; replays earlier events
 *	progress_sink_start(sink);
 *	progress_status(sink, &(struct progress_status){.id = "transferring context:", .current = n});
 *	progress_sink_complete(sink, NULL, false);
 *
 *	progress_reader *r = progress_reader_new(log, cancel);
 *	while ((events = progress_reader_next(r, timeout_ms))) ...
 *
 * Reference counted. Every function accepts a NULL sink and then does nothing. Times are nanoseconds since the epoch.
 * Events are immutable; a log keeps them so that a second reader sees all of them from the start.
 * Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "base/work.h"

typedef struct progress_log progress_log;
typedef struct progress_reader progress_reader;

struct progress_vertex {
	const char *digest;
	const char *const *inputs; /* digests, n_inputs */
	size_t n_inputs;
	const char *name;
	const char *group_id; /* progress group or NULL */
	const char *group_name;
	bool group_weak;
	bool cached;
	int64_t started_ns;   /* 0: not yet */
	int64_t completed_ns; /* 0: not yet */
	const char *error;    /* NULL: none */
};

struct progress_status {
	const char *id; /* the displayed text */
	const char *name;
	int64_t current;
	int64_t total;
	int64_t started_ns;   /* 0: unset; progress_status_start and _end fill both */
	int64_t completed_ns; /* 0: unset */
};

struct progress_range {
	int32_t start_line, start_character, end_line, end_character;
};

struct progress_warning {
	int64_t level;
	const char *text;          /* short */
	const char *const *detail; /* NULL-terminated or NULL */
	const char *url;
	const char *source_name; /* file name, "" when there is no source */
	const char *source_language;
	const void *source_bytes;
	size_t source_len;
	const struct progress_range *ranges;
	size_t n_ranges;
};

enum progress_event_type { PROGRESS_VERTEX, PROGRESS_STATUS, PROGRESS_LOG, PROGRESS_WARNING };

/* One event, which owns its strings. Only the member of its type is set. */
struct progress_event {
	enum progress_event_type type;
	const char *vertex; /* digest */
	int64_t time_ns;
	union {
		struct progress_vertex v;
		struct progress_status status;
		struct {
			int stream; /* 1 stdout, 2 stderr */
			const void *bytes;
			size_t len;
		} log;
		struct progress_warning warning;
	};
};

int64_t progress_now_ns(void);

/* ---- sinks */
progress_sink *progress_sink_new(const struct progress_vertex *vertex); /* copies it; sends nothing yet */
progress_sink *progress_sink_ref(progress_sink *s);
void progress_sink_unref(progress_sink *s);
const char *progress_sink_digest(const progress_sink *s);
/* Adds a log and replays; announces the vertex without times if it has not started. Idempotent. */
void progress_sink_add(progress_sink *s, progress_log *log);
void progress_sink_remove(progress_sink *s, progress_log *log);
/* Keeps the events that follow until the sink is released as often as it was held: then they are sent in their order. */
void progress_sink_hold(progress_sink *s);
void progress_sink_release(progress_sink *s);
/* A vertex may start and complete several times (intervals). */
void progress_sink_start(progress_sink *s);
/* The same with cached set from the start (a result loaded from the cache). */
void progress_sink_start_cached(progress_sink *s);
void progress_sink_complete(progress_sink *s, const char *error, bool cached);
/* Completes it successfully with an earlier time, which is reported only now. */
void progress_sink_complete_at(progress_sink *s, int64_t completed_ns, bool cached);
bool progress_sink_is_open(const progress_sink *s);   /* started and not completed */
bool progress_sink_is_cached(const progress_sink *s); /* as last reported */

void progress_status(progress_sink *s, const struct progress_status *status);
/* Starts and ends a status without counts; do not end it after an error (upstream leaves failed ones open). */
void progress_status_start(progress_sink *s, const char *id, const char *name, int64_t *ret_started_ns);
void progress_status_end(progress_sink *s, const char *id, const char *name, int64_t started_ns);

/* A counter of transferred bytes. */
struct progress_transfer {
	progress_sink *sink;   /* borrowed, or NULL */
	const char *id, *name; /* borrowed */
	int64_t total;         /* 0: never known; -1: known at the end */
	int64_t started_ns;    /* set by the first report */
	int64_t next_us;
};
/* data: struct progress_transfer. Reports at most ten values a second, and the first and last one. */
void progress_transfer_report(void *data, int64_t bytes, bool done);
void progress_output(progress_sink *s, int stream, const void *bytes, size_t n);
void progress_warn(progress_sink *s, const struct progress_warning *warning);
/* The same for a single log and a vertex that has no sink (yet). */
void progress_log_warn(progress_log *log, const char *digest, const struct progress_warning *warning);

/*
 * ---- logs
 *
 * A log completes vertices that are not reported: inputs of a vertex that starts, if they never completed
 * themselves, appear as cached, with both times equal to the start. For counters (statuses) that no reader has read yet
 * only the last value is kept.
 */
progress_log *progress_log_new(void);
progress_log *progress_log_ref(progress_log *log);
void progress_log_unref(progress_log *log);
/* Ends the log: open vertices get "context canceled" unless cached; readers end. */
void progress_log_close(progress_log *log);
/* Counts vertex digests, for the build's history. */
struct progress_counts {
	int32_t cached, total, completed, warnings;
};
struct progress_counts progress_log_counts(progress_log *log);

/* ---- readers */
progress_reader *progress_reader_new(progress_log *log, cancel *c);
/*
 * Returns the events since the last call (borrowed array of const struct progress_event *, free the array with
 * g_ptr_array_unref), waiting for the first one. NULL at the end of the log or when canceled. Within a batch the caller
 * may reorder events. wait_ms: time to collect more events after the first one.
 */
GPtrArray *progress_reader_next(progress_reader *r, int wait_ms);
/*
 * For readers that do not wait: returns the events since the last call; NULL if there are none yet, or (ret_end) no
 * more. After a NULL, notify(data, end) runs once when there are events. It runs under the log's lock and must not use
 * the log.
 */
void progress_reader_set_notify(progress_reader *r, void (*notify)(void *data, bool end), void *data);
GPtrArray *progress_reader_take(progress_reader *r, bool *ret_end);
void progress_reader_free(progress_reader *r);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(progress_sink, progress_sink_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(progress_log, progress_log_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(progress_reader, progress_reader_free)
