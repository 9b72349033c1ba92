/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "builder/provenance.h"
#include "base/log.h"
#include "base/version.h"
#include "format/json_writer.h"
#include "history/status_wire.h"
#include "progress/log_file.h"
#include "rpc/rpc.h"
#include "format/url_redact.h"
#include <string.h>
#include <unistd.h>

/* ret borrows from the build. ret->exporters: g_free. */
static void describe(const struct build *b, struct history_build *ret)
{
	const struct build_request *r = b->request;
	struct history_exporter *exporters = g_new0(struct history_exporter, r->n_exporters);
	for (size_t i = 0; i < r->n_exporters; i++)
		exporters[i] = (struct history_exporter){.type = r->exporters[i].type, .attrs = r->exporters[i].attrs};
	*ret = (struct history_build){
		.ref = b->ref,
		.frontend = r->frontend,
		.frontend_attrs = r->frontend_attrs,
		.exporters = exporters,
		.n_exporters = r->n_exporters,
		.started_ns = b->started_ns,
	};
}

void build_record_start(struct build *b)
{
	if (b->request->internal)
		return;
	struct history_build start;
	describe(b, &start);
	b->trace = tracer_record(trace_tracer(trace_current()), trace_current());
	history_started(builder_history(b->builder), &start);
	g_free((void *)(uintptr_t)start.exporters);
}

/* The last part of a stored log is for events other than the output of steps. */
#define LOG_RESERVE (16 * 1024 * 1024)
#define PACKED_EVENTS 1024 /* events that are packed at a time */

static void pack_events(GByteArray *bytes, const GPtrArray *events, guint begin)
{
	bool is_full = bytes->len > HISTORY_BLOB_BYTES - LOG_RESERVE;
	g_autoptr(GPtrArray) some = g_ptr_array_new();
	for (guint i = begin; i < MIN(begin + PACKED_EVENTS, events->len); i++)
		if (!is_full || ((const struct progress_event *)events->pdata[i])->type != PROGRESS_LOG)
			g_ptr_array_add(some, events->pdata[i]);
	g_autoptr(GPtrArray) messages = status_wire_pack(some);
	for (guint i = 0; i < messages->len; i++)
		log_file_append(bytes, messages->pdata[i]);
}

/* Stores the status stream, for later Status calls; complete unless steps wrote too much. */
static GBytes *pack_log(struct build *b)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(progress_reader) reader = progress_reader_new(b->log, NULL);
	for (;;) {
		g_autoptr(GPtrArray) events = progress_reader_next(reader, 0);
		if (!events)
			break;
		for (guint i = 0; i < events->len; i += PACKED_EVENTS)
			pack_events(bytes, events, i);
	}
	return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

/* Adds the daemon's version in the field in which BuildKit's error details have the process's stack. */
static void add_stack(GError *error)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_array_member_begin(w, "cmdline");
	json_put_string(w, g_get_prgname() ? g_get_prgname() : "buildkitd");
	json_array_end(w);
	json_put_int_member(w, "pid", getpid());
	json_put_string_member(w, "version", BUILDKIT_VERSION);
	json_put_string_member(w, "revision", BUILDKIT_REVISION);
	json_object_end(w);
	g_autofree char *json = json_writer_take(&w, NULL);
	error_add_detail(error, "stack.Stack", json);
}

/* The client gets the error details unchanged; in the stored copy, passwords in addresses are masked. */
static GBytes *pack_failure(const GError *failure)
{
	g_autoptr(GError) kept = NULL;
	error_set(&kept, error_get_code(failure), "%s", failure->message);
	const GPtrArray *details = error_get_details(failure);
	for (guint i = 0; details && i < details->len; i++) {
		const struct error_detail *d = details->pdata[i];
		g_autofree char *json = url_redact_copy(d->json);
		error_add_detail(kept, d->type, json);
	}
	add_stack(kept);
	return rpc_status_pack(kept);
}

void build_record_end(struct build *b, build_result *result, GHashTable *response, const GError *failure)
{
	if (b->request->internal)
		return;
	struct work work = {.cancel = b->cancel, .sessions = b->sessions};
	g_auto(trace_scope) scope = trace_scope_begin("create history record", TRACE_INTERNAL);
	g_autoptr(GError) error = NULL, why = NULL;
	g_autoptr(GBytes) status = failure ? pack_failure(failure) : NULL, log = NULL;
	g_autoptr(GArray) attestations = provenance_records_new();
	struct history_build start;
	struct history_end end = {
		.completed_ns = progress_now_ns(),
		.counts = progress_log_counts(b->log),
		.failure = failure,
		.status = status,
	};
	g_autofree struct history_image *images = NULL;
	if (result) {
		if (!provenance_record(b->provenance, &work, attestations, &why))
			log_warn("provenance of build %s: %s", b->ref, why->message);
		/* The exported images with their documents: a prune may remove the worker's copies. */
		images = g_new0(struct history_image, b->exporters->len);
		for (size_t i = 0; b->kept && i < b->exporters->len; i++)
			if (b->kept[i].root)
				images[end.n_images++] =
					(struct history_image){i, b->kept[i].root, b->kept[i].documents};
		end.metadata = result->metadata;
		end.attestations = (const struct history_attestation *)(void *)attestations->data;
		end.n_attestations = attestations->len;
		end.images = images;
	}
	end.log = log = pack_log(b);
	build_metrics_note(builder_metrics(b->builder), failure, &end.counts, end.completed_ns - b->started_ns);
	describe(b, &start);
	end.trace = g_steal_pointer(&b->trace);
	if (!history_completed(builder_history(b->builder), &start, &end, &error))
		log_warn("history of build %s: %s", b->ref, error->message);
	g_free((void *)(uintptr_t)start.exporters);
}
