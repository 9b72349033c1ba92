/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"
#include "lib/outcome.h"
#include "source/git.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A "1111111111111111111111111111111111111111"
#define B "2222222222222222222222222222222222222222"
#define C "3333333333333333333333333333333333333333"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_refs(void)
{
	static const char *const good[] = {"main", "v1.0", "refs/heads/a-b", "feature/x", "a@b", "\xC3\xA9"};
	static const char *const bad[] = {"",       "-c",       "--upload-pack=x",
					  "a b",    "a\nb",     "a..b",
					  "a~1",    "a^",       "a:b",
					  "a?",     "a*",       "a[b",
					  "a\\b",   "/a",       "a/",
					  "a//b",   ".a",       "a/.b",
					  "a.lock", "a.lock/b", "a.",
					  "@",      "a@{1}",    "a\x7F"};
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_true(git_ref_is_safe(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(git_ref_is_safe(bad[i]));
	g_assert_true(git_is_commit(A));
	g_assert_false(git_is_commit("1111"));
	g_assert_false(git_is_commit("A111111111111111111111111111111111111111"));
	g_assert_true(git_is_hex("aF09"));
	g_assert_false(git_is_hex(""));
	g_assert_false(git_is_hex("0x1"));
}

static void test_listing(void)
{
	static const struct {
		const char *ref, *output, *want; /* NULL: not found; else "full sha peeled" */
	} cases[] = {
		{"main", A "\trefs/heads/main\n", "refs/heads/main " A " "},
		{"v1", A "\trefs/tags/v1\n" B "\trefs/tags/v1^{}\n", "refs/tags/v1 " A " " B},
		{"x", A "\trefs/heads/x\n" B "\trefs/tags/x\n" C "\trefs/tags/x^{}\n", "refs/heads/x " A " "},
		{"heads/x", A "\trefs/heads/x\n", "refs/heads/x " A " "},
		{"refs/heads/x", A "\trefs/heads/x\n", "refs/heads/x " A " "},
		{"refs/pull/1/head", A "\trefs/pull/1/head\n", "refs/pull/1/head " A " "},
		{"x", A "\trefs/heads/a/x\n", NULL},
		{"x", "short\trefs/heads/x\n", NULL},
		{"x", "", NULL},
		{"x", "\n\t\n\t", NULL},
		{NULL, "ref: refs/heads/main\tHEAD\n" A "\tHEAD\n", "refs/heads/main " A " "},
		{NULL, A "\tHEAD\n", NULL},
		{NULL, "ref: refs/heads/-x\tHEAD\n" A "\tHEAD\n", NULL},
		{NULL, "ref: refs/heads/a..b\tHEAD\n" A "\tHEAD\n", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(git_listing) l = {.ref = g_strdup(cases[i].ref)};
		bool ok = git_listing_parse(&l, cases[i].output, strlen(cases[i].output));
		g_assert_cmpint(ok, ==, cases[i].want != NULL);
		g_autofree char *got = ok ? g_strdup_printf("%s %s %s", l.full_ref, l.sha, l.peeled) : NULL;
		g_assert_cmpstr(got, ==, cases[i].want);
	}
}

static void test_key(void)
{
	struct git_shape plain = {.subdir = ""};
	struct git_shape all = {.keep_git_dir = true, .skip_submodules = true, .mtime_commit = true, .subdir = "d/e"};
	g_autofree char *a = git_key(&plain, A, "refs/heads/main"), *b = git_key(&all, A, "refs/heads/main");
	g_assert_cmpstr(a, ==, A);
	g_assert_cmpstr(b, ==, A ".git#refs/heads/main:d/e(skip-submodules)(mtime=commit)");
}

static void test_text(void)
{
	static const char said[] = "From http://h/x\n"
				   "remote: Counting objects:  50% (1/2)\rremote: Counting objects: 100% (2/2), done.\n"
				   "remote: Total 2 (delta 0), reused 0\nremote: hello\n"
				   "Receiving objects: 100% (2/2)\rReceiving objects: 100% (2/2), done.\nfatal: no";
	GString *text = git_text(said, strlen(said));
	g_assert_cmpstr(text->str, ==, "From http://h/x\nremote: hello\nfatal: no");
	g_string_free(text, TRUE);
}

struct attribute {
	const char *key, *value;
};

static struct git_source *open_source(const char *identifier, struct attribute attribute, GError **error)
{
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	Pb__SourceOp__AttrsEntry entry = PB__SOURCE_OP__ATTRS_ENTRY__INIT, *entries[] = {&entry};
	op.identifier = (char *)identifier;
	entry.key = (char *)attribute.key;
	entry.value = (char *)attribute.value;
	op.attrs = entries;
	op.n_attrs = attribute.key ? 1 : 0;
	return source_git_class.open(NULL, &op, NULL, error);
}

static void test_open(void)
{
	static const struct {
		const char *identifier;
		struct attribute attribute;
		const char *want; /* remote, address for messages, user, ref, subdir; or "!error" */
	} cases[] = {
		{"git://h/a.git", {NULL, NULL}, "https://h/a.git https://h/a.git - - "},
		{"git://h/a.git#v1:x/../y/", {NULL, NULL}, "https://h/a.git https://h/a.git - v1 y"},
		{"git://h/a.git#:../../etc", {NULL, NULL}, "https://h/a.git https://h/a.git - - etc"},
		{"git://h/a#v1", {"git.fullurl", "http://u:p@h/a"}, "http://h/a http://xxxxx:xxxxx@h/a u:p v1 "},
		{"git://h/a", {"git.fullurl", "https://tok@h/a"}, "https://h/a https://xxxxx@h/a tok - "},
		{"git://h/a", {"git.fullurl", "git@h:a"}, "git@h:a git@h:a - - "},
		{"git://h/a", {"git.fullurl", "ssh://git@h/a"}, "ssh://git@h/a ssh://xxxxx@h/a - - "},
		{"git://h/a", {"git.fullurl", "ssh://u:p@h/a"}, "ssh://u@h/a ssh://xxxxx:xxxxx@h/a u:p - "},
		{"git://h/a", {"git.fullurl", "git://h/a"}, "git://h/a git://h/a - - "},
		{"git://h/a#--upload-pack=x", {NULL, NULL}, "!invalid git ref \"--upload-pack=x\""},
		{"git://h/a",
		 {"git.fullurl", "ssh://-oProxyCommand=x/y"},
		 "!invalid git URL \"ssh://-oProxyCommand=x/y\""},
		{"git://h/a", {"git.fullurl", "file:///etc"}, "!invalid git URL: unknown protocol"},
		{"git://h/a", {"git.fullurl", "ext::sh"}, "!invalid git URL \"https://ext::sh\""},
		{"git://h/a", {"git.mtime", "x"}, "!invalid git mtime x"},
		{"git://h/a", {"git.sig.pubkey", "x"}, "https://h/a https://h/a - - "},
		{"git://h/a", {"git.bundle", "x"}, "!failed to parse git.bundle locator \"x\": missing scheme"},
		{"git://h/a",
		 {"git.bundle", "oci-layout+blob://s@sha256:" SHA256},
		 "!git.bundle requires git.checksum to be set"},
		{"git://h/a:d", {"git.checkoutbundle", "false"}, "https://h/a:d https://h/a:d - - "},
		{"git://h/a#x:d",
		 {"git.checkoutbundle", "true"},
		 "!git.checkoutbundle is incompatible with git.subdir"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct git_source *s = open_source(cases[i].identifier, cases[i].attribute, &error);
		g_autofree char *got =
			s ? g_strdup_printf("%s %s %s %s %s", s->remote, s->shown, s->user_info ? s->user_info : "-",
					    s->ref ? s->ref : "-", s->subdir)
			  : g_strconcat("!", error->message, NULL);
		g_assert_cmpstr(got, ==, cases[i].want);
		if (s)
			source_git_class.free(s);
	}
}

static void test_no_network(void)
{
	static const struct {
		const char *identifier;
		struct attribute attribute;
		const char *want;
	} cases[] = {
		{"git://h/a#" A, {NULL, NULL}, A},
		{"git://h/a#" A ":d", {"git.keepgitdir", "true"}, A ".git#" A ":d"},
		{"git://h/a#" A, {"git.checkoutbundle", "true"}, A "(bundle)"},
		{"git://h/a#" A, {"git.checksum", "1111"}, A},
		{"git://h/a#" A, {"git.checksum", "2222"}, "!expected checksum to match 2222, got " A},
		{"git://h/a#" A, {"git.checksum", "x"}, "!invalid checksum x for Git URL, expected hex commit hash"},
		{"git://h/a#v1",
		 {"git.fetchbycommit", "true"},
		 "!fetch-by-commit requires a checksum or a commit SHA ref"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct git_source *s = open_source(cases[i].identifier, cases[i].attribute, &error);
		g_assert_no_error(error);
		struct work work = {0};
		g_autofree char *key = NULL, *got = NULL;
		bool last, ok = source_git_class.cache_key(s, &work, 0, &key, &last, &error);
		got = ok ? g_strdup(key) : g_strconcat("!", error->message, NULL);
		g_assert_cmpstr(got, ==, cases[i].want);
		source_git_class.free(s);
	}
}

static void test_bundle(void)
{
	static const struct {
		const char *text, *store, *want; /* layout or image, store, digest; or "!error" */
	} cases[] = {
		{"oci-layout+blob://a/b@sha256:" SHA256, NULL, "layout a/b sha256:" SHA256},
		{"oci-layout+blob://a/b:t@sha256:" SHA256, "", "layout a/b sha256:" SHA256},
		{"oci-layout+blob://a/b@sha256:" SHA256, "s", "layout s sha256:" SHA256},
		{"docker-image+blob://h:5000/r@sha256:" SHA256, NULL, "image r sha256:" SHA256},
		{"docker-image+blob://h:5000/r:1", NULL,
		 "!failed to parse git.bundle locator \"docker-image+blob://h:5000/r:1\": it has no digest"},
		{"oci-layout+blob://a@sha384:" SHA256 A, NULL, "!"},
		{"oci-layout+blob://a@sha384:" SHA256 "11111111111111111111111111111111", NULL,
		 "!failed to parse git.bundle locator \"oci-layout+blob://a@sha384:" SHA256
		 "11111111111111111111111111111111\": digest algorithm sha384 not supported, expected sha256"},
		{"git://h/a", NULL,
		 "!git.bundle locator scheme \"git\" is not supported; expected \"docker-image+blob\" or "
		 "\"oci-layout+blob\""},
		{"docker-image+blob://", NULL, "!"},
		{"://", NULL, "!"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(git_bundle) b = git_bundle_parse(cases[i].text, NULL, cases[i].store, &error);
		g_autofree char *got =
			b ? g_strdup_printf("%s %s %s", b->is_layout ? "layout" : "image", b->store, b->digest.text)
			  : g_strconcat("!", error->message, NULL);
		if (strcmp(cases[i].want, "!") == 0)
			g_assert_cmpint(*got, ==, '!');
		else
			g_assert_cmpstr(got, ==, cases[i].want);
	}
	static const char *const refs[][2] = {
		{A, "refs/heads/main"},           {"x", "refs/heads/x"},
		{"heads/x/y", "refs/heads/x/y"},  {"refs/heads/x", "refs/heads/x"},
		{"refs/tags/v1", "refs/tags/v1"}, {"refs/pull/1", "refs/heads/pull/1"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(refs); i++) {
		g_autofree char *got = git_bundle_ref(refs[i][0]);
		g_assert_cmpstr(got, ==, refs[i][1]);
	}
}

/* No credentials in arguments, no settings of the host, no umask of 0. */
static void test_run(void)
{
	struct work work = {0};
	g_autoptr(git_config) config = git_config_new();
	git_config_add(config, "http.https://h/.extraheader", "Authorization: a b");
	struct git_how how = {.config = config, .hide = "u:p"};
	g_autoptr(GError) error = NULL;
	g_autofree char *value = git_run_line(
		&how, (const char *[]){"config", "--get-urlmatch", "http.extraheader", "https://h/x", NULL}, &work,
		&error);
	g_assert_no_error(error);
	g_assert_cmpstr(value, ==, "Authorization: a b");
	g_assert_false(git_run(&how, (const char *[]){"no-u:p-command", NULL}, &work, NULL, &error));
	g_assert_nonnull(strstr(error->message, "git stderr:\n"));
	g_assert_nonnull(strstr(error->message, "no-xxxxx:xxxxx-command"));
	g_assert_nonnull(strstr(error->message, ": exit status 1"));
	g_clear_error(&error);
	static const char *const refused[] = {"ext::sh -c x", "file:///", "http://127.0.0.1:9/x"};
	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_assert_false(git_run(&how, (const char *[]){"ls-remote", "--end-of-options", refused[i], NULL}, &work,
				       NULL, &error));
		g_assert_nonnull(strstr(error->message, "not allowed"));
		g_clear_error(&error);
	}
}

static void make_file(const char *dir, const char *name, mode_t mode)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	assert_succeeds(g_file_set_contents(path, "x", 1, &failure));
	g_assert_cmpint(g_chmod(path, (int)mode), ==, 0);
}

static mode_t mode_of(int dir, const char *name)
{
	struct stat st;
	g_assert_cmpint(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	return st.st_mode & 07777;
}

/* Only regular files without execute permission are changed; targets of links are not. */
static void test_open_modes(void)
{
	g_autofree char *dir = g_dir_make_tmp("git-modes-XXXXXX", NULL);
	g_autofree char *sub = g_build_filename(dir, "sub", NULL), *link = g_build_filename(dir, "link", NULL);
	g_assert_cmpint(g_mkdir(sub, 0755), ==, 0);
	g_assert_cmpint(g_chmod(sub, 0755), ==, 0);
	make_file(dir, "plain", 0644);
	make_file(dir, "run", 0755);
	make_file(sub, "nested", 0640);
	g_assert_cmpint(symlink("run", link), ==, 0);
	g_autoptr(GError) error = NULL;
	int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_true(git_open_modes(root, &error));
	g_assert_no_error(error);
	g_assert_cmpint(mode_of(root, "plain"), ==, 0666);
	g_assert_cmpint(mode_of(root, "run"), ==, 0755);
	g_assert_cmpint(mode_of(root, "sub"), ==, 0755);
	g_assert_cmpint(mode_of(root, "sub/nested"), ==, 0662);
	close(root);
	static const char *const names[] = {"sub/nested", "sub", "plain", "run", "link", ""};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(dir, names[i], NULL);
		g_assert_cmpint(remove(path), ==, 0);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/git/refs", test_refs);
	g_test_add_func("/git/listing", test_listing);
	g_test_add_func("/git/key", test_key);
	g_test_add_func("/git/text", test_text);
	g_test_add_func("/git/open", test_open);
	g_test_add_func("/git/no_network", test_no_network);
	g_test_add_func("/git/bundle", test_bundle);
	g_test_add_func("/git/run", test_run);
	g_test_add_func("/git/open_modes", test_open_modes);
	return g_test_run();
}
