/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

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
	g_test_add_func("/identifier/name", test_name);
	return g_test_run();
}
