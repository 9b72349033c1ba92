/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

#define ROW(kind) {#kind, &source_##kind##_class},
static const struct {
	const char *kind;
	const struct source_class *class;
} rows[] = {SOURCE_KINDS(ROW)};

/* Members that are called without a check are set in each row. */
static void test_rows(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct source_class *c = rows[i].class;
		if (!c->scheme || c->material == SOURCE_MATERIAL_UNSET || c->material >= SOURCE_MATERIAL_COUNT ||
		    !c->open || !c->cache_key || !c->snapshot || !c->free)
			g_error("source_%s_class has no scheme, material, open, cache_key, snapshot or free",
				rows[i].kind);
		g_autofree char *identifier = g_strconcat(c->scheme, "://x", NULL);
		const char *rest;
		g_assert_true(source_class_find(identifier, &rest) == c);
	}
}

static void test_name(void)
{
	static const struct {
		const char *identifier, *full_url, *want;
	} cases[] = {
		{"docker-image://alpine", NULL, "docker-image://docker.io/library/alpine:latest"},
		{"docker-image://h:5000/a/b:c", NULL, "docker-image://h:5000/a/b:c"},
		{"docker-image://UPPER", NULL, "docker-image://UPPER"},
		{"git://github.com/a/b.git#main:x/../y/", NULL, "git://github.com/a/b.git#main:y"},
		{"git://github.com/a/b.git", "https://u:p@evil.org//c/./d.git", "git://evil.org/c/d.git"},
		{"git://git@github.com:a/b.git#main", NULL, "git://github.com/a/b.git#main"},
		{"git://github.com/a/b.git#:sub", "ssh://git@h/x.git", "git://h/x.git#:sub"},
		{"https://h/a", NULL, "https://h/a"},
		{"local://context", NULL, "local://context"},
		{"nothing", NULL, "nothing"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Pb__SourceOp op = PB__SOURCE_OP__INIT;
		Pb__SourceOp__AttrsEntry full = PB__SOURCE_OP__ATTRS_ENTRY__INIT, *attrs[] = {&full};
		full.key = (char *)"git.fullurl";
		full.value = (char *)cases[i].full_url;
		op.identifier = (char *)cases[i].identifier;
		op.attrs = attrs;
		op.n_attrs = cases[i].full_url ? 1 : 0;
		g_autofree char *name = source_name(&op);
		g_assert_cmpstr(name, ==, cases[i].want);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/identifier/rows", test_rows);
	g_test_add_func("/identifier/name", test_name);
	return g_test_run();
}
