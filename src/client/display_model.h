/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display_model: the vertices of a build for display, updated from StatusResponse messages.
 *
 *	model_update(m, message);
 *	for (guint i = 0; i < m->vertices->len; i++) ...         in order of arrival
 *
 * Vertices of one progress group are one row. Internal to client/. Thread: the display's.
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
	int64_t shown_current, shown_ns; /* plain: last value printed */
	bool shown;
};
struct model_vertex {
	char *digest, *name, *error;
	int index; /* plain and rawjson numbering, 0: not printed yet */
	int64_t started_ns, completed_ns;
	bool cached, hidden;
	GArray *intervals;   /* element type: struct model_interval */
	GPtrArray *statuses; /* element type: struct model_status * */
	GPtrArray *warnings; /* element type: char * */
	guint warnings_shown;
	GPtrArray *logs;     /* element type: char *: lines that are not printed yet; the last one may be partial */
	bool log_is_partial; /* the last line of logs has no newline yet */
	size_t log_printed;  /* bytes of logs[0] that are already on the screen */
	GQueue tail;         /* element type: char *: the last lines with their times */
	bool updated;
	int64_t active_since_us; /* plain: when it became the active vertex */
	int64_t first_update_us;
	guint count;                /* plain: updates since it was last active */
	struct model_vertex *group; /* the row that represents this one, or NULL */
	GPtrArray *members;         /* element type: struct model_vertex *, borrowed; group rows only */
};
struct model {
	GPtrArray *vertices;   /* element type: struct model_vertex *, owned */
	GHashTable *by_digest; /* borrowed */
	int64_t started_ns;    /* of the display */
};

void model_init(struct model *m);
void model_clear(struct model *m);
void model_update(struct model *m, const Control__StatusResponse *message);
bool model_vertex_is_running(const struct model_vertex *v);
bool model_vertex_is_canceled(const struct model_vertex *v);
/* Returns the sum of the merged intervals in seconds; open intervals end now. */
double model_vertex_seconds(const struct model_vertex *v, int64_t now_ns);
/* Formats "<id> 1.2MB / 3.4MB 0.5s done", without a leading space. */
char *model_status_text(const struct model_status *s);
/* Makes control characters of untrusted text visible; line breaks become spaces. */
char *model_safe_text(const char *text);
/* Same, but keeps line breaks. */
char *model_safe_lines(const char *text);
/*
 * Sanitizes step output for a terminal: keeps colours and resets them at the end of the line, makes other control
 * sequences visible, and starts a new line at a carriage return.
 */
char *model_safe_output(const char *line);
