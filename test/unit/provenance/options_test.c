/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/options.h"

static GHashTable *attrs_of(const char *key, const char *value)
{
	GHashTable *attrs = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(attrs, (gpointer)key, (gpointer)value);
	return attrs;
}

static void test_read(void)
{
	static const struct {
		const char *key, *value, *want;
	} rows[] = {
		{"target", "x",
		 "wanted=0 v02=0 max=1 reproducible=0 complete=0 inline=0 builder= file=provenance.json"},
		{"attest:provenance", "",
		 "wanted=1 v02=0 max=1 reproducible=0 complete=0 inline=0 builder= file=provenance.json"},
		{"attest:Provenance", "mode=min,inline-only=true",
		 "wanted=1 v02=0 max=0 reproducible=0 complete=0 inline=1 builder= file=provenance.json"},
		{"build-arg:BUILDKIT_ATTEST_PROVENANCE",
		 "version=v0.2,mode=full,reproducible=1,complete-materials=true",
		 "wanted=1 v02=1 max=1 reproducible=1 complete=1 inline=0 builder= file=provenance.json"},
		{"attest:provenance", "\"builder-id=https://b/?a,b\",filename=p.json,inline-only=maybe,other",
		 "wanted=1 v02=0 max=1 reproducible=0 complete=0 inline=0 builder=https://b/?a,b file=p.json"},
		{"attest:sbom", "generator=x",
		 "wanted=0 v02=0 max=1 reproducible=0 complete=0 inline=0 builder= file=provenance.json"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GHashTable) attrs = attrs_of(rows[i].key, rows[i].value);
		struct provenance_options o;
		GError *error = NULL;
		g_assert_true(provenance_options_read(&o, attrs, &error));
		g_assert_no_error(error);
		g_autofree char *got = g_strdup_printf(
			"wanted=%d v02=%d max=%d reproducible=%d complete=%d inline=%d builder=%s file=%s", o.wanted,
			o.v02, o.max, o.reproducible, o.complete_materials, o.inline_only, o.builder_id, o.filename);
		g_assert_cmpstr(got, ==, rows[i].want);
		provenance_options_clear(&o);
	}
}

static void test_errors(void)
{
	static const struct {
		const char *key, *value, *want;
	} rows[] = {
		{"attest:foo", "", "unknown attestation type \"foo\""},
		{"attest:provenance", "version=v3", "invalid provenance SLSA version: v3"},
		{"attest:provenance", "version=", "provenance SLSA version cannot be empty"},
		{"attest:provenance", "mode=mid", "invalid mode \"mid\""},
		{"attest:provenance", "reproducible=x",
		 "failed to parse reproducible flag \"x\": strconv.ParseBool: parsing \"x\": invalid syntax"},
		{"attest:provenance", "complete-materials=x",
		 "failed to parse complete-materials flag \"x\": strconv.ParseBool: parsing \"x\": invalid syntax"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GHashTable) attrs = attrs_of(rows[i].key, rows[i].value);
		struct provenance_options o;
		g_autoptr(GError) error = NULL;
		g_assert_false(provenance_options_read(&o, attrs, &error));
		g_assert_cmpstr(error->message, ==, rows[i].want);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/provenance_options/read", test_read);
	g_test_add_func("/provenance_options/errors", test_errors);
	return g_test_run();
}
