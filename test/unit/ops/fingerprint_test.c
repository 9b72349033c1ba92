/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of how two runs of a step differ; fingerprints serialized and parsed. */
#include "ops/fingerprint_internal.h"

static void entry_free(void *data)
{
	contenthash_entry_free(data);
}

static void fact_free(void *data)
{
	struct fact *f = data;
	g_free(f->name);
	g_free(f->value);
	g_free(f);
}

static void input_free(void *data)
{
	struct input *in = data;
	g_free(in->what);
	g_free(in->result);
	g_ptr_array_unref(in->files);
	g_free(in);
}

static void add_fact(fingerprint *s, const char *name, const char *value, bool shown)
{
	struct fact *f = g_new(struct fact, 1);
	*f = (struct fact){g_strdup(name), g_strdup(value), shown};
	g_ptr_array_add(s->facts, f);
}

/* "a=1 b=2": files and stand-ins for their digests, in order. */
static struct input *add_input(fingerprint *s, const char *what, const char *result, const char *files)
{
	struct input *in = g_new0(struct input, 1);
	in->what = g_strdup(what);
	in->result = g_strdup(result);
	in->content = files != NULL;
	in->all = true;
	in->files = g_ptr_array_new_with_free_func(entry_free);
	g_auto(GStrv) list = g_strsplit(files ? files : "", " ", -1);
	for (char **f = list; *f && **f; f++) {
		struct contenthash_entry *e = g_new(struct contenthash_entry, 1);
		char *equals = strchr(*f, '=');
		e->path = g_strndup(*f, (gsize)(equals - *f));
		e->digest = g_ascii_strtoull(equals + 1, NULL, 10);
		g_ptr_array_add(in->files, e);
	}
	g_ptr_array_add(s->inputs, in);
	return in;
}

static fingerprint *make(const char *definition, const char *variable, const char *image, const char *files)
{
	fingerprint *s = g_new0(fingerprint, 1);
	s->identity = g_strdup("id");
	s->name = g_strdup("COPY . /src");
	s->facts = g_ptr_array_new_with_free_func(fact_free);
	s->inputs = g_ptr_array_new_with_free_func(input_free);
	add_fact(s, ARGUMENT_FACT "VERSION", "", true);
	add_fact(s, DEFINITION_FACT, definition, true);
	if (variable)
		add_fact(s, VARIABLE_FACT "OTHER", variable, false);
	add_fact(s, VARIABLE_FACT "VERSION", "same", false);
	add_input(s, "FROM x", image, NULL);
	add_input(s, "[internal] load build context", files ? files : "", files ? files : "");
	return s;
}

static void expect(fingerprint *before /* taken */, fingerprint *now /* taken */, const char *reason)
{
	g_autoptr(fingerprint_change) c = fingerprint_compare(before, now);
	g_assert_cmpstr(c->reason, ==, reason);
	fingerprint_free(before);
	fingerprint_free(now);
}

#define IMAGE1 "docker-image://x@sha256:1111111111111111"
#define IMAGE2 "docker-image://x@sha256:2222222222222222"

static void test_reasons(void)
{
	expect(make("d", "v", IMAGE1, "/=1 /a=1"), make("d", "v", IMAGE1, "/=1 /a=1"), "");
	expect(make("d", "v", IMAGE1, "/a=1"), make("e", "v", IMAGE1, "/a=1"), "its definition changed");
	expect(make("d", "v", IMAGE1, "/a=1"), make("e", "w", IMAGE1, "/a=2"), "environment variable OTHER changed");
	expect(make("d", NULL, IMAGE1, "/a=1"), make("e", "w", IMAGE1, "/a=1"), "environment variable OTHER is new");
	expect(make("d", "v", IMAGE1, "/a=1"), make("e", NULL, IMAGE1, "/a=1"), "environment variable OTHER is gone");
	expect(make("d", "v", IMAGE1, "/=1 /a=1 /go.sum=1 /src/=1 /src/a.c=1"),
	       make("d", "v", IMAGE1, "/=1 /a=1 /go.sum=2 /src/=1 /src/a.c=2"),
	       "COPY . /src: 2 of 3 files differ: go.sum, src/a.c");
	expect(make("d", "v", IMAGE1, "/a=1 /b=1 /c=1 /d=1"), make("d", "v", IMAGE1, "/b=2 /c=2 /d=2 /e=1"),
	       "COPY . /src: 5 of 5 files differ: a, b, c and 2 more");
	expect(make("d", "v", IMAGE1, "/a=1"), make("d", "v", IMAGE2, "/a=1"),
	       "image docker-image://x changed: sha256:111111111111, now sha256:222222222222");
	expect(make("d", "v", "record1", "/a=1"), make("d", "v", "record2", "/a=1"), "FROM x ran again");
}

