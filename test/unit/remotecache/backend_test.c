/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/backend.h"
#include "lib/outcome.h"

/* "key=value key=value" */
static GHashTable *attributes(const char *text)
{
	GHashTable *attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) pairs = g_strsplit(text, " ", -1);
	for (char **pair = pairs; *pair; pair++) {
		g_auto(GStrv) both = g_strsplit(*pair, "=", 2);
		if (both[0] && both[1])
			g_hash_table_insert(attrs, g_strdup(both[0]), g_strdup(both[1]));
	}
	return attrs;
}

#define ROW(type) {#type, &cache_backend_##type},
static const struct {
	const char *type;
	const struct cache_backend *backend;
} rows[] = {CACHE_BACKENDS(ROW)};

/* A row has all members, or none but its type and check. */
static void test_rows(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct cache_backend *b = rows[i].backend;
		g_assert_cmpstr(b->type, ==, rows[i].type);
		bool all = b->vertex_name && b->open && b->send && b->free && b->import;
		bool any = b->vertex_name || b->open || b->send || b->free || b->import;
		if (b->check ? any : !all)
			g_error("cache_backend_%s: %s", b->type,
				b->check ? "members beside check are set" : "members are missing");
	}
}

#define GHA "failed to configure gha cache exporter: "
#define AZBLOB "failed to configure azblob cache exporter: failed to create azblob config: "

static void test_attributes(void)
{
	static const struct {
		const char *type, *attrs, *text;
	} table[] = {
		{"gha", "", GHA "token not set for github actions cache"},
		{"gha", "token=a.b.c", GHA "url not set for github actions cache"},
		{"gha", "token=a.b.c url=", GHA "url not set for github actions cache"},
		{"gha", "token=a.b.c version=1 url_v2=http://h", GHA "url not set for github actions cache"},
		{"gha", "token=a.b.c url=http://h version=x",
		 GHA "failed to parse api version \"x\", expected positive integer: strconv.ParseInt: parsing \"x\": "
		     "invalid syntax"},
		{"gha", "token=a.b.c url=http://h timeout=soon",
		 GHA "failed to parse timeout for github actions cache: time: invalid duration \"soon\""},
		{"gha", "token=t url=http://h", GHA "token is malformed: token contains an invalid number of segments"},
		{"gha", "token=a.b.c url_v2=http://h timeout=1m", "cache export of type \"gha\" is not supported"},
		{"azblob", "",
		 AZBLOB "either ${BUILDKIT_AZURE_STORAGE_ACCOUNT_URL} or account_url attribute is required for azblob "
			"cache"},
		{"azblob", "account_url=https://",
		 AZBLOB "unable to retrieve account name from account url or ${BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME} or "
			"account_name attribute for azblob cache"},
		{"azblob", "account_url=https://x.blob.core.windows.net account_name=",
		 AZBLOB "unable to retrieve account name from account url or ${BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME} or "
			"account_name attribute for azblob cache"},
		{"azblob", "account_url=https://x.blob.core.windows.net",
		 "cache export of type \"azblob\" is not supported"},
		{"azblob", "account_url=http://127.0.0.1:10000/acct account_name=acct",
		 "cache export of type \"azblob\" is not supported"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(GHashTable) attrs = attributes(table[i].attrs);
		g_autoptr(GError) error = NULL;
		const struct cache_backend *backend = cache_backend_find(table[i].type);
		g_assert_nonnull(backend);
		g_assert_false(cache_backend_check(backend, "export", attrs, &error));
		g_assert_cmpstr(error->message, ==, table[i].text);
	}
	assert_succeeds(cache_backend_check(cache_backend_find("s3"), "export", NULL, &failure));
	g_assert_null(cache_backend_find("nosuch"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_unsetenv("BUILDKIT_AZURE_STORAGE_ACCOUNT_URL");
	g_unsetenv("BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME");
	g_test_add_func("/backend/rows", test_rows);
	g_test_add_func("/backend/attributes", test_attributes);
	return g_test_run();
}
