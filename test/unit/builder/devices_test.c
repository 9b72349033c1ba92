/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/devices.h"
#include "api/message.h"
#include <glib/gstdio.h>
#include <string.h>

#define SPEC                                                                                                           \
	"cdiVersion: 0.6.0\nkind: v.com/d\ndevices:\n- {name: a, containerEdits: {env: [A=1]}}\n"                      \
	"- {name: b, containerEdits: {env: [B=1]}}\n- name: free\n  annotations: "                                     \
	"{org.mobyproject.buildkit.device.autoallow: true}\n  containerEdits: {env: [F=1]}\n"

struct rig {
	char *dir, *path;
	cdi *cdi;
};

static void rig_up(struct rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	r->dir = g_dir_make_tmp("devices-XXXXXX", &error);
	g_assert_no_error(error);
	r->path = g_build_filename(r->dir, "a.yaml", NULL);
	g_assert_true(g_file_set_contents(r->path, SPEC, -1, &error));
	r->cdi = cdi_new((const char *const[]){r->dir, NULL}, NULL);
}

static void rig_down(struct rig *r, gconstpointer data)
{
	cdi_free(r->cdi);
	g_assert_cmpint(g_unlink(r->path), ==, 0);
	g_assert_cmpint(g_rmdir(r->dir), ==, 0);
	g_free(r->path);
	g_free(r->dir);
}

/* grants and requests: separated by spaces; a request with "?" is optional. Returns the devices of the op, or the error. */
static char *apply(cdi *source, const char *grants, const char *requests)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(device_grants) g = device_grants_new();
	g_auto(GStrv) configs = g_strsplit(grants, " ", -1), names = g_strsplit(requests, " ", -1);
	for (char **config = configs; *config; config++)
		if (!device_grants_add(g, g_str_equal(*config, "all") ? "" : *config, &error))
			return g_strdup(error->message);
	Pb__ExecOp *exec = message_new(Pb__ExecOp, pb__exec_op);
	for (char **name = names; *name; name++) {
		Pb__CDIDevice *d = message_new(Pb__CDIDevice, pb__cdidevice);
		d->optional = g_str_has_suffix(*name, "?");
		d->name = g_strndup(*name, strlen(*name) - d->optional);
		message_append(exec, cdidevices, d);
	}
	g_autoptr(cdi_list) list = source ? cdi_read(source) : NULL;
	bool ok = device_grants_apply(g, list, exec, &error);
	g_autoptr(GString) text = g_string_new(ok ? "" : error->message);
	for (size_t i = 0; ok && i < exec->n_cdidevices; i++)
		g_string_append_printf(text, "%s%s", i ? " " : "", exec->cdidevices[i]->name);
	guard_free(&exec->base);
	return g_strdup(text->str);
}

static void test_grants(struct rig *r, gconstpointer data)
{
	static const struct {
		const char *grants, *requests, *expected;
	} cases[] = {
		{"", "v.com/d=a", "device v.com/d=a is requested by the build but not allowed"},
		{"", "v.com/d=*", "devices v.com/d=a, v.com/d=b are requested by the build but not allowed"},
		{"", "v.com/d=free", "v.com/d=free"},
		{"", "other?", ""},
		{"", "other", "required device \"other\" is not registered"},
		{"v.com/d=a", "v.com/d=a", "v.com/d=a"},
		{"v.com/d=a", "v.com/d", "v.com/d=a"},
		{"v.com/d=b", "v.com/d=a v.com/d=b", "device v.com/d=a is requested by the build but not allowed"},
		{"v.com/d=*", "v.com/d=a v.com/d=b v.com/d=a", "v.com/d=a v.com/d=b"},
		{"v.com/d=b,alias=gpu", "gpu", "v.com/d=b"},
		{"v.com/d=b,alias=gpu", "v.com/d=free gpu", "v.com/d=b v.com/d=free"},
		{"missing.com/d", "v.com/d=a", "required device \"missing.com/d\" is not registered"},
		{"all", "v.com/d=a other", "v.com/d=a other"}, /* checked when the step runs */
		{"v.com/d=a,b", "v.com/d=a", "invalid device config \"b\""},
		{"v.com/d=a,b=c", "v.com/d=a", "unknown device config key \"b\""},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = apply(r->cdi, cases[i].grants, cases[i].requests);
		g_assert_cmpstr(got, ==, cases[i].expected);
	}
}

static void test_disabled(void)
{
	g_autofree char *required = apply(NULL, "v.com/d", "v.com/d");
	g_assert_cmpstr(required, ==, "device v.com/d: CDI devices are disabled");
	g_autofree char *optional = apply(NULL, "v.com/d", "v.com/d?");
	g_assert_cmpstr(optional, ==, "v.com/d");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/devices/grants", struct rig, NULL, rig_up, test_grants, rig_down);
	g_test_add_func("/devices/disabled", test_disabled);
	return g_test_run();
}
