/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/env.h"
#include "base/limits.h"
#include "lib/outcome.h"
#include <string.h>

struct row {
	const char *word, *want; /* want NULL: expect an error with `text` */
	const char *text;
};
/* v=/a/b/c.tar.gz e= p=a*b*c f=foo.bar.foo; u is unset. */
static const struct row rows[] = {
	{"plain", "plain"},
	{"", ""},
	{"$v", "/a/b/c.tar.gz"},
	{"${v}x", "/a/b/c.tar.gzx"},
	{"x$u-", "x-"},
	{"$", "$"},
	{"a$ b", "a$ b"},
	{"$1abc", "abc"},
	{"$@$?$$x", "x"},
	{"\\$v", "$v"},
	{"'$v'", "$v"},
	{"\"$v\"", "/a/b/c.tar.gz"},
	{"\"\\a\\\"\\$\"", "\\a\"$"},
	{"a\\", "a"},
	{"${u:-d}", "d"},
	{"${e:-d}", "d"},
	{"${e-d}", ""},
	{"${v:+x}", "x"},
	{"${e:+x}", ""},
	{"${e+x}", "x"},
	{"${u+x}", ""},
	{"${u:-${u:-${e:-deep}}}", "deep"},
	{"${u:-\"a }b\"}", "a }b"},
	{"${v#*/}", "a/b/c.tar.gz"},
	{"${v##*/}", "c.tar.gz"},
	{"${v%.*}", "/a/b/c.tar"},
	{"${v%%.*}", "/a/b/c"},
	{"${p#a\\*}", "b*c"},
	{"${p//\\*/-}", "a-b-c"},
	{"${f/foo/X}", "X.bar.foo"},
	{"${f//foo/X}", "X.bar.X"},
	{"${f//f?"
	 "?/Z}",
	 "Z.bar.Z"},
	{"${f//o/}", "f.bar.f"},
	{"${f/./-}", "foo-bar.foo"},
	{"${f//o*/}", "f"},
	{"${v//\\//_}", "_a_b_c.tar.gz"},
	{"${e?no}", ""},
	{"${u?}", NULL, "failed to process \"${u?}\": u: is not allowed to be unset"},
	{"${e:?}", NULL, "failed to process \"${e:?}\": e: is not allowed to be empty"},
	{"${u:?need it}", NULL, "failed to process \"${u:?need it}\": u: need it"},
	{"${", NULL, "failed to process \"${\": syntax error: missing '}'"},
	{"${}", NULL, "failed to process \"${}\": syntax error: bad substitution"},
	{"${{a}", NULL, "failed to process \"${{a}\": syntax error: bad substitution"},
	{"${:a}", NULL, "failed to process \"${:a}\": syntax error: bad substitution"},
	{"${v:-a", NULL, "failed to process \"${v:-a\": syntax error: missing '}'"},
	{"${v/a", NULL, "failed to process \"${v/a\": syntax error: missing '/' in ${}"},
	{"${v/a/b", NULL, "failed to process \"${v/a/b\": syntax error: missing '}'"},
	{"${v:#a}", NULL, "failed to process \"${v:#a}\": unsupported modifier (:#) in substitution"},
	{"${v^}", NULL, "failed to process \"${v^}\": unsupported modifier (^) in substitution"},
	{"'a", NULL, "failed to process \"'a\": unexpected end of statement while looking for matching single-quote"},
	{"\"a", NULL,
	 "failed to process \"\\\"a\": unexpected end of statement while looking for matching double-quote"},
	{"${v#\\x}", NULL,
	 "failed to process \"${v#\\\\x}\": invalid pattern (\\x) in substitution: invalid escape '\\x'"},
};

struct fixture {
	arena *a;
	GPtrArray *tables;
	struct env *env;
};

static void set_up(struct fixture *f, const void *data)
{
	f->a = arena_new();
	f->tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
	f->env = env_new(f->a, f->tables);
	env_set(f->env, "v", "/a/b/c.tar.gz", NULL);
	env_set(f->env, "e", "", NULL);
	env_set(f->env, "p", "a*b*c", NULL);
	env_set(f->env, "f", "foo.bar.foo", NULL);
}

static void tear_down(struct fixture *f, const void *data)
{
	g_ptr_array_unref(f->tables);
	arena_free(f->a);
}

static void test_table(struct fixture *f, const void *data)
{
	struct words w = {.escape = '\\'};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct words_result r;
		g_autoptr(GError) error = NULL;
		bool ok = words_expand(&w, f->a, rows[i].word, &f->env->words, &r, &error);
		if (rows[i].want) {
			g_assert_no_error(error);
			g_assert_true(ok);
			g_assert_cmpstr(r.text, ==, rows[i].want);
		} else {
			g_assert_false(ok);
			g_assert_cmpstr(error->message, ==, rows[i].text);
		}
	}
}

