/* SPDX-License-Identifier: Apache-2.0 */
#include "cdi/cdi.h"
#include "lib/outcome.h"
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD "cdiVersion: \"0.6.0\"\nkind: vendor.com/device\n"
#define ONE "devices: [{name: foo, containerEdits: {env: [FOO=1]}}]\n"

/* ---- files */

static void test_spec(void)
{
	static const char text[] =
		"cdiVersion: v0.7.0\nkind: vendor.com/device\nannotations: {a.b/class: x, on: true, n: 0.10}\n"
		"containerEdits: {env: [ALL=1], additionalGids: [0, 7]}\n"
		"devices:\n- name: a:0\n  annotations: {a.b/class: y}\n  containerEdits:\n"
		"    deviceNodes:\n    - {path: /dev/x, hostPath: /dev/null, type: u, major: 0x1, minor: 3, fileMode: "
		"0640,\n"
		"       permissions: rw, uid: 1}\n    mounts: [{hostPath: /a, containerPath: /b, options: [ro, "
		"bind]}]\n"
		"    hooks: [{hookName: poststop, path: /bin/true, args: [a, b], timeout: 3}]\n";
	g_autoptr(GError) error = NULL;
	g_autoptr(cdi_spec) s = cdi_spec_parse(text, strlen(text), &error);
	g_assert_no_error(error);
	g_assert_cmpstr(s->kind, ==, "vendor.com/device");
	g_assert_cmpuint(s->devices->len, ==, 1);
	g_assert_cmpuint(s->edits.groups->len, ==, 1);
	g_assert_cmpuint(g_array_index(s->edits.groups, uint32_t, 0), ==, 7);
	const struct cdi_device *d = s->devices->pdata[0];
	g_assert_cmpstr(d->full_name, ==, "vendor.com/device=a:0");
	g_assert_cmpstr(g_hash_table_lookup(d->annotations, "a.b/class"), ==, "y");
	g_assert_cmpstr(g_hash_table_lookup(d->annotations, "on"), ==, "true");
	g_assert_cmpstr(g_hash_table_lookup(d->annotations, "n"), ==, "0.10");
	const struct cdi_node *n = &g_array_index(d->edits.nodes, struct cdi_node, 0);
	g_assert_cmpstr(n->host_path, ==, "/dev/null");
	g_assert_cmpstr(n->type, ==, "u");
	g_assert_cmpint(n->major, ==, 1);
	g_assert_cmpint(n->minor, ==, 3);
	g_assert_cmpint(n->mode, ==, 0640);
	g_assert_cmpint(n->uid, ==, 1);
	g_assert_cmpint(n->gid, ==, -1);
	const struct cdi_mount *m = &g_array_index(d->edits.mounts, struct cdi_mount, 0);
	g_assert_cmpstr(m->path, ==, "/b");
	g_assert_cmpstr(m->options->pdata[0], ==, "ro");
	const struct cdi_hook *h = &g_array_index(d->edits.hooks, struct cdi_hook, 0);
	g_assert_cmpstr(h->name, ==, "poststop");
	g_assert_cmpstr(h->args->pdata[1], ==, "b");
	g_assert_null(h->args->pdata[2]);
	g_assert_null(h->env->pdata[0]);
	g_assert_cmpint(h->timeout, ==, 3);
}