/* A variable is named after the argument that set it, in either run. */
static void test_argument(void)
{
	fingerprint *before = make("d", "v", IMAGE1, NULL), *now = make("e", "v", IMAGE1, NULL);
	struct fact *version = now->facts->pdata[now->facts->len - 1];
	g_free(version->value);
	version->value = g_strdup("other");
	expect(before, now, "build-arg VERSION changed");
}

static void test_large(void)
{
	expect(make("d", "v", IMAGE1, "/a=1"), make("d", "v", IMAGE1, "/a=2"), "COPY . /src: 1 of 1 file differs: a");
	g_autoptr(GString) files = g_string_new(NULL);
	for (int i = 1000; i < 2412; i++)
		g_string_append_printf(files, "%s/f%d=1", i > 1000 ? " " : "", i);
	fingerprint *before = make("d", "v", IMAGE1, files->str);
	files->str[files->len - 1] = '2';
	expect(before, make("d", "v", IMAGE1, files->str), "COPY . /src: 1 of 1,412 files differs: f2411");
}

static void test_pack(void)
{
	g_autoptr(fingerprint) s = make("d", "v", IMAGE1, "/a=1 /b/=2 /b/\xff=3");
	g_autoptr(GBytes) bytes = fingerprint_pack(s);
	g_autoptr(fingerprint) again = fingerprint_unpack(bytes);
	g_assert_nonnull(again);
	g_assert_cmpstr(again->identity, ==, "id");
	g_assert_cmpuint(again->facts->len, ==, s->facts->len);
	const struct input *in = again->inputs->pdata[1];
	g_assert_true(in->content && in->all);
	g_assert_cmpuint(in->files->len, ==, 3);
	g_assert_cmpuint(((struct contenthash_entry *)in->files->pdata[1])->digest, ==, 2);
	gsize n;
	const uint8_t *data = g_bytes_get_data(bytes, &n);
	for (gsize i = 0; i < n; i++) { /* truncated anywhere: refused */
		g_autoptr(GBytes) cut = g_bytes_new(data, i);
		g_assert_null(fingerprint_unpack(cut));
	}
}

/* Large ones are compressed. */
static void test_pack_large(void)
{
	g_autoptr(GString) files = g_string_new("/a=1");
	for (int i = 0; i < 1000; i++)
		g_string_append_printf(files, " /file%04d=%d", i, i % 9);
	g_autoptr(fingerprint) s = make("d", "v", IMAGE1, files->str);
	g_autoptr(GBytes) bytes = fingerprint_pack(s);
	g_assert_cmpuint(g_bytes_get_size(bytes), <, files->len);
	g_autoptr(fingerprint) again = fingerprint_unpack(bytes);
	g_assert_nonnull(again);
	g_assert_cmpuint(((const struct input *)again->inputs->pdata[1])->files->len, ==, 1001);
	for (gsize i = 0; i < g_bytes_get_size(bytes); i += 97) {
		g_autoptr(GBytes) cut = g_bytes_new_from_bytes(bytes, 0, i);
		g_assert_null(fingerprint_unpack(cut));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fingerprint/reasons", test_reasons);
	g_test_add_func("/fingerprint/argument", test_argument);
	g_test_add_func("/fingerprint/large", test_large);
	g_test_add_func("/fingerprint/pack", test_pack);
	g_test_add_func("/fingerprint/pack-large", test_pack_large);
	return g_test_run();
}
