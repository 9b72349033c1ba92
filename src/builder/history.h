/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: what was built: records that survive restarts, their blobs, and listeners.
 *
 *	history *h = history_open(root_fd, root_path, &limits, error);
 *	history_started(h, record); ... history_completed(h, record, status_bytes, error_status_bytes);
 *
 * Records are BuildHistoryRecord messages in <root>/history.db. Retention: a record goes when it is outside the newest
 * max_entries and older than max_age; pinned ones stay. The blobs of records live in the same file, at most
 * HISTORY_BLOB_BYTES each. Thread: any.
 */
#pragma once
#include "base/digest.h"
#include "base/cancel.h"
#include "control.pb-c.h"

#define HISTORY_BLOB_BYTES (16 * 1024 * 1024) /* longer logs are not replayed */

typedef struct history history;
typedef struct history_listener history_listener;

struct history_limits {
	int64_t max_age_ns;
	int64_t max_entries;
};
history *history_open(int root_fd, const char *root_path, const struct history_limits *limits, GError **error);
void history_close(history *h);

/* Takes the record (its events share it). Internal builds are not told. */
void history_started(history *h, Control__BuildHistoryRecord *record);
/*
 * The end of the build with the same Ref: stores the record; log and failure may be NULL; blobs (GBytes *) are what its
 * attestations name. Takes the record.
 */
bool history_completed(history *h, Control__BuildHistoryRecord *record, GBytes *log, GBytes *failure,
		       const GPtrArray *blobs, GError **error);
/* Errors: "failed to retrieve ref X: file does not exist". */
bool history_update(history *h, const char *ref, bool pinned, bool delete_it, bool finalize, GError **error);
/* The status log of a completed build: concatenated (u32 LE length, StatusResponse). NULL, no error: unknown. */
GBytes *history_log(history *h, const char *ref);
/* A blob of some record. NULL when there is none. */
GBytes *history_blob(history *h, const char *digest);

struct history_blob_info {
	const char *digest;
	int64_t size, created_ns; /* of the record that has it */
};
/* Calls fn for each blob of each record; one that several records have comes several times. */
bool history_each_blob(history *h, void (*fn)(const struct history_blob_info *info, void *data), void *data,
		       GError **error);

struct history_query {
	bool active_only;
	const char *ref; /* "": all */
	bool early_exit;
	const char *const *filters;
	int64_t limit;
};
/* Events of a query: what is there now, then (unless early_exit) what happens. */
history_listener *history_listen(history *h, const struct history_query *query, void (*notify)(void *data), void *data,
				 GError **error);
/*
 * The next event (guard_free). NULL: none now, or (ret_end) ever: the query is answered, or the history closes. After a
 * NULL, notify(data) runs when that changes; it runs under the history's lock and must not use the history. A listener
 * that takes nothing while LISTENER_EVENTS happen is dropped. Errors: RESOURCE_EXHAUSTED.
 */
Control__BuildHistoryEvent *history_listener_take(history_listener *l, bool *ret_end, GError **error);
void history_listener_free(history_listener *l);
/* No more events once nothing is active (the daemon stops). */
void history_stop(history *h);
