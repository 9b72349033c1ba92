/* SPDX-License-Identifier: Apache-2.0 */
#include "export/statement.h"
#include <string.h>

static struct statement_budget budget = {.left = 1 << 20};

static struct attestation *read_text(const char *text, GError **error)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
	return attestation_read(bytes, "s.json", error);
}

static void test_read(void)
{
	g_autoptr(GError) error = NULL;
	struct attestation *a = read_text(
		"{ \"_type\": \"t\", \"PredicateType\": \"https://x/1\", \"predicate\": {\"b\": 1e400, \"a\": 0.10},"
		" \"subject\": [{\"name\": \"n\", \"digest\": {\"sha512\": \"bb\", \"sha256\": \"aa\"}}, {}] }",
		&error);
	g_assert_no_error(error);
	g_assert_cmpstr(a->predicate_type, ==, "https://x/1");
	g_assert_cmpuint(a->subjects->len, ==, 2);
	g_autoptr(GBytes) out = attestation_statement(a, NULL, 0, &budget, NULL);
	g_assert_cmpstr(
		g_bytes_get_data(out, NULL), ==,
		"{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicateType\":\"https://x/1\",\"subject\":["
		"{\"name\":\"n\",\"digest\":{\"sha256\":\"aa\",\"sha512\":\"bb\"}},{\"name\":\"_\",\"digest\":{}}],"
		"\"predicate\":{\"b\":1e400,\"a\":0.10}}");
	attestation_free(a);
}

static void test_default_subjects(void)
{
	struct digest digest;
	digest_of_text("x", &digest);
	g_autoptr(GPtrArray) subjects = g_ptr_array_new_with_free_func(attestation_subject_free);
	g_ptr_array_add(subjects, attestation_subject_new("pkg:docker/a@1", &digest));
	struct attestation *a = read_text("{\"subject\":null,\"predicateType\":null}", NULL);
	struct attestation_subject *self = g_new0(struct attestation_subject, 1);
	self->is_self = true;
	self->name = g_strdup("other");
	g_autofree char *subject = g_strdup_printf("\"digest\":{\"sha256\":\"%s\"}", digest_hex(&digest));
	g_autofree char *want = g_strdup_printf("{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicateType\":\"\","
						"\"subject\":[{\"name\":\"pkg:docker/a@1\",%s}],\"predicate\":null}",
						subject);
	g_autoptr(GBytes) plain = attestation_statement(a, subjects, 0, &budget, NULL);
	g_assert_cmpstr(g_bytes_get_data(plain, NULL), ==, want);
	g_ptr_array_add(a->subjects, self);
	g_autofree char *more =
		g_strdup_printf("{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicateType\":\"\",\"subject\":["
				"{\"name\":\"pkg:docker/a@1\",%s},{\"name\":\"other\",%s}],\"predicate\":null}",
				subject, subject);
	g_autoptr(GBytes) named = attestation_statement(a, subjects, 0, &budget, NULL);
	g_assert_cmpstr(g_bytes_get_data(named, NULL), ==, more);
	attestation_free(a);
}

static void test_errors(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"", "failed to parse s.json: invalid value at offset 0"},
		{"[]", "not a JSON object"},
		{"{} x", "failed to parse s.json: unexpected text after the value at offset 3"},
		{"{\"predicateType\":1}", "\"predicateType\" has another type"},
		{"{\"subject\":{}}", "\"subject\" has another type"},
		{"{\"subject\":[1]}", "\"subject\" has another type"},
		{"{\"subject\":[{\"name\":1}]}", "\"subject\" has another type"},
		{"{\"subject\":[{\"digest\":[]}]}", "\"digest\" has another type"},
		{"{\"subject\":[{\"digest\":{\"a\":1}}]}", "\"digest\" has another type"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *want = g_strconcat("cannot decode in-toto statement: ", rows[i].error, NULL);
		g_assert_null(read_text(rows[i].text, &error));
		g_assert_cmpstr(error->message, ==, want);
		g_assert_cmpint(error->code, ==, ERROR_INVALID_ARGUMENT);
	}
}

/* Subjects and predicates that become far larger than what is read of them. */
static void test_budget(void)
{
	struct digest digest;
	digest_of_text("x", &digest);
	g_autoptr(GPtrArray) subjects = g_ptr_array_new_with_free_func(attestation_subject_free);
	for (int i = 0; i < 1000; i++)
		g_ptr_array_add(subjects, attestation_subject_new("pkg:docker/a@1", &digest));
	g_autoptr(GString) deep = g_string_new("{\"predicate\":");
	for (int i = 0; i < 60; i++)
		g_string_append_c(deep, '[');
	g_string_append_c(deep, '0');
	for (int i = 0; i < 20000; i++)
		g_string_append(deep, ",0");
	for (int i = 0; i < 60; i++)
		g_string_append_c(deep, ']');
	g_string_append_c(deep, '}');
	struct attestation *a = read_text(deep->str, NULL), *self = read_text("{}", NULL);
	for (int i = 0; i < 1000; i++) {
		struct attestation_subject *s = g_new0(struct attestation_subject, 1);
		s->is_self = true;
		g_ptr_array_add(self->subjects, s);
	}
	const struct {
		struct attestation *a;
		int indent;
		int64_t left;
		bool fits;
	} rows[] = {
		{a, 0, 1 << 20, true},     {a, 2, 1 << 20, false}, {a, 0, 40000, false},
		{self, 0, 1 << 16, false}, {self, 2, 0, false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		struct statement_budget own = {.left = rows[i].left};
		g_autoptr(GBytes) out = attestation_statement(rows[i].a, subjects, rows[i].indent, &own, &error);
		if (rows[i].fits) {
			g_assert_no_error(error);
			g_assert_cmpint(own.left, ==, rows[i].left - (int64_t)g_bytes_get_size(out));
			continue;
		}
		g_assert_null(out);
		g_assert_cmpint(error->code, ==, ERROR_RESOURCE_EXHAUSTED);
		g_assert_cmpstr(error->message, ==, "the statements about a platform exceed 1073741824 bytes");
		g_assert_cmpint(own.left, ==, rows[i].left);
	}
	attestation_free(a);
	attestation_free(self);
}

static void test_core(void)
{
	struct attestation a = {.path = (char *)"/run/out/sbom.spdx.json", .sbom_core = (char *)"sbom"};
	g_assert_true(attestation_is_core(&a));
	a.path = (char *)"/run/out/sbom-base.spdx.json";
	g_assert_false(attestation_is_core(&a));
	a.path = (char *)"sbom";
	g_assert_true(attestation_is_core(&a));
	a.sbom_core = NULL;
	g_assert_false(attestation_is_core(&a));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/statement/read", test_read);
	g_test_add_func("/statement/default-subjects", test_default_subjects);
	g_test_add_func("/statement/errors", test_errors);
	g_test_add_func("/statement/budget", test_budget);
	g_test_add_func("/statement/core", test_core);
	return g_test_run();
}
