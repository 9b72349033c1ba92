/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "containerd/ctd_tasks.h"
#include "ctd_runc.pb-c.h"

static GBytes *pack(const char *runtime, const char *key, const char *value, const char **ret_type, GError **error)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	if (key)
		g_hash_table_insert(options, (char *)(uintptr_t)key, (char *)(uintptr_t)value);
	const struct ctd_runtime r = {.name = runtime, .options = options};
	return ctd_runtime_options(&r, ret_type, error);
}

static void test_runc(void)
{
	const char *type;
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = pack("io.containerd.runc.v2", "SystemdCgroup", "true", &type, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(type, ==, "containerd.runc.v1.Options");
	const uint8_t expected[] = {9 << 3, 1};
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), expected, sizeof expected);
	g_autoptr(GBytes) name =
		pack("io.containerd.runc.v2", "binaryname", "crun", &type, &error); /* as Go decodes it */
	CtdRunc__Options *m = guard_unpack(&ctd_runc__options__descriptor, g_bytes_get_data(name, NULL),
					   g_bytes_get_size(name), &error);
	g_assert_cmpstr(m->binary_name, ==, "crun");
	guard_free(m);
}

static void test_none(void)
{
	const char *type;
	g_autoptr(GBytes) bytes = pack("io.containerd.runc.v2", NULL, NULL, &type, NULL);
	g_assert_cmpint(g_bytes_get_size(bytes), ==, 0);
}

static void test_other(void)
{
	const char *type;
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = pack("io.containerd.kata.v2", "ConfigPath", "/c", &type, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(type, ==, "runtimeoptions.v1.Options");
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "\x12\x02/c", 4);
}

static void test_wrong(void)
{
	static const struct {
		const char *key, *value, *message;
	} cases[] = {
		{"Nope", "1", "unknown runtime option Nope"},
		{"IoUid", "-1", "runtime option IoUid: invalid number \"-1\""},
		{"NoPivotRoot", "maybe", "runtime option NoPivotRoot: "},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *type;
		g_autoptr(GError) error = NULL;
		g_assert_null(pack("io.containerd.runc.v2", cases[i].key, cases[i].value, &type, &error));
		g_assert_true(g_str_has_prefix(error->message, cases[i].message));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/runtime/runc", test_runc);
	g_test_add_func("/runtime/none", test_none);
	g_test_add_func("/runtime/other", test_other);
	g_test_add_func("/runtime/wrong", test_wrong);
	return g_test_run();
}
