/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotemplate.h"

static const char sample[] =
	"[{\"id\":\"a\",\"labels\":{\"kit\":\"yes\",\"b\":\"<\"},\"gcPolicy\":[{\"all\":true},{\"all\":false}],"
	"\"media_type\":\"m\",\"size\":12,\"parents\":null},{\"id\":\"b\",\"labels\":{},\"gcPolicy\":[]}]";

static void test_good(void)
{
	const struct {
		const char *format, *want;
	} rows[] = {
		{"x", "x"},
		{"{{range .}}{{.ID}},{{end}}", "a,b,"},
		{"{{range .}}{{index .Labels \"kit\"}}{{end}}", "yes"},
		{"{{with index . 0}}{{.MediaType}}{{.Size}}{{range .GCPolicy}} {{.All}}{{end}}{{end}}",
		 "m12 true false"},
		{"{{range .}}{{range .Parents}}p{{else}}none {{end}}{{end}}", "none none "},
		{"{{range .}}{{if eq .ID \"a\"}}A{{else}}not {{$ | len}}{{end}}{{end}}", "Anot 2"},
		{"{{with index . 0}}{{json .Labels}}{{.Labels | json}}{{end}}",
		 "{\"kit\":\"yes\",\"b\":\"<\"}{\"kit\":\"yes\",\"b\":\"<\"}"},
		{"a {{- /* c */ -}} b {{- print 1 2 \"x\" }}", "ab1 2x"},
		{"{{with index . 0}}{{range .Labels}}{{.}} {{end}}{{end}}", "< yes "},
		{"{{if and true false}}1{{else}}2{{end}}{{not 0}}{{ne 1 2}}{{or \"\" \"z\"}}", "2truetruez"},
	};
	json_t *v = json_loads(sample, 0, NULL);
	g_assert_nonnull(v);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *text = gotemplate_render(rows[i].format, v, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(text, ==, rows[i].want);
	}
	json_decref(v);
}

static void test_bad(void)
{
	static const struct {
		const char *format, *error;
	} rows[] = {
		{"{{len .}} {{(index . 0)}}", "template: :1: operand \"0)\" is not supported"},
		{"{{", "template: :1: unclosed action \"{{\""},
		{"{{end}}", "template: :1: unexpected \"end\""},
		{"{{range .}}", "template: :1: unexpected EOF after \"{{\""},
		{"{{nope .}}", "template: :1: function \"nope\" not defined"},
		{"{{index . 7}}", "template: index out of range: 7"},
		{"{{.ID}}", "template: :1: can't evaluate field \"ID\""},
		{"{{.}}", "template: a list or structure is printed with the json function only"},
		{"{{len . |}}", "template: :1: missing or unexpected operand before \"\""},
		{"{{\"a}}", "template: :1: unclosed action \"{{\"a}}\""},
		{"{{ }}", "template: :1: missing value for command \"\""},
	};
	json_t *v = json_loads(sample, 0, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(gotemplate_render(rows[i].format, v, &error));
		g_assert_nonnull(error);
		g_assert_cmpstr(error->message, ==, rows[i].error);
	}
	json_decref(v);
}

/* Fields that the JSON omits are available to templates only; names represent enumerated values. */
static void test_fields(void)
{
	static const char *const rows[][2] = {
		{"{{.Type}} [{{.Error}}] {{.Count}} {{.RecordID}}", "COMPLETE [] 0 r1"},
		{"{{json .}}", "{\"type\":1,\"recordID\":\"r1\",\"list\":[{\"a\":1}]}"},
		{"{{range .List}}{{.A}}{{.B}}{{json .}}{{end}}", "1x{\"a\":1}"},
		{"{{len .}} {{range .}}.{{end}}", "3 ..."},
		{"{{if .Count}}yes{{else}}no{{end}}{{.Other}}", "no<no value>"},
	};
	json_t *v = json_loads("{\"type\":1,\"recordID\":\"r1\",\"list\":[{\"a\":1,\"\\u0001\":{\"b\":\"x\"}}],"
			       "\"\\u0001\":{\"type\":\"COMPLETE\",\"error\":\"\",\"count\":0}}",
			       0, NULL);
	g_assert_nonnull(v);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *text = gotemplate_render(rows[i][0], v, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(text, ==, rows[i][1]);
	}
	json_decref(v);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/format/gotemplate/good", test_good);
	g_test_add_func("/format/gotemplate/bad", test_bad);
	g_test_add_func("/format/gotemplate/fields", test_fields);
	return g_test_run();
}
