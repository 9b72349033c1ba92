/* SPDX-License-Identifier: Apache-2.0 */
#include "history/record.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include "format/url_redact.h"
#include "status.pb-c.h"

Control__BuildHistoryRecord *history_record_new(const struct history_build *build)
{
	Control__BuildHistoryRecord *r = message_new(Control__BuildHistoryRecord, control__build_history_record);
	r->ref = g_strdup(build->ref);
	r->frontend = g_strdup(build->frontend);
	r->createdat = message_time_new(build->started_ns);
	message_set_map(r, frontendattrs, build->frontend_attrs);
	for (size_t i = 0; i < r->n_frontendattrs; i++) { /* the address of a context may contain a password */
		g_autofree char *value = r->frontendattrs[i]->value;
		r->frontendattrs[i]->value = url_redact(value);
	}
	for (size_t i = 0; i < build->n_exporters; i++) {
		Control__Exporter *e = message_new(Control__Exporter, control__exporter);
		e->type = g_strdup(build->exporters[i].type);
		message_set_map(e, attrs, build->exporters[i].attrs);
		message_append(r, exporters, e);
	}
	return r;
}

/* Stores the result's metadata without the exporters' keys, as upstream. */
static void add_metadata(Control__BuildHistoryRecord *r, GHashTable *metadata)
{
	for (struct hash_walk it = hash_walk(metadata); hash_walk_next(&it);) {
		Control__BuildHistoryRecord__ExporterResponseEntry *entry =
			message_new(Control__BuildHistoryRecord__ExporterResponseEntry,
				    control__build_history_record__exporter_response_entry);
		entry->key = g_strdup(it.key);
		entry->value = text_from_bytes(it.value);
		message_append(r, exporterresponse, entry);
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

static void add_attestation(Control__BuildHistoryRecord *r, const struct history_attestation *a)
{
	Control__BuildResultInfo *info = message_new(Control__BuildResultInfo, control__build_result_info);
	message_append(info, attestations, descriptor_new(a->descriptor));
	if (!*a->key) {
		r->result = info;
		return;
	}
	Control__BuildHistoryRecord__ResultsEntry *entry =
		message_new(Control__BuildHistoryRecord__ResultsEntry, control__build_history_record__results_entry);
	entry->key = g_strdup(a->key);
	entry->value = info;
	message_append(r, results, entry);
}

bool history_image_fits(const struct history_image *image)
{
	for (guint i = 0; i < image->documents->len; i++)
		if (g_bytes_get_size(image->documents->pdata[i]) > HISTORY_DOCUMENT_BYTES)
			return false;
	return true;
}

static void add_image(Control__BuildHistoryRecord *r, const struct history_image *image)
{
	if (!history_image_fits(image))
		return;
	if (!r->result)
		r->result = message_new(Control__BuildResultInfo, control__build_result_info);
	if (!r->result->resultdeprecated)
		r->result->resultdeprecated = descriptor_new(image->root);
	Control__BuildResultInfo__ResultsEntry *entry =
		message_new(Control__BuildResultInfo__ResultsEntry, control__build_result_info__results_entry);
	entry->key = (int64_t)image->exporter;
	entry->value = descriptor_new(image->root);
	message_append(r->result, results, entry);
}

void history_record_end(Control__BuildHistoryRecord *r, const struct history_end *end)
{
	r->completedat = message_time_new(end->completed_ns);
	r->numcachedsteps = end->counts.cached;
	r->numtotalsteps = end->counts.total;
	r->numcompletedsteps = end->counts.completed;
	r->numwarnings = end->counts.warnings;
	if (end->failure) {
		r->error = message_new(Google__Status, google__status);
		r->error->code = (int32_t)error_get_code(end->failure);
		r->error->message = g_strdup(end->failure->message);
	}
	if (end->metadata)
		add_metadata(r, end->metadata);
	for (size_t i = 0; i < end->n_attestations; i++)
		add_attestation(r, &end->attestations[i]);
	for (size_t i = 0; i < end->n_images; i++)
		add_image(r, &end->images[i]);
}
