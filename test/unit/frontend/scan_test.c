/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/git_url.h"
#include "frontend/dockerfile/mounts.h"
#include "frontend/dockerfile/ports.h"
#include "frontend/dockerfile/scan.h"
#include "lib/outcome.h"
#include <string.h>

static bool scan_text(arena *a, const char *text, struct scan *s, GError **error)
{
	struct span where;
	return scan_file(a, text, strlen(text), s, &where, error);
}

static struct node *node_at(const struct scan *s, size_t i)
{
	g_assert_cmpuint(i, <, s->nodes.n);
	return s->nodes.items[i];
}

static void test_lines(void)
{
	g_autoptr(arena) a = arena_new();
	struct scan s;
	assert_succeeds(
		scan_text(a,
			  "\xEF\xBB\xBF# desc one\n#\n# kept\n\n  from  a\tas b \r\nRUN x \\\n  y\\\\\nRUN z \\  "
			  "\n# no\n\n \\\n end",
			  &s, &failure));
	g_assert_cmpuint(s.nodes.n, ==, 3);
	g_assert_cmpstr(node_at(&s, 0)->keyword, ==, "from");
	g_assert_cmpuint(node_at(&s, 0)->args.n, ==, 3);
	g_assert_cmpuint(node_at(&s, 0)->comments.n, ==, 1);
	g_assert_cmpstr(node_at(&s, 0)->comments.items[0], ==, "kept");
	g_assert_cmpint(node_at(&s, 0)->span.first, ==, 5);
	g_assert_cmpstr(node_at(&s, 1)->original, ==, "RUN x   y\\\\");
	g_assert_cmpint(node_at(&s, 1)->span.last, ==, 7);
	g_assert_cmpstr(node_at(&s, 2)->original, ==, "RUN z   end");
	g_assert_cmpuint(s.empty_continuation.n, ==, 1);
	g_assert_cmpint(vec_at(&s.empty_continuation, struct span *, 0)->first, ==, 12);
}

static void test_escape(void)
{
	g_autoptr(arena) a = arena_new();
	g_autoptr(GError) error = NULL;
	struct scan s;
	assert_succeeds(scan_text(a, "# escape = `\nFROM a\nRUN x `\n y \\\n", &s, &failure));
	g_assert_cmpint(s.escape, ==, '`');
	g_assert_cmpstr(node_at(&s, 1)->original, ==, "RUN x  y \\");
	assert_succeeds(scan_text(a, "#!/bin/x\n# escape=`\nFROM a\n", &s, &failure));
	g_assert_cmpint(s.escape, ==, '\\');
	g_assert_false(scan_text(a, "# escape=x\nFROM a\n", &s, &error));
	g_assert_cmpstr(error->message, ==, "invalid escape token 'x' does not match ` or \\");
}

static void test_words(void)
{
	g_autoptr(arena) a = arena_new();
	struct scan s;
	assert_succeeds(scan_text(
		a,
		"COPY --from=a --chown=\"x y\" -- --b c\nENV k v 'w'\nENV a=\"b c\" d=e\\ f\nRUN [\"a\", \"b\"]\n"
		"RUN ['a']\nRUN []\nHEALTHCHECK CMD [\"x\"]\nARG a b=\"c d\"\nONBUILD RUN x\n",
		&s, &failure));
	g_assert_cmpuint(node_at(&s, 0)->flags.n, ==, 2);
	g_assert_cmpstr(node_at(&s, 0)->flags.items[1], ==, "--chown=x y");
	g_assert_cmpstr(node_at(&s, 0)->args.items[0], ==, "--b");
	g_assert_cmpstr(node_at(&s, 1)->args.items[1], ==, "v 'w'");
	g_assert_cmpstr(node_at(&s, 1)->args.items[2], ==, "");
	g_assert_cmpstr(node_at(&s, 2)->args.items[1], ==, "\"b c\"");
	g_assert_cmpstr(node_at(&s, 2)->args.items[4], ==, "e\\ f");
	g_assert_true(node_at(&s, 3)->json);
	g_assert_false(node_at(&s, 4)->json);
	g_assert_cmpstr(node_at(&s, 4)->args.items[0], ==, "['a']");
	g_assert_true(node_at(&s, 5)->json);
	g_assert_cmpuint(node_at(&s, 5)->args.n, ==, 0);
	g_assert_cmpuint(node_at(&s, 6)->args.n, ==, 2);
	g_assert_cmpstr(node_at(&s, 7)->args.items[1], ==, "b=\"c d\"");
	g_assert_cmpstr(node_at(&s, 8)->args.items[0], ==, "RUN");
	assert_succeeds(scan_text(a, "CMD [\"\\ud800x\\ud83d\\ude00\\\\ud800\", \"\xff\"]\n", &s, &failure));
	g_assert_true(node_at(&s, 0)->json);
	g_assert_cmpstr(node_at(&s, 0)->args.items[0], ==, "\xEF\xBF\xBDx\xF0\x9F\x98\x80\\ud800");
	g_assert_cmpstr(node_at(&s, 0)->args.items[1], ==, "\xEF\xBF\xBD");
}

