/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display_model: the vertices of a build as a display sees them, fed by StatusResponse messages.
 *
 *	model_update(m, message);
 *	for (guint i = 0; i < m->vertices->len; i++) ...         in order of arrival
 *
 * Vertices of one progress group are one row. Room-internal. Thread: the display's.
 */
#pragma once
#include "control.pb-c.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define MODEL_TAIL_LINES 10

struct model_interval {
	int64_t start_ns, end_ns; /* end 0: open */
};
struct model_status {
	char *id;
	int64_t current, total, started_ns, completed_ns, time_ns;
	bool updated;
	int64_t shown_current, shown_ns; /* plain: what was printed last */
	bool shown;
};
struct model_vertex {
	char *digest, *name, *error;
	int index; /* plain and rawjson numbering, 0: not printed yet */
	int64_t started_ns, completed_ns;
	bool cached, hidden;
	GArray *intervals;   /* of struct model_interval */
	GPtrArray *statuses; /* of struct model_status * */
	GPtrArray *warnings; /* of char * */
	guint warnings_shown;
	GPtrArray *logs;     /* of char *: lines not printed yet; the last may be partial */
	bool log_is_partial; /* the last of logs has no newline yet */
	size_t log_printed;  /* bytes of logs[0] that are on the screen already */
	GQueue tail;         /* of char *: the last lines with their times */
	bool updated;
	int64_t active_since_us; /* plain: when it got the display */
	int64_t first_update_us;
	guint count;                /* plain: updates since it last had the display */
	struct model_vertex *group; /* the row that shows this one, or NULL */
	GPtrArray *members;         /* group rows: of struct model_vertex *, borrowed */
};
struct model {
	GPtrArray *vertices;   /* of struct model_vertex *, owned */
	GHashTable *by_digest; /* borrowed */
	int64_t started_ns;    /* of the display */
};

void model_init(struct model *m);
void model_clear(struct model *m);
void model_update(struct model *m, const Control__StatusResponse *message);
bool model_vertex_is_running(const struct model_vertex *v);
bool model_vertex_is_canceled(const struct model_vertex *v);
/* Sum of the merged intervals, open ones up to now, in seconds. */
double model_vertex_seconds(const struct model_vertex *v, int64_t now_ns);
/* "<id> 1.2MB / 3.4MB 0.5s done" without a leading space. */
char *model_status_text(const struct model_status *s);
/* Untrusted text with control bytes made visible; line breaks become spaces. */
char *model_safe_text(const char *text);
/* The same, but its lines stay lines. */
char *model_safe_lines(const char *text);
/*
 * Output of a step for a terminal: colours stay and end with the line, other control sequences are made visible, and what
 * begins at a carriage return is a separate line.
 */
char *model_safe_output(const char *line);
