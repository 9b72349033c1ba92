/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: persistent build records, their blobs, and listeners for events.
 *
 *	history *h = history_open(root_fd, root_path, &limits, error);
 *	history_started(h, record); ... history_completed(h, record, status_bytes, error_status_bytes);
 *
 * Records are BuildHistoryRecord messages in <root>/history.db. A record is deleted when it is not among the newest
 * max_entries and is older than max_age; pinned records are kept. Blobs of records are stored in the same file, at most
 * HISTORY_BLOB_BYTES each. Thread: any.
 */
#pragma once
#include "base/digest.h"
#include "base/cancel.h"
#include "control.pb-c.h"

#define HISTORY_BLOB_BYTES (16 * 1024 * 1024) /* longer logs are not stored */

typedef struct history history;
typedef struct history_listener history_listener;

struct history_limits {
	int64_t max_age_ns;
	int64_t max_entries;
};
history *history_open(int root_fd, const char *root_path, const struct history_limits *limits, GError **error);
void history_close(history *h);

/* Takes ownership of the record (its events share it). Internal builds create no events. */
void history_started(history *h, Control__BuildHistoryRecord *record);
/*
 * Ends the build with the same Ref: stores the record. log and failure may be NULL; blobs (GBytes *) are the blobs of
 * its attestations. Takes ownership of the record.
 */
bool history_completed(history *h, Control__BuildHistoryRecord *record, GBytes *log, GBytes *failure,
		       const GPtrArray *blobs, GError **error);
/* Errors: "failed to retrieve ref X: file does not exist". */
bool history_update(history *h, const char *ref, bool pinned, bool delete_it, bool finalize, GError **error);
/*
 * Returns the status log of a completed build: concatenated (u32 LE length, StatusResponse). NULL without an error:
 * unknown build.
 */
GBytes *history_log(history *h, const char *ref);
/* Returns a blob of a record, or NULL if there is none. */
GBytes *history_blob(history *h, const char *digest);

struct history_blob_info {
	const char *digest;
	int64_t size, created_ns; /* the creation time of its record */
};
/* Calls fn for each blob of each record, more than once for a blob of several records. */
bool history_each_blob(history *h, void (*fn)(const struct history_blob_info *info, void *data), void *data,
		       GError **error);

struct history_query {
	bool active_only;
	const char *ref; /* "": all builds */
	bool early_exit;
	const char *const *filters;
	int64_t limit;
};
/* Starts a query: current records first, then (unless early_exit) new events. */
history_listener *history_listen(history *h, const struct history_query *query, void (*notify)(void *data), void *data,
				 GError **error);
/*
 * Returns the next event (guard_free), or NULL if there is none now or, with ret_end, no further one (the query is
 * complete, or the history is closed). After NULL, notify(data) is called when an event arrives; it runs under the
 * history's lock and must not call history functions. A listener with LISTENER_EVENTS unread events is dropped. Errors:
 * RESOURCE_EXHAUSTED.
 */
Control__BuildHistoryEvent *history_listener_take(history_listener *l, bool *ret_end, GError **error);
void history_listener_free(history_listener *l);
/* No further events are sent once no build is active (the daemon is stopping). */
void history_stop(history *h);
