/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "api/message.h"
#include "builder/provenance.h"
#include "builder/status_wire.h"
#include "base/log.h"
#include "base/version.h"
#include "format/json_writer.h"
#include "rpc/rpc.h"
#include "format/url_redact.h"
#include <string.h>
#include <unistd.h>

static Control__Exporter *exporter_new(const struct build_target *target)
{
	Control__Exporter *e = message_new(Control__Exporter, control__exporter);
	e->type = g_strdup(target->type);
	message_set_map(e, attrs, target->attrs);
	return e;
}

static Control__BuildHistoryRecord *record_new(struct build *b)
{
	Control__BuildHistoryRecord *record = message_new(Control__BuildHistoryRecord, control__build_history_record);
	record->ref = g_strdup(b->ref);
	record->frontend = g_strdup(b->request->frontend);
	message_set_map(record, frontendattrs, b->request->frontend_attrs);
	for (size_t i = 0; i < record->n_frontendattrs; i++) { /* a context's address may hold a password */
		g_autofree char *value = record->frontendattrs[i]->value;
		record->frontendattrs[i]->value = url_redact(value);
	}
	record->exporters = g_new0(Control__Exporter *, b->request->n_exporters);
	for (; record->n_exporters < b->request->n_exporters; record->n_exporters++)
		record->exporters[record->n_exporters] = exporter_new(&b->request->exporters[record->n_exporters]);
	record->createdat = message_time_new(b->started_ns);
	return record;
}

void build_record_start(struct build *b)
{
	if (!b->request->internal)
		history_started(builder_history(b->builder), record_new(b));
}

/* Stores the complete status stream, for later Status calls. */
static GBytes *pack_log(struct build *b)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(progress_reader) reader = progress_reader_new(b->log, NULL);
	for (;;) {
		g_autoptr(GPtrArray) events = progress_reader_next(reader, 0);
		if (!events)
			break;
		g_autoptr(GPtrArray) messages = status_wire_pack(events);
		for (guint i = 0; i < messages->len; i++) {
			gsize n = 0;
			const guint8 *message = g_bytes_get_data(messages->pdata[i], &n);
			guint32 length = GUINT32_TO_LE((guint32)n);
			g_byte_array_append(bytes, (const guint8 *)&length, sizeof length);
			g_byte_array_append(bytes, message, (guint)n);
		}
	}
	return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

/* Stores the result's metadata without the exporters' keys, as upstream. */
static void fill_metadata(Control__BuildHistoryRecord *record, build_result *result)
{
	GHashTableIter iter;
	void *key, *value;
	record->exporterresponse =
		g_new0(Control__BuildHistoryRecord__ExporterResponseEntry *, g_hash_table_size(result->metadata));
	g_hash_table_iter_init(&iter, result->metadata);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		Control__BuildHistoryRecord__ExporterResponseEntry *entry =
			message_new(Control__BuildHistoryRecord__ExporterResponseEntry,
				    control__build_history_record__exporter_response_entry);
		gsize n = 0;
		const char *bytes = g_bytes_get_data(value, &n);
		entry->key = g_strdup(key);
		entry->value = g_strndup(bytes ? bytes : "", n);
		record->exporterresponse[record->n_exporterresponse++] = entry;
	}
}

static Control__Descriptor *descriptor_new(const oci_descriptor *from)
{
	Control__Descriptor *d = message_new(Control__Descriptor, control__descriptor);
	d->media_type = g_strdup(from->media_type);
	d->digest = g_strdup(from->digest.text);
	d->size = from->size;
	message_set_map(d, annotations, from->annotations);
	return d;
}

static bool fits(const struct export_kept *kept)
{
	for (guint i = 0; i < kept->documents->len; i++)
		if (g_bytes_get_size(kept->documents->pdata[i]) > HISTORY_BLOB_BYTES)
			return false;
	return true;
}

/* Stores the exported images and their manifests by exporter, because a prune may remove the worker's copies. */
static void fill_images(struct build *b, Control__BuildHistoryRecord *record, GPtrArray *ret_blobs)
{
	for (size_t i = 0; b->kept && i < b->request->n_exporters; i++) {
		const struct export_kept *kept = &b->kept[i];
		if (!kept->root || !fits(kept))
			continue;
		if (!record->result) {
			record->result = message_new(Control__BuildResultInfo, control__build_result_info);
		}
		Control__BuildResultInfo *info = record->result;
		if (!info->resultdeprecated)
			info->resultdeprecated = descriptor_new(kept->root);
		if (!info->results)
			info->results = g_new0(Control__BuildResultInfo__ResultsEntry *, b->request->n_exporters);
		Control__BuildResultInfo__ResultsEntry *entry =
			message_new(Control__BuildResultInfo__ResultsEntry, control__build_result_info__results_entry);
		entry->key = (int64_t)i;
		entry->value = descriptor_new(kept->root);
		info->results[info->n_results++] = entry;
		for (guint k = 0; k < kept->documents->len; k++)
			g_ptr_array_add(ret_blobs, g_bytes_ref(kept->documents->pdata[k]));
	}
}

static void fill_result(struct build *b, build_result *result, Control__BuildHistoryRecord *record,
			GPtrArray *ret_blobs)
{
	struct work work = {.cancel = b->cancel, .sessions = b->sessions};
	g_autoptr(GError) why = NULL;
	fill_metadata(record, result);
	if (!provenance_record(b->provenance, &work, record, ret_blobs, &why))
		log_warn("provenance of build %s: %s", b->ref, why->message);
	fill_images(b, record, ret_blobs);
}

/* Adds the daemon's version in the field in which BuildKit's error details have the process's stack. */
static void add_stack(GError *error)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_key(w, "cmdline");
	json_array_begin(w);
	json_put_string(w, g_get_prgname() ? g_get_prgname() : "buildkitd");
	json_array_end(w);
	json_key(w, "pid");
	json_put_int(w, getpid());
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
	Control__BuildHistoryRecord *record = record_new(b);
	record->completedat = message_time_new(progress_now_ns());
	struct progress_counts counts = progress_log_counts(b->log);
	record->numcachedsteps = counts.cached;
	record->numtotalsteps = counts.total;
	record->numcompletedsteps = counts.completed;
	record->numwarnings = counts.warnings;
	g_autoptr(GBytes) status = failure ? pack_failure(failure) : NULL;
	if (failure) {
		record->error = message_new(Google__Status, google__status);
		record->error->code = (int32_t)error_get_code(failure);
		record->error->message = g_strdup(failure->message);
	}
	g_autoptr(GPtrArray) blobs = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	if (result)
		fill_result(b, result, record, blobs);
	g_autoptr(GBytes) log = pack_log(b);
	g_autoptr(GError) error = NULL;
	if (!history_completed(builder_history(b->builder), record, log, status, blobs, &error))
		log_warn("history of build %s: %s", b->ref, error->message);
}
