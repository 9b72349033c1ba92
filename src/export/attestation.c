/* SPDX-License-Identifier: Apache-2.0 */
#include "export/attestation.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/text.h"
#include "export/statement.h"
#include "format/json_text.h"
#include "format/json_writer.h"
#include "os/dirlist.h"
#include "os/path.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define PROVENANCE_PREFIX "https://slsa.dev/provenance/"
#define READ_BYTES (256 * 1024)

void attestation_subject_free(void *subject)
{
	struct attestation_subject *s = subject;
	g_free(s->name);
	g_strfreev(s->digests);
	g_free(s);
}

struct attestation_subject *attestation_subject_new(const char *name, const struct digest *digest)
{
	struct attestation_subject *s = g_new0(struct attestation_subject, 1);
	s->name = g_strdup(name);
	s->digests = g_new0(char *, 2);
	s->digests[0] = g_strdup(digest->text);
	return s;
}

bool attestation_is_core(const struct attestation *a)
{
	if (!a->sbom_core)
		return false;
	g_autofree char *base = g_path_get_basename(a->path);
	size_t n = strcspn(base, ".");
	return strlen(a->sbom_core) == n && strncmp(base, a->sbom_core, n) == 0;
}

/* ---- selection */

static bool is_for(const struct export_attestation *a, const char *platform_id, bool with_inline)
{
	return strcmp(a->platform_id, platform_id) == 0 && (with_inline || !a->inline_only);
}

bool attestations_exist(const struct export_input *input, const char *platform_id, bool with_inline)
{
	for (size_t i = 0; i < input->n_attestations; i++)
		if (is_for(&input->attestations[i], platform_id, with_inline))
			return true;
	return false;
}

bool attestations_have_sbom(const struct export_input *input, const char *platform_id)
{
	for (size_t i = 0; i < input->n_attestations; i++)
		if (is_for(&input->attestations[i], platform_id, true) && input->attestations[i].sbom_core)
			return true;
	return false;
}

/* ---- files */

struct loading {
	const struct exporter_context *context;
	struct work *work;
	GPtrArray *list;
	int64_t bytes; /* of predicates so far */
};

static GBytes *file_read(int fd, const char *path, cancel *c, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autofree void *buffer = g_malloc(READ_BYTES);
	for (;;) {
		if (!cancel_check(c, error))
			return NULL;
		ssize_t n = TEMP_FAILURE_RETRY(read(fd, buffer, READ_BYTES));
		if (n < 0)
			return error_null_errno(error, errno, "read %s", path);
		if (n == 0)
			return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
		if (bytes->len + n > LIMIT_ATTESTATION_BYTES)
			return error_null(error, ERROR_RESOURCE_EXHAUSTED, "%s exceeds %lld bytes", path,
					  LIMIT_ATTESTATION_BYTES);
		g_byte_array_append(bytes, buffer, (guint)n);
	}
}

/* Reads a regular file beneath root_fd; links are resolved inside the root. */
static GBytes *file_load(const struct loading *l, int root_fd, const char *path, GError **error)
{
	int opened = path_open_regular_errno(root_fd, path, O_RDONLY, PATH_IN_ROOT, NULL);
	scoped_fd fd = MAX(opened, -1);
	if (path_is_irregular(opened))
		error_set(error, ERROR_INVALID_ARGUMENT, "%s is not a regular file", path);
	else if (opened < 0)
		error_set_errno(error, -opened, "open %s", path);
	return fd < 0 ? NULL : file_read(fd, path, l->work->cancel, error);
}

static bool bytes_check(int64_t bytes, GError **error)
{
	return bytes <= LIMIT_ATTESTATIONS_BYTES ||
	       error_set(error, ERROR_RESOURCE_EXHAUSTED, "the attestations of a platform exceed %lld bytes",
			 LIMIT_ATTESTATIONS_BYTES);
}

/* Takes a. */
static bool list_add(struct loading *l, struct attestation *a, GError **error)
{
	g_ptr_array_add(l->list, a);
	l->bytes += (int64_t)g_bytes_get_size(a->predicate);
	if (l->list->len > LIMIT_ATTESTATIONS)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %lld attestations of a platform",
				 LIMIT_ATTESTATIONS);
	return bytes_check(l->bytes, error);
}

/* ---- one statement */

static void subjects_copy(struct attestation *a, const struct export_attestation *from)
{
	for (size_t i = 0; i < from->n_subjects; i++) {
		const struct export_subject *s = &from->subjects[i];
		struct attestation_subject *to = g_new0(struct attestation_subject, 1);
		to->is_self = !s->raw;
		to->name = g_strdup(s->name);
		to->digests = g_strdupv((char **)s->digests);
		g_ptr_array_add(a->subjects, to);
	}
}

