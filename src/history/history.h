/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history: persistent build records, their blobs, and listeners for events.
 *
 *	history *h = history_open(root_fd, root_path, &limits, error);
 *	history_started(h, &build); ... history_completed(h, &build, &end, error);
 *
 * Records are BuildHistoryRecord messages in <root>/history.db. A record is deleted when it is not among the newest
 * max_entries and is older than max_age; pinned records are kept. Blobs of records are stored compressed in the same
 * file, at most HISTORY_BLOB_BYTES each (documents of images: HISTORY_DOCUMENT_BYTES). The messages of the Control service stay inside
 * this module. Thread: any.
 */
#pragma once
#include "base/digest.h"
#include "base/cancel.h"
#include "oci/oci.h"
#include "progress/progress.h"
#include "trace/tracer.h"

#define HISTORY_BLOB_BYTES                                                                                             \
	(64 * 1024 * 1024) /* what a step wrote beyond that is left out of the log; spans of a trace, too */
/* Images with longer documents are not stored; a statement has at most L43 and its subjects. */
#define HISTORY_DOCUMENT_BYTES (48 * 1024 * 1024)

typedef struct history history;
typedef struct history_listener history_listener;

struct history_limits {
	int64_t max_age_ns;
	int64_t max_entries;
};
history *history_open(int root_fd, const char *root_path, const struct history_limits *limits, GError **error);
void history_close(history *h);

/* A build when it starts; all members are borrowed. */
struct history_exporter {
	const char *type;
	GHashTable *attrs; /* char * to char * */
};
struct history_build {
	const char *ref, *frontend;
	GHashTable *frontend_attrs; /* char * to char *; passwords in addresses are not stored */
	const struct history_exporter *exporters;
	size_t n_exporters;
	int64_t started_ns;
};
struct history_attestation {
	const char *key; /* of the result; "": the single one */
	const oci_descriptor *descriptor;
	GBytes *bytes;
};
struct history_image {
	size_t exporter; /* index in the request */
	const oci_descriptor *root;
	const GPtrArray *documents; /* element type: GBytes * */
};
/* The outcome of a build; all members are borrowed. */
struct history_end {
	int64_t completed_ns;
	struct progress_counts counts;
	GBytes *log;           /* (log_file.h) of messages of status_wire.h */
	const GError *failure; /* NULL: the build succeeded */
	GBytes *status;        /* of the failure, as rpc_status_pack encodes it; NULL: none */
	GHashTable *metadata;  /* of the result: char * to GBytes *; NULL: there is none */
	const struct history_attestation *attestations;
	size_t n_attestations;
	const struct history_image *images;
	size_t n_images;
	trace_recording *trace; /* taken; NULL: the build is not traced */
};

void history_started(history *h, const struct history_build *build);
/* Stores the record, its log, its status, and the blobs that it names. Internal builds are not passed here. */
bool history_completed(history *h, const struct history_build *build, const struct history_end *end, GError **error);
/*
 * finalize: ends the recording of the build's trace, which goes on for some seconds after its end, and adds its document to
 * the record. Errors: "failed to retrieve ref X: file does not exist".
 */
bool history_update(history *h, const char *ref, bool pinned, bool delete_it, bool finalize, GError **error);
/*
 * Returns the log of a completed build (log_file.h; StatusResponse messages). NULL without an error: unknown build.
 */
GBytes *history_log(history *h, const char *ref);
/* Returns a blob of a record, or NULL if there is none. */
GBytes *history_blob(history *h, const char *digest);
/* Returns its size, -1: there is none. */
int64_t history_blob_size(history *h, const char *digest);
/* Returns the bytes at an offset below the size, at most 1 MiB. Errors: NOT_FOUND, DATA_LOSS. */
GBytes *history_blob_read(history *h, const char *digest, int64_t offset, GError **error);

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
 * Returns the next event (an encoded BuildHistoryEvent), or NULL if there is none now or, with ret_end, no further one (the query is
 * complete, or the history is closed). After NULL, notify(data) is called when an event arrives; it runs under the
 * history's lock and must not call history functions. A listener with LISTENER_EVENTS unread events is dropped. Errors:
 * RESOURCE_EXHAUSTED.
 */
GBytes *history_listener_take(history_listener *l, bool *ret_end, GError **error);
void history_listener_free(history_listener *l);
/* No further events are sent once no build is active (the daemon is stopping). */
void history_stop(history *h);