static void test_heredocs(void)
{
	g_autoptr(arena) a = arena_new();
	g_autoptr(GError) error = NULL;
	struct scan s;
	assert_succeeds(scan_text(
		a, "COPY <<A <<-\"B\" /x\n1\nA\n\t2\n\t\tB\nRUN 3<< E cat\r\nx\r\nE\r\nCOPY [\"<<C\", \"d\"]\n", &s,
		&failure));
	g_assert_cmpuint(s.nodes.n, ==, 3);
	const struct heredoc *one = node_at(&s, 0)->heredocs.items[0], *two = node_at(&s, 0)->heredocs.items[1];
	g_assert_cmpstr(one->content, ==, "1\n");
	g_assert_true(one->expand && !one->chomp);
	g_assert_cmpstr(two->name, ==, "B");
	g_assert_cmpstr(two->content, ==, "\t2\n");
	g_assert_true(!two->expand && two->chomp);
	g_assert_cmpstr(heredoc_chomp(a, two->content), ==, "2\n");
	g_assert_cmpstr(vec_at(&node_at(&s, 1)->heredocs, struct heredoc *, 0)->content, ==, "x\r\n");
	g_assert_cmpuint(node_at(&s, 2)->heredocs.n, ==, 0);
	g_assert_cmpint(node_at(&s, 0)->span.last, ==, 5);
	g_assert_null(heredoc_parse(a, "<<<A"));
	g_assert_false(scan_text(a, "RUN <<A\nx\n", &s, &error));
	g_assert_cmpstr(error->message, ==, "unterminated heredoc");
}

static void test_errors(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"# only\n\n", "file with no instructions"},
		{"ENV a\n", "ENV must have two arguments"},
		{"LABEL a=1 b\n", "Syntax error - can't find = in \"b\". Must be of the form: name=value"},
		{"CMD [\"a\", 1]\n", "when using JSON array syntax, arrays must be comprised of strings only"},
		{"# check=a=b\n# check=c\nFROM a\n", "only one check parser directive can be used"},
	};
	g_autoptr(arena) a = arena_new();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct scan s;
		g_autoptr(GError) error = NULL;
		g_assert_false(scan_text(a, cases[i].text, &s, &error));
		g_assert_cmpstr(error->message, ==, cases[i].want);
	}
	g_autofree char *line = g_strnfill(65540, 'x');
	g_autofree char *text = g_strdup_printf("FROM a\nENV L=%s\n", line);
	g_autoptr(GError) error = NULL;
	struct scan s;
	g_assert_false(scan_text(a, text, &s, &error));
	g_assert_cmpstr(error->message, ==, "dockerfile line greater than max allowed size of 65535");
	g_clear_error(&error);
	struct span where;
	g_assert_false(scan_file(a, "FROM a\0b\n", 9, &s, &where, &error));
	g_assert_cmpstr(error->message, ==, "Dockerfile has a NUL byte at offset 6");
}