static void test_invalid_specs(void)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "the file is empty"},
		{"a: [", "line 2: did not find expected node content"},
		{"[]", "line 1: cdiVersion is missing"},
		{"kind: a/b\n" ONE, "line 1: cdiVersion is missing"},
		{"cdiVersion: \"9.0.0\"\n", "cdiVersion: line 1: unknown version 9.0.0"},
		{"cdiVersion: \"0.6.0\"\n" ONE, "line 1: invalid kind \"\""},
		{"cdiVersion: \"0.6.0\"\nkind: nothing\n" ONE, "line 1: invalid kind \"nothing\""},
		{"cdiVersion: \"0.6.0\"\nkind: 1a/b\n" ONE, "line 1: invalid kind \"1a/b\""},
		{HEAD "devices: [{name: foo}]", "devices: line 3: invalid device foo, empty device edits"},
		{HEAD "devices: [{name: -a, containerEdits: {env: [A=1]}}]",
		 "devices: line 3: invalid name of a device: \"-a\""},
		{HEAD "devices: [{name: a, containerEdits: {env: [A=1]}}, {name: a, containerEdits: {env: [A=1]}}]",
		 "line 1: invalid spec, multiple device \"a\""},
		{HEAD "devices: {}", "devices: line 3: a list is expected"},
		{HEAD "more: 1\n" ONE, "line 3: unknown member more"},
		{HEAD HEAD ONE, "line 3: member cdiVersion appears twice"},
		{HEAD "containerEdits: {env: [A]}", "containerEdits: env: line 3: invalid environment variable \"A\""},
		{HEAD "containerEdits: {deviceNodes: [{path: dev/x}]}",
		 "containerEdits: deviceNodes: line 3: the path of a device node must be absolute"},
		{HEAD "containerEdits: {deviceNodes: [{path: /dev/x, type: q}]}",
		 "containerEdits: deviceNodes: line 3: device /dev/x: invalid type \"q\""},
		{HEAD "containerEdits: {deviceNodes: [{path: /dev/x, permissions: rx}]}",
		 "containerEdits: deviceNodes: line 3: device /dev/x: invalid permissions \"rx\""},
		{HEAD "containerEdits: {deviceNodes: [{path: /dev/x, major: many}]}",
		 "containerEdits: deviceNodes: major: line 3: many is not a number"},
		{HEAD "containerEdits: {deviceNodes: [{path: /dev/x, major: \"1\"}]}",
		 "containerEdits: deviceNodes: major: line 3: a number is expected"},
		{HEAD "containerEdits: {additionalGids: [4294967296]}",
		 "containerEdits: additionalGids: line 3: 4294967296 is out of range"},
		{HEAD "containerEdits: {mounts: [{containerPath: /a}]}",
		 "containerEdits: mounts: line 3: invalid mount, empty host path"},
		{HEAD "containerEdits: {hooks: [{hookName: later, path: /a}]}",
		 "containerEdits: hooks: line 3: invalid hook name \"later\""},
		{HEAD "containerEdits: {netDevices: [{name: a}]}",
		 "containerEdits: netDevices: line 3: a network interface needs hostInterfaceName and name"},
		{HEAD "annotations: {\"a b\": c}", "annotations: line 3: invalid name of an annotation: a b"},
		{HEAD "annotations: {a: {b: c}}", "annotations: line 3: a text is expected"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(cdi_spec_parse(cases[i].text, strlen(cases[i].text), &error));
		g_assert_cmpstr(error->message, ==, cases[i].error);
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
	}
}

/* Aliases that refer to aliases multiply the elements of a small file. */
/* The time of libyaml would grow with the square of the depth and of the number of anchors. */
static void test_bounds(void)
{
	static const struct {
		const char *head, *repeated;
		int n;
		const char *error;
	} cases[] = {
		{"", "{a: ", 500000, "line 1: more than 64 levels"},
		{"", "[", 2000000, "line 1: more than 64 levels"},
		{"", "- ", 1000000, "line 1: more than 64 levels"},
		{HEAD "devices:\n", "- &a x\n", 500000, "line 1004: more than 1000 anchors"},
		{HEAD "devices:\n", "- &a {}\n", 400000, "line 1004: more than 1000 anchors"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) text = g_string_new(cases[i].head);
		g_autoptr(GError) error = NULL;
		for (int k = 0; k < cases[i].n; k++)
			g_string_append(text, cases[i].repeated);
		g_assert_null(cdi_spec_parse(text->str, text->len, &error));
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
		g_assert_cmpstr(error->message, ==, cases[i].error);
	}
	/* A further document is not read. */
	g_autoptr(GError) error = NULL;
	static const char text[] = HEAD ONE "---\n[";
	g_autoptr(cdi_spec) s = cdi_spec_parse(text, strlen(text), &error);
	g_assert_no_error(error);
}

static void test_many_aliases(void)
{
	g_autoptr(GString) text = g_string_new(HEAD "containerEdits: {env: &e [");
	for (int i = 0; i < 1000; i++)
		g_string_append(text, "A=1,");
	g_string_append(text, "]}\ndevices:\n");
	for (int i = 0; i < 1000; i++)
		g_string_append_printf(text, "- {name: d%d, containerEdits: {env: *e}}\n", i);
	g_autoptr(GError) error = NULL;
	g_assert_null(cdi_spec_parse(text->str, text->len, &error));
	g_assert_true(g_str_has_suffix(error->message, "more than 200000 elements"));
}

