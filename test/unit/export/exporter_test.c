/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter.h"

#define ROW(name, destination) {#name, &exporter_##name##_class},
static const struct {
	const char *name;
	const struct exporter_class *class;
} rows[] = {EXPORTER_KINDS(ROW)};

/* Members that are called without a check are set in each row. */
static void test_rows(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct exporter_class *c = rows[i].class;
		g_assert_cmpstr(c->type, ==, rows[i].name);
		g_assert_true(c->open && c->export && c->free);
		g_assert_nonnull(c->vertex_name);
		g_assert_cmpstr(exporter_vertex_name_of(rows[i].name), ==, c->vertex_name);
	}
	g_assert_null(exporter_vertex_name_of("nosuch"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/exporter/rows", test_rows);
	return g_test_run();
}
