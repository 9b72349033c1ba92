/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeline: the steps of a build with their times, made from the messages of a Status call.
 *
 *	g_autoptr(timeline) t = timeline_new("k2p9", NULL);
 *	timeline_update(t, message);
 *	timeline_analyze(t, progress_now_ns());        critical path and waiting times, before it is written
 *
 * Texts are untrusted: control characters and bidirectional marks are replaced when they are stored, and the writers
 * (page.h, trace.h) escape them. Memory is bounded: at most TIMELINE_STEPS steps, TIMELINE_ITEMS statuses and warnings of
 * each, TIMELINE_STEP_LOG_BYTES of a step's log, and TIMELINE_LOG_BYTES in all; what is left out is counted. Thread: one
 * at a time.
 */
#pragma once
#include "control.pb-c.h"
#include "explain.pb-c.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_STEPS 100000
#define TIMELINE_ITEMS 1000
#define TIMELINE_STEP_LOG_BYTES (2 * 1024 * 1024)
#define TIMELINE_LOG_BYTES (64 * 1024 * 1024)

/* What a step does during a span of time: id (also the class in the page), text. */
#define TIMELINE_PHASES(X)                                                                                             \
	X(QUEUE, "queue", "waiting to start")                                                                          \
	X(RESOLVE, "resolve", "resolving")                                                                             \
	X(PULL, "pull", "pulling, transferring")                                                                       \
	X(UNPACK, "unpack", "unpacking")                                                                               \
	X(RUN, "run", "running")                                                                                       \
	X(COMPRESS, "compress", "creating and compressing layers")                                                     \
	X(PUSH, "push", "pushing, sending")                                                                            \
	X(CACHE, "cache", "loading from the cache")
#define TIMELINE_PHASE_ENUM(name, id, text) TIMELINE_##name,
enum timeline_phase { TIMELINE_PHASES(TIMELINE_PHASE_ENUM) TIMELINE_N_PHASES };
const char *timeline_phase_id(enum timeline_phase phase);
const char *timeline_phase_text(enum timeline_phase phase);

/* Times are nanoseconds since the epoch, 0 if they are not known (an end: not yet). */
struct timeline_span {
	int64_t start_ns, end_ns;
};
struct timeline_status {
	char *id;
	enum timeline_phase phase;
	int64_t current, total;
	int64_t start_ns, end_ns, time_ns;
};
struct timeline_warning {
	char *text, *detail, *url;
	char *source_name; /* "": there is no source */
	char *excerpt;     /* the lines concerned, with numbers; "": none */
};
struct timeline_step {
	unsigned number; /* from 1, in the order in which the steps were announced */
	char *digest, *name, *group, *error;
	char **inputs; /* digests */
	bool cached;
	GArray *spans;       /* element type: struct timeline_span: the step ran, once or several times */
	GPtrArray *statuses; /* element type: struct timeline_status * */
	GPtrArray *warnings; /* element type: struct timeline_warning * */
	GString *log;
	size_t log_left_out; /* bytes */
	bool log_in_line;    /* the last line of log is not complete */
	char *miss;          /* why the step ran although it ran before, or NULL */
	GPtrArray *changes;  /* element type: char *: facts and files that differ */
	char *compared_with; /* the build that they were compared with, or NULL */
	int64_t updated_ns;  /* last progress or output; 0: none */
	uint64_t version;    /* that of the timeline when the step last changed */
	/* set by timeline_analyze */
	bool critical;
	int64_t ready_ns;                    /* when the last input was complete; 0: not known */
	int64_t phase_ns[TIMELINE_N_PHASES]; /* time in each phase */
};
enum timeline_state {
	TIMELINE_PENDING,
	TIMELINE_RUNNING,
	TIMELINE_CACHED,
	TIMELINE_DONE,
	TIMELINE_FAILED,
	TIMELINE_CANCELED,
	TIMELINE_N_STATES
};

typedef struct timeline timeline;
struct timeline {
	char *ref, *title, *error;
	GPtrArray *facts; /* element type: char *: names and values in turn: frontend, exporters, options */
	int64_t created_ns, completed_ns;
	GPtrArray *steps; /* element type: struct timeline_step * */
	GHashTable *by_digest;
	size_t steps_left_out, log_bytes;
	uint64_t version;
	/* set by timeline_analyze */
	int64_t start_ns, end_ns; /* of the page: from the first to the last event, or now */
	GPtrArray *critical;      /* element type: struct timeline_step *, borrowed, in order of time */
	unsigned n[TIMELINE_N_STATES];
	int64_t phase_ns[TIMELINE_N_PHASES];
};

/* record: of the history, or NULL. */
timeline *timeline_new(const char *ref, const Control__BuildHistoryRecord *record);
void timeline_free(timeline *t);
void timeline_set_record(timeline *t, const Control__BuildHistoryRecord *record);
void timeline_update(timeline *t, const Control__StatusResponse *message);
/* Adds the reasons for cache misses, which are found by the name of the step. */
void timeline_explain(timeline *t, const Explain__ExplainResponse *reply);
/* Steps that have not ended and builds that have not completed end at now_ns. */
void timeline_analyze(timeline *t, int64_t now_ns);

struct timeline_step *timeline_find(const timeline *t, const char *digest); /* or NULL */
struct timeline_step *timeline_at(const timeline *t, unsigned number);      /* or NULL */
enum timeline_state timeline_step_state(const struct timeline_step *s);
const char *timeline_state_id(enum timeline_state state);
int64_t timeline_step_start(const struct timeline_step *s); /* 0: it has not started */
int64_t timeline_step_end(const struct timeline_step *s);   /* 0: it has not ended */
/* Time during which the step ran. */
int64_t timeline_step_ns(const struct timeline_step *s, int64_t now_ns);

/* Copies text, with control characters and bidirectional marks replaced by visible ones; line breaks become spaces. */
char *timeline_safe_text(const char *text);
/* Formats a duration for people: "312 ms", "4.21 s", "3 min 7 s". */
char *timeline_duration(int64_t ns);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(timeline, timeline_free)