/* An empty file is the predicate null, as upstream. */
static GBytes *predicate_load(const struct loading *l, const struct export_attestation *from, int root_fd,
			      GError **error)
{
	g_autoptr(GBytes) bytes = file_load(l, root_fd, from->path, error);
	if (!bytes)
		return error_prefix_null(error, "cannot read in-toto attestation: ");
	gsize n;
	const void *text = g_bytes_get_data(bytes, &n);
	GString *compact = json_text_compact(n > 0 ? text : "null", n > 0 ? n : strlen("null"), from->path, error);
	return compact ? g_string_free_to_bytes(compact) : NULL;
}

static bool statement_load(struct loading *l, const struct export_attestation *from, int root_fd, GError **error)
{
	GBytes *predicate =
		from->predicate ? from->predicate(from->data, l->work, error) : predicate_load(l, from, root_fd, error);
	if (!predicate)
		return false;
	struct attestation *a = attestation_new(from->predicate_type);
	a->path = g_strdup(from->path);
	a->sbom_core = g_strdup(from->sbom_core);
	a->predicate = predicate;
	subjects_copy(a, from);
	return list_add(l, a, error);
}

/* ---- bundles */

static bool entry_load(struct loading *l, const struct export_attestation *from, int dir_fd, const char *name,
		       GError **error)
{
	g_autoptr(GBytes) bytes = file_load(l, dir_fd, name, error);
	struct attestation *a = bytes ? attestation_read(bytes, name, error) : NULL;
	if (!a)
		return false;
	a->path = g_build_filename(from->path, name, NULL);
	a->sbom_core = g_strdup(from->sbom_core);
	if (*from->predicate_type && strcmp(from->predicate_type, a->predicate_type) != 0)
		error_set(error, ERROR_INVALID_ARGUMENT, "bundle entry %s does not match required predicate type %s",
			  a->predicate_type, from->predicate_type);
	else if (g_str_has_prefix(a->predicate_type, PROVENANCE_PREFIX))
		error_set(error, ERROR_INVALID_ARGUMENT, "frontend may not bundle provenance attestations");
	else
		return list_add(l, a, error);
	attestation_free(a);
	return false;
}

/* An SBOM generator that writes nothing has failed; another empty bundle adds nothing, as upstream. */
static bool bundle_load(struct loading *l, const struct export_attestation *from, int root_fd, GError **error)
{
	scoped_fd dir_fd = path_open(root_fd, from->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, PATH_IN_ROOT, error);
	scoped_dirlist names = {0};
	if (dir_fd < 0 || !dirlist_read(&names, dir_fd, error))
		return false;
	bool ok = names.n > 0 || !from->is_sbom ||
		  error_set(error, ERROR_INVALID_ARGUMENT, "the SBOM generator wrote no documents");
	for (size_t i = 0; ok && i < names.n; i++)
		ok = entry_load(l, from, dir_fd, dirlist_name(&names, i), error);
	return ok;
}

static bool attestation_load(struct loading *l, const struct export_attestation *from, GError **error)
{
	if (!from->predicate && !from->has_ref)
		return error_set(error, ERROR_INVALID_ARGUMENT, "attestation does not have available content");
	if (!from->is_bundle && !*from->path)
		return error_set(error, ERROR_INVALID_ARGUMENT, "attestation does not have set path");
	if (!from->predicate && g_str_has_prefix(from->predicate_type, PROVENANCE_PREFIX))
		return error_set(error, ERROR_INVALID_ARGUMENT, "frontend may not set provenance attestations");
	scoped_fd root_fd = -1;
	if (!from->predicate) {
		root_fd = cache_ref_open_tree(l->context->cache, from->ref, CACHE_TREE_READ, l->work, error);
		if (root_fd < 0)
			return false;
	}
	return from->is_bundle ? bundle_load(l, from, root_fd, error) : statement_load(l, from, root_fd, error);
}

static void core_first(GPtrArray *list)
{
	g_autofree gpointer *sorted = g_new(gpointer, list->len + 1);
	guint n = 0;
	for (guint i = 0; i < list->len; i++)
		if (attestation_is_core(list->pdata[i]))
			sorted[n++] = list->pdata[i];
	for (guint i = 0; i < list->len; i++)
		if (!attestation_is_core(list->pdata[i]))
			sorted[n++] = list->pdata[i];
	if (n > 0)
		memcpy(list->pdata, sorted, n * sizeof *sorted);
}