static void test_instructions(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"RUNN x", "unknown instruction: RUNN (did you mean RUN?)"},
		{"copi a b", "unknown instruction: copi (did you mean copy?)"},
		{"FROM a AS 1",
		 "invalid name for build stage: \"1\", name can't start with a number or contain symbols"},
		{"FROM a b", "FROM requires either one or three arguments"},
		{"COPY --lnk a b", "unknown flag: --lnk (did you mean link?)"},
		{"COPY --link=x a b", "expecting boolean value for flag --link, not: x"},
		{"COPY --link= a b", "missing a value on flag: --link"},
		{"COPY --chown=1 --chown=2 a b", "duplicate flag specified: --chown"},
		{"COPY a", "COPY requires at least two arguments, but only one was provided. Destination could not be "
			   "determined"},
		{"COPY a <<E\nE\n", "COPY cannot accept a heredoc as a destination"},
		{"ENV --x a=b", "unknown flag: --x"},
		{"ENV =b", "ENV names can not be blank"},
		{"SHELL []", "SHELL requires at least one argument"},
		{"SHELL a", "SHELL requires the arguments to be in JSON form"},
		{"HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"},
		{"HEALTHCHECK --interval=1us CMD x", "Interval \"interval\" cannot be less than 1ms"},
		{"HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)"},
		{"HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"},
		{"ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"},
		{"ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
		{"VOLUME [\" \"]", "VOLUME specified can not be an empty string"},
		{"RUN --network=x y", "invalid network mode \"x\""},
		{"RUN --security=x y", "security \"x\" is not valid"},
		{"RUN --mount=from=$x y", "'from' doesn't support variable expansion, define alias stage instead"},
		{"RUN --device=a=b,c y", "invalid field 'c' must be a key=value pair"},
		{"RUN --device=name=a,name=b y", "device name already set to a"},
		{"RUN --device=a,nam=b y", "unexpected key 'nam' in 'nam=b' (did you mean name?)"},
		{"RUN --device=a,required=x y", "invalid value for required: x"},
	};
	g_autoptr(arena) a = arena_new();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct scan s;
		g_autoptr(GError) error = NULL;
		assert_succeeds(scan_text(a, cases[i].text, &s, &failure));
		g_assert_null(instruction_parse(a, s.nodes.items[0], NULL, &error));
		g_assert_cmpstr(error->message, ==, cases[i].want);
	}
}

static void test_directives(void)
{
	static const struct {
		const char *text, *key, *word, *value;
		int line;
	} cases[] = {
		{"# syntax=a/b:1 x y\nFROM a", "syntax", "a/b:1", "a/b:1 x y", 1},
		{"#!/x\n#syntax = a\n", "syntax", "a", "a", 2},
		{"\xEF\xBB\xBF# check=skip=all\r\n", "check", "skip=all", "skip=all", 1},
		{"// syntax=c\n", "syntax", "c", "c", 1},
		{"{\"syntax\": \"d e\"}", "syntax", "d e", "d e", 0},
		{"# x\n# syntax=a\n", "syntax", NULL, NULL, 0},
		{"\n# syntax=a\n", "syntax", NULL, NULL, 0},
		{"// check=a=b\n", "check", NULL, NULL, 0},
	};
	g_autoptr(arena) a = arena_new();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct directive d;
		bool found = directive_find(a, cases[i].text, strlen(cases[i].text), cases[i].key, &d);
		g_assert_cmpint(found, ==, cases[i].word != NULL);
		if (!found)
			continue;
		g_assert_cmpstr(d.word, ==, cases[i].word);
		g_assert_cmpstr(d.value, ==, cases[i].value);
		g_assert_cmpint(d.span.first, ==, cases[i].line);
	}
}

static const char *as_it_is(void *user, const char *value, GError **error)
{
	return value;
}

static void test_mounts(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"type=cahce,target=/x", "unsupported mount type \"cahce\" (did you mean cache?)"},
		{"required,type=secret", "unexpected key 'required' for mount type 'bind'"},
		{"size=1,type=tmpfs", "unexpected key 'size' for mount type 'bind'"},
		{"foo", "invalid field 'foo' must be a key=value pair"},
		{"tagret=/x", "unexpected key 'tagret' in 'tagret=/x' (did you mean target?)"},
		{"mode=700", "mode not allowed for \"bind\" type mounts"},
		{"type=cache,mode=x", "invalid value x for mode"},
		{"type=secret", "invalid secret mount. one of source, target required"},
		{"type=secret,src=a,id=b", "both source and id can't be set"},
		{"type=tmpfs,sharing=locked", "invalid cache sharing set for tmpfs mount"},
		{"type=cache,sharing=x", "unsupported sharing value \"x\""},
		{"ro=maybe", "invalid value for ro: maybe"},
	};
	g_autoptr(arena) a = arena_new();
	struct run_mount m;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_false(mount_parse(a, cases[i].text, as_it_is, NULL, &m, &error));
		g_assert_cmpstr(error->message, ==, cases[i].want);
	}
	assert_succeeds(mount_parse(a, "Type=tmpfs,dst=/t,size=1k", as_it_is, NULL, &m, &failure));
	g_assert_cmpint(m.size, ==, 1024);
	g_assert_false(m.readonly);
	assert_succeeds(mount_parse(a, "target=/b", as_it_is, NULL, &m, &failure));
	g_assert_true(m.readonly);
}

