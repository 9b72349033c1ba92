/* SPDX-License-Identifier: Apache-2.0 */
#include "export/statement.h"
#include "base/limits.h"
#include "format/json_text.h"
#include "format/json_writer.h"
#include <string.h>

struct attestation *attestation_new(const char *predicate_type)
{
	struct attestation *a = g_new0(struct attestation, 1);
	a->predicate_type = g_strdup(predicate_type);
	a->subjects = g_ptr_array_new_with_free_func(attestation_subject_free);
	return a;
}

void attestation_free(void *attestation)
{
	struct attestation *a = attestation;
	g_free(a->predicate_type);
	g_free(a->path);
	g_free(a->sbom_core);
	g_clear_pointer(&a->predicate, g_bytes_unref);
	g_ptr_array_unref(a->subjects);
	g_free(a);
}

static bool mistyped(const char *member, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has another type", member);
}

static bool is_null(struct json_slice s)
{
	return s.n == strlen("null") && *s.start == 'n';
}

static bool digests_read(const json_t *json, struct attestation_subject *s, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	const char *algorithm;
	json_t *hex;
	if (json && !json_is_null(json) && !json_is_object(json))
		return mistyped("digest", error);
	json_object_foreach((json_t *)json, algorithm, hex)
	{
		if (!json_is_string(hex))
			return mistyped("digest", error);
		g_ptr_array_add(list, g_strconcat(algorithm, ":", json_string_value(hex), NULL));
	}
	g_ptr_array_add(list, NULL);
	s->digests = (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
	return true;
}

static bool subject_read(const json_t *json, struct attestation *a, GError **error)
{
	const json_t *name = json_member_any_case(json, "name");
	if (!json_is_object(json) || (name && !json_is_null(name) && !json_is_string(name)))
		return mistyped("subject", error);
	struct attestation_subject *s = g_new0(struct attestation_subject, 1);
	s->name = g_strdup(name ? json_string_value(name) : NULL);
	g_ptr_array_add(a->subjects, s);
	return digests_read(json_member_any_case(json, "digest"), s, error);
}

static bool subjects_read(struct json_slice slice, struct attestation *a, GError **error)
{
	g_ptr_array_set_size(a->subjects, 0);
	if (is_null(slice))
		return true;
	g_autoptr(json_t) list = json_read(slice.start, slice.n, (size_t)LIMIT_SUBJECTS_BYTES, "subject", error);
	if (!list)
		return false;
	if (!json_is_array(list))
		return mistyped("subject", error);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!subject_read(json_array_get(list, i), a, error))
			return false;
	return true;
}

static bool type_read(struct json_slice slice, struct attestation *a, GError **error)
{
	if (is_null(slice))
		return true;
	char *type = json_slice_string(slice);
	if (!type)
		return mistyped("predicateType", error);
	g_free(a->predicate_type);
	a->predicate_type = type;
	return true;
}

static bool predicate_read(struct json_slice slice, struct attestation *a, GError **error)
{
	g_clear_pointer(&a->predicate, g_bytes_unref);
	a->predicate = g_bytes_new(slice.start, slice.n);
	return true;
}

static bool members_read(const GString *text, struct attestation *a, GError **error)
{
	static const struct {
		const char *name;
		bool (*read)(struct json_slice slice, struct attestation *a, GError **error);
	} members[] = {{"predicateType", type_read}, {"subject", subjects_read}, {"predicate", predicate_read}};
	struct json_walk w;
	if (*text->str != '{' || !json_walk_begin(&w, text->str, text->len))
		return error_set(error, ERROR_INVALID_ARGUMENT, "not a JSON object");
	while (json_walk_next(&w))
		for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
			if (json_slice_is(w.key, members[i].name, true) && !members[i].read(w.value, a, error))
				return false;
	if (!a->predicate)
		a->predicate = g_bytes_new_static("null", strlen("null"));
	return true;
}

struct attestation *attestation_read(GBytes *bytes, const char *name, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	g_autoptr(GString) text = json_text_compact(data, n, name, error);
	struct attestation *a = attestation_new("");
	if (text && members_read(text, a, error))
		return a;
	g_prefix_error(error, "cannot decode in-toto statement: ");
	attestation_free(a);
	return NULL;
}