GPtrArray *attestations_load(const struct exporter_context *context, const struct export_input *input,
			     const char *platform_id, bool with_inline, struct work *work, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(attestation_free);
	struct loading l = {.context = context, .work = work, .list = list};
	for (size_t i = 0; i < input->n_attestations; i++)
		if (is_for(&input->attestations[i], platform_id, with_inline) &&
		    !attestation_load(&l, &input->attestations[i], error))
			return error_prefix_null(error, "attestation of %s: ", platform_id);
	core_first(list);
	return g_steal_pointer(&list);
}

bool attestations_check_bytes(const GPtrArray *list, GError **error)
{
	int64_t bytes = 0;
	for (guint i = 0; i < list->len; i++)
		bytes += (int64_t)g_bytes_get_size(((const struct attestation *)list->pdata[i])->predicate);
	return bytes_check(bytes, error);
}

/* ---- statements */

/* Go writes a map of algorithms: sorted, and of equal ones the last. */
static void put_digests(json_writer *w, char *const *digests)
{
	g_autoptr(GHashTable) map = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (char *const *d = digests; d && *d; d++) {
		const char *colon = strchr(*d, ':');
		g_hash_table_replace(map, g_strndup(*d, colon ? (gsize)(colon - *d) : strlen(*d)),
				     (gpointer)(colon ? colon + 1 : ""));
	}
	guint n;
	g_autofree char **algorithms = (char **)g_hash_table_get_keys_as_array(map, &n);
	qsort(algorithms, n, sizeof *algorithms, text_order);
	json_object_begin(w);
	for (guint i = 0; i < n; i++)
		json_put_string_member(w, algorithms[i], g_hash_table_lookup(map, algorithms[i]));
	json_object_end(w);
}

static void put_subject(json_writer *w, const char *name, char *const *digests)
{
	json_object_begin(w);
	json_put_string_member(w, "name", name);
	json_key(w, "digest");
	put_digests(w, digests);
	json_object_end(w);
}

static bool budget_check(const json_writer *w, const struct statement_budget *budget, GError **error)
{
	if (!json_writer_is_full(w))
		return cancel_check(budget->cancel, error);
	return error_set(error, ERROR_RESOURCE_EXHAUSTED, "the statements about a platform exceed %lld bytes",
			 LIMIT_STATEMENTS_BYTES);
}

static bool put_self(json_writer *w, const GPtrArray *subjects, const char *name, const struct statement_budget *budget,
		     GError **error)
{
	for (guint i = 0; i < subjects->len; i++) {
		const struct attestation_subject *s = subjects->pdata[i];
		put_subject(w, s->name, s->digests);
		if (name && *name)
			put_subject(w, name, s->digests);
		if (!budget_check(w, budget, error))
			return false;
	}
	return true;
}

static bool put_subjects(json_writer *w, const struct attestation *a, const GPtrArray *subjects,
			 const struct statement_budget *budget, GError **error)
{
	json_key(w, "subject");
	json_array_begin(w);
	if (a->subjects->len == 0 && !put_self(w, subjects, NULL, budget, error))
		return false;
	for (guint i = 0; i < a->subjects->len; i++) {
		const struct attestation_subject *s = a->subjects->pdata[i];
		if (s->is_self && !put_self(w, subjects, s->name, budget, error))
			return false;
		if (!s->is_self)
			put_subject(w, s->name && *s->name ? s->name : "_", s->digests);
	}
	json_array_end(w);
	return true;
}

GBytes *attestation_statement(const struct attestation *a, const GPtrArray *subjects, int indent,
			      struct statement_budget *budget, GError **error)
{
	gsize n_predicate;
	const char *predicate = g_bytes_get_data(a->predicate, &n_predicate);
	g_autoptr(json_writer) w = json_writer_new(indent);
	json_writer_set_max(w, (size_t)budget->left);
	json_object_begin(w);
	json_put_string_member(w, "_type", STATEMENT_TYPE);
	json_put_string_member(w, "predicateType", a->predicate_type);
	if (!put_subjects(w, a, subjects, budget, error))
		return NULL;
	json_key(w, "predicate");
	json_put_raw(w, predicate, n_predicate);
	if (!budget_check(w, budget, error))
		return NULL;
	json_object_end(w);
	size_t n;
	char *text = json_writer_take(&w, &n);
	budget->left -= MIN((int64_t)n, budget->left);
	return g_bytes_new_take(text, n);
}