static void test_other_escape(struct fixture *f, const void *data)
{
	struct words w = {.escape = '`'};
	struct words_result r;
	assert_succeeds(words_expand(&w, f->a, "`$v C:\\x", &f->env->words, &r, &failure));
	g_assert_cmpstr(r.text, ==, "$v C:\\x");
}

static void test_for_display(struct fixture *f, const void *data)
{
	struct words w = {.escape = '\\', .keep_quotes = true, .keep_unset = true};
	struct words_result r;
	assert_succeeds(
		words_expand(&w, f->a, "RUN echo \"$f\" '$f' $u ${u} ${u:-x} e\\ f", &f->env->words, &r, &failure));
	g_assert_cmpstr(r.text, ==, "RUN echo \"foo.bar.foo\" '$f' $u ${u} ${u:-x} e f");
}

static void test_split(struct fixture *f, const void *data)
{
	struct words w = {.escape = '\\'};
	struct words_result r;
	env_set(f->env, "two", "a b", NULL);
	assert_succeeds(words_expand(&w, f->a, "x $two \"$two\" y\\ z", &f->env->words, &r, &failure));
	g_autofree char *joined = vec_join(&r.words, "|");
	g_assert_cmpstr(joined, ==, "x|a|b|a b|y z");
	/* The text before a nested word is missing in the words (as upstream). */
	assert_succeeds(words_expand(&w, f->a, "80${u:-1}", &f->env->words, &r, &failure));
	g_assert_cmpstr(r.text, ==, "801");
	g_assert_cmpstr(r.words.items[0], ==, "1");
}

static void test_matches(struct fixture *f, const void *data)
{
	struct words w = {.escape = '\\'};
	struct words_result r;
	assert_succeeds(words_expand(&w, f->a, "$v$v$u${x:-$e}", &f->env->words, &r, &failure));
	g_autofree char *matched = vec_join(&r.matched, ","), *unmatched = vec_join(&r.unmatched, ",");
	g_assert_cmpstr(matched, ==, "v,e");
	g_assert_cmpstr(unmatched, ==, "u,x");
}

/* L17: limits of work, size and depth. */
static void test_limits(struct fixture *f, const void *data)
{
	int64_t work = 1 << 20;
	struct words w = {.escape = '\\', .work = &work};
	struct words_result r;
	g_autoptr(GError) error = NULL;
	g_autofree char *deep = g_strnfill(400, 'x');
	for (size_t i = 0; i < 100; i++)
		memcpy(deep + 4 * i, "${u-", 4);
	g_assert_false(words_expand(&w, f->a, deep, &f->env->words, &r, &error));
	g_assert_cmpint(error_get_code(error), ==, ERROR_RESOURCE_EXHAUSTED);
	g_clear_error(&error);
	g_autofree char *value = g_strnfill(64 << 10, 'a');
	env_set(f->env, "big", value, NULL);
	g_assert_false(words_expand(&w, f->a, "${big//a*b*c*d*e/x}", &f->env->words, &r, &error));
	g_assert_cmpint(error_get_code(error), ==, ERROR_RESOURCE_EXHAUSTED);
	g_clear_error(&error);
	work = INT64_MAX;
	g_autofree char *many = g_strnfill(4 * 32, ' ');
	for (size_t i = 0; i < 32; i++)
		memcpy(many + 4 * i, "$big", 4);
	g_assert_false(words_expand(&w, f->a, many, &f->env->words, &r, &error));
	g_assert_cmpint(error_get_code(error), ==, ERROR_RESOURCE_EXHAUSTED);
}

static void test_env_order(struct fixture *f, const void *data)
{
	size_t n;
	env_set(f->env, "v", "2", NULL);
	char **list = env_strings(f->env, &n);
	g_assert_cmpuint(n, ==, 4);
	g_assert_cmpstr(list[0], ==, "e=");
	g_assert_cmpstr(list[3], ==, "v=2");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	static const struct {
		const char *name;
		void (*run)(struct fixture *f, const void *data);
	} tests[] = {{"table", test_table},  {"escape", test_other_escape}, {"display", test_for_display},
		     {"split", test_split},  {"matches", test_matches},     {"limits", test_limits},
		     {"env", test_env_order}};
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strdup_printf("/words/%s", tests[i].name);
		g_test_add(path, struct fixture, NULL, set_up, tests[i].run, tear_down);
	}
	return g_test_run();
}