static void test_ports(void)
{
	static const struct {
		const char *text, *want; /* want begins with "invalid": the error */
	} cases[] = {
		{"80", "80/tcp"},
		{"80/UDP", "80/udp"},
		{"1-3/sctp", "1/sctp,2/sctp,3/sctp"},
		{"[::1]:5:6", "6/tcp"},
		{"8080:80", "80/tcp"},
		{"+80", "80/tcp"},
		{"1-9:5", "5/tcp"},
		{"80/", "80/tcp"},
		{"", "invalid port: \"\": no port specified"},
		{"80/x", "invalid port: \"80/x\": invalid proto: x"},
		{"3-1", "invalid containerPort: 3-1"},
		{"70000", "invalid containerPort: 70000"},
		{"x:1", "invalid hostPort: x"},
		{"a:1:1", "invalid IP address: a"},
		{"1-2:1-3", "invalid ranges specified for container and host Ports: 1-3 and 1-2"},
	};
	g_autoptr(arena) a = arena_new();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ports p = {0};
		g_autoptr(GError) error = NULL;
		bool ok = ports_parse(a, cases[i].text, &p, &error);
		g_assert_cmpint(ok, ==, !g_str_has_prefix(cases[i].want, "invalid"));
		g_autofree char *joined = vec_join(&p.list, ",");
		g_assert_cmpstr(ok ? joined : error->message, ==, cases[i].want);
	}
}

static void test_git_url(void)
{
	static const struct {
		const char *text, *id; /* NULL: not git; "!...": the error */
	} cases[] = {
		{"https://github.com/a/b.git", "git://github.com/a/b.git"},
		{"https://github.com/a/b", NULL},
		{"github.com/a/b", "git://github.com/a/b"},
		{"git@github.com:a/b.git#v1:x/../y", "git://github.com/a/b.git#v1:y"},
		{"ssh://git@h:22/a.git?branch=main", "git://h:22/a.git#refs/heads/main"},
		{"git://h/a?tag=v1&subdir=s", "git://h/a#refs/tags/v1:s"},
		{"./x.git", NULL},
		{"file.txt", NULL},
		{"https://h/a.git?ref=", "!query \"ref\" has no value"},
		{"https://h/a.git?ref=a&ref=b", "!query \"ref\" has multiple values"},
		{"https://h/a.git?ref=a#b", "!ref conflicts: \"b\" vs \"a\""},
		{"https://h/a.git?x=y", "!unexpected query \"x\""},
		{"https://h/a.git?tag=a&branch=b", "!branch conflicts with tag"},
		{"https://h/a.git?mtime=x", "!invalid mtime value: \"x\" (must be \"checkout\" or \"commit\")"},
	};
	g_autoptr(arena) a = arena_new();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct git_url u;
		bool is_git;
		const char *const *attrs;
		g_autoptr(GError) error = NULL;
		bool ok = git_url_parse(a, cases[i].text, &u, &is_git, &error);
		if (!cases[i].id) {
			g_assert_true(ok && !is_git);
		} else if (cases[i].id[0] == '!') {
			g_assert_false(ok);
			g_assert_cmpstr(error->message, ==, cases[i].id + 1);
		} else {
			g_assert_no_error(error);
			g_assert_true(is_git);
			g_assert_cmpstr(git_url_source(a, &u, false, "", "", &attrs), ==, cases[i].id);
		}
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/scan/lines", test_lines);
	g_test_add_func("/scan/escape", test_escape);
	g_test_add_func("/scan/words", test_words);
	g_test_add_func("/scan/heredocs", test_heredocs);
	g_test_add_func("/scan/errors", test_errors);
	g_test_add_func("/scan/directives", test_directives);
	g_test_add_func("/instruction/errors", test_instructions);
	g_test_add_func("/mounts", test_mounts);
	g_test_add_func("/ports", test_ports);
	g_test_add_func("/git_url", test_git_url);
	return g_test_run();
}