/* ---- directories */

struct rig {
	char *dir, *low, *high;
	cdi *cdi;
};

static void write_spec(const char *dir, const char *name, const char *devices)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *new_path = g_strconcat(path, ".new", NULL);
	g_autofree char *text = g_strconcat(HEAD, devices, NULL);
	g_autoptr(GError) error = NULL;
	g_assert_true(g_file_set_contents(new_path, text, -1, &error));
	g_assert_cmpint(g_rename(new_path, path), ==, 0);
}

static void remove_all(const char *dir)
{
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	for (const char *name; (name = g_dir_read_name(d)) != NULL;) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		g_assert_cmpint(g_unlink(path), ==, 0);
	}
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void rig_up(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	r->dir = g_dir_make_tmp("cdi-XXXXXX", &error);
	g_assert_no_error(error);
	r->low = g_build_filename(r->dir, "low", NULL);
	r->high = g_build_filename(r->dir, "high", NULL);
	g_assert_cmpint(g_mkdir(r->low, 0700), ==, 0);
	g_assert_cmpint(g_mkdir(r->high, 0700), ==, 0);
	const char *const dirs[] = {r->low, "/nonexistent", r->high, NULL}, *const allowed[] = {"vendor.com/free",
												NULL};
	r->cdi = cdi_new(dirs, allowed);
}

static void rig_down(struct rig *r, gconstpointer data)
{
	cdi_free(r->cdi);
	remove_all(r->low);
	remove_all(r->high);
	g_assert_cmpint(g_rmdir(r->dir), ==, 0);
	g_free(r->low);
	g_free(r->high);
	g_free(r->dir);
}

/* The names that a request finds, separated by spaces; or the error. */
static char *find(const struct rig *r, const char *request, bool optional)
{
	g_autoptr(cdi_list) list = cdi_read(r->cdi);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	if (!cdi_list_find(list, request, optional, names, &error))
		return g_strdup(error->message);
	g_ptr_array_add(names, NULL);
	return g_strjoinv(" ", (char **)names->pdata);
}

#define assert_finds(r, request, expected)                                                                             \
	do {                                                                                                           \
		g_autofree char *found = find(r, request, false);                                                      \
		g_assert_cmpstr(found, ==, expected);                                                                  \
	} while (0)

static void test_find(struct rig *r, gconstpointer data)
{
	write_spec(r->low, "a.yaml",
		   "devices:\n- {name: foo, annotations: {org.mobyproject.buildkit.device.class: c1}, containerEdits: "
		   "{env: [A=1]}}\n"
		   "- {name: bar, annotations: {org.mobyproject.buildkit.device.class: c1}, containerEdits: {env: "
		   "[A=2]}}\n");
	assert_finds(r, "vendor.com/device", "vendor.com/device=bar");
	assert_finds(r, "vendor.com/device=*", "vendor.com/device=bar vendor.com/device=foo");
	assert_finds(r, "vendor.com/device=foo", "vendor.com/device=foo");
	assert_finds(r, "c1", "vendor.com/device=bar vendor.com/device=foo");
	assert_finds(r, "c2", "required device \"c2\" is not registered");
	assert_finds(r, "vendor.com/device=baz", "required device \"vendor.com/device=baz\" is not registered");
	assert_finds(r, "vendor.com/dev", "required device \"vendor.com/dev\" is not registered");
	g_autofree char *optional = find(r, "vendor.com/other=x", true);
	g_assert_cmpstr(optional, ==, "");
}

static void test_auto_allowed(struct rig *r, gconstpointer data)
{
	write_spec(r->low, "a.yaml",
		   "devices:\n- {name: foo, annotations: {org.mobyproject.buildkit.device.autoallow: true},"
		   " containerEdits: {env: [A=1]}}\n- {name: no, containerEdits: {env: [A=2]}}\n");
	g_autofree char *path = g_build_filename(r->low, "b.json", NULL);
	assert_succeeds(g_file_set_contents(path,
					    "{\"cdiVersion\":\"0.6.0\",\"kind\":\"vendor.com/free\",\"devices\":"
					    "[{\"name\":\"x\",\"containerEdits\":{\"env\":[\"X=1\"]}}]}",
					    -1, &failure));
	g_autoptr(cdi_list) list = cdi_read(r->cdi);
	g_assert_cmpuint(cdi_list_count(list), ==, 3);
	static const bool expected[] = {true, false, true}; /* device=foo, device=no, free=x */
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		g_assert_cmpint(cdi_list_is_auto_allowed(list, cdi_list_get(list, i)), ==, expected[i]);
}

