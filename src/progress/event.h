/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: internals of progress.h: counted events and the vertex data that all events of a vertex share.
 *
 *	struct event *e = event_new_output(info, 1, bytes, n);
 *	log_append(log, e);          takes an additional reference
 *	event_unref(e);
 *
 * Immutable once appended to a log. Thread: any.
 */
#pragma once
#include "progress/progress.h"

/* Immutable data of a vertex. */
struct vertex_info {
	gint refs;
	char *digest, *name, *group_id, *group_name; /* owned */
	char **inputs;                               /* owned */
	size_t n_inputs;
	bool group_weak;
};
struct vertex_info *vertex_info_new(const struct progress_vertex *v);
void vertex_info_unref(struct vertex_info *info);

struct event {
	struct progress_event public; /* first: readers only see this */
	gint refs;
	struct vertex_info *info; /* ref */
	char *error;              /* owned; vertex events */
};
struct vertex_times {
	int64_t started_ns, completed_ns;
	bool cached;
	const char *error;
};
struct event *event_new_vertex(struct vertex_info *info, const struct vertex_times *times);
struct event *event_new_status(struct vertex_info *info, const struct progress_status *status);
struct event *event_new_output(struct vertex_info *info, int stream, const void *bytes, size_t n);
struct event *event_new_warning(struct vertex_info *info, const struct progress_warning *warning);
struct event *event_ref(struct event *e);
void event_unref(struct event *e);

/* progress/log.c */
void log_append(progress_log *log, struct event *e);
