/* SPDX-License-Identifier: Apache-2.0 */
#include "export/attestation.h"
#include "format/json_writer.h"
#include <string.h>

#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"

void attestation_subject_clear(void *subject)
{
	g_clear_pointer(&((struct attestation_subject *)subject)->name, g_free);
}

GPtrArray *attestations_of(const struct export_input *input, const char *platform_id, bool with_inline)
{
	GPtrArray *list = g_ptr_array_new();
	for (size_t i = 0; i < input->n_attestations; i++) {
		const struct export_attestation *a = &input->attestations[i];
		if (strcmp(a->platform_id, platform_id) == 0 && (with_inline || !a->inline_only))
			g_ptr_array_add(list, (gpointer)a);
	}
	return list;
}

static void put_subjects(json_writer *w, const GArray *subjects)
{
	json_key(w, "subject");
	json_array_begin(w);
	for (guint i = 0; i < subjects->len; i++) {
		const struct attestation_subject *s = &g_array_index(subjects, struct attestation_subject, i);
		g_autofree char *algorithm = g_strndup(s->digest.text, strcspn(s->digest.text, ":"));
		json_object_begin(w);
		json_put_string_member(w, "name", s->name);
		json_key(w, "digest");
		json_object_begin(w);
		json_put_string_member(w, algorithm, digest_hex(&s->digest));
		json_object_end(w);
		json_object_end(w);
	}
	json_array_end(w);
}

GBytes *attestation_statement(const struct export_attestation *a, const GArray *subjects, int indent, struct work *work,
			      GError **error)
{
	g_autoptr(GBytes) predicate = a->predicate(a->data, work, error);
	if (!predicate)
		return NULL;
	gsize n_predicate;
	const char *json = g_bytes_get_data(predicate, &n_predicate);
	json_writer *w = json_writer_new(indent);
	json_object_begin(w);
	json_put_string_member(w, "_type", STATEMENT_TYPE);
	json_put_string_member(w, "predicateType", a->predicate_type);
	put_subjects(w, subjects);
	json_key(w, "predicate");
	json_put_raw(w, json, n_predicate);
	json_object_end(w);
	size_t n;
	char *text = json_writer_take(&w, &n);
	return g_bytes_new_take(text, n);
}