/* A later directory wins; two files of one directory that define a device make it unusable. */
static void test_priorities(struct rig *r, gconstpointer data)
{
	write_spec(r->low, "a.yaml", ONE);
	write_spec(r->high, "z.yaml", "devices: [{name: foo, containerEdits: {env: [FOO=2]}}]\n");
	g_autoptr(GError) error = NULL;
	static const char *const names[] = {"vendor.com/device=foo"};
	g_autoptr(cdi_list) list = cdi_read(r->cdi);
	struct cdi_edits *edits = cdi_list_edits(list, names, 1, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(edits->env->len, ==, 1);
	g_assert_cmpstr(edits->env->pdata[0], ==, "FOO=2");
	cdi_edits_free(edits);
	write_spec(r->high, "y.yaml", ONE);
	assert_finds(r, "vendor.com/device=foo", "required device \"vendor.com/device=foo\" is not registered");
	g_autoptr(cdi_list) after = cdi_read(r->cdi);
	g_assert_null(cdi_list_edits(after, names, 1, &error));
	g_assert_cmpstr(error->message, ==,
			"CDI device injection failed: unresolvable CDI devices vendor.com/device=foo");
}

/* Changes of files are seen; a list that is in use stays as it was. */
static void test_changes(struct rig *r, gconstpointer data)
{
	write_spec(r->low, "a.yaml", ONE);
	g_autoptr(cdi_list) before = cdi_read(r->cdi);
	write_spec(r->low, "a.yaml", "devices: [{name: other, containerEdits: {env: [FOO=2]}}]\n");
	assert_finds(r, "vendor.com/device", "vendor.com/device=other");
	g_assert_cmpstr(cdi_list_get(before, 0)->name, ==, "foo");
	write_spec(r->low, "a.yaml", "devices: nonsense\n");
	assert_finds(r, "vendor.com/device", "required device \"vendor.com/device\" is not registered");
	g_autofree char *path = g_build_filename(r->low, "a.yaml", NULL);
	g_assert_cmpint(g_unlink(path), ==, 0);
	write_spec(r->low, "ignored.txt", ONE);
	assert_finds(r, "vendor.com/device", "required device \"vendor.com/device\" is not registered");
}

/* The edits of a file come once, before those of its first device. */
static void test_edits(struct rig *r, gconstpointer data)
{
	write_spec(r->low, "a.yaml",
		   "containerEdits: {env: [ALL=1]}\ndevices:\n- {name: a, containerEdits: {env: [A=1]}}\n"
		   "- {name: b, containerEdits: {env: [B=1]}}\n");
	static const char *const names[] = {"vendor.com/device=b", "vendor.com/device=a"};
	g_autoptr(GError) error = NULL;
	g_autoptr(cdi_list) list = cdi_read(r->cdi);
	struct cdi_edits *edits = cdi_list_edits(list, names, 2, &error);
	g_assert_no_error(error);
	g_ptr_array_add(edits->env, NULL);
	g_autofree char *text = g_strjoinv(" ", (char **)edits->env->pdata);
	g_assert_cmpstr(text, ==, "ALL=1 B=1 A=1");
	cdi_edits_free(edits);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cdi/spec", test_spec);
	g_test_add_func("/cdi/invalid-specs", test_invalid_specs);
	g_test_add_func("/cdi/many-aliases", test_many_aliases);
	g_test_add_func("/cdi/bounds", test_bounds);
#define ADD(name, fn) g_test_add("/cdi/" name, struct rig, NULL, rig_up, fn, rig_down)
	ADD("find", test_find);
	ADD("auto-allowed", test_auto_allowed);
	ADD("priorities", test_priorities);
	ADD("changes", test_changes);
	ADD("edits", test_edits);
	return g_test_run();
}
