/* SPDX-License-Identifier: Apache-2.0 */
/* Cache backends that are not implemented: a wrong attribute is reported as upstream reports it. */
#include "remotecache/backend.h"
#include "format/gotype.h"
#include "format/http_url.h"
#include <string.h>

/* ---- GitHub Actions */

/* A token is a JWT with three parts. */
static bool gha_token_check(const char *token, GError **error)
{
	const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
	return (second && !strchr(second + 1, '.')) ||
	       error_set(error, ERROR_INVALID_ARGUMENT,
			 "token is malformed: token contains an invalid number of segments");
}

static bool gha_check(GHashTable *attrs, GError **error)
{
	const char *token = g_hash_table_lookup(attrs, "token"), *version = g_hash_table_lookup(attrs, "version");
	const char *timeout = g_hash_table_lookup(attrs, "timeout"), *url = NULL;
	int64_t number = 0, ns;
	if (!token)
		return error_set(error, ERROR_INVALID_ARGUMENT, "token not set for github actions cache");
	if (version && !int_parse(version, 10, &number, error))
		return error_prefix(error, "failed to parse api version \"%s\", expected positive integer: ", version);
	if (number != 1)
		url = g_hash_table_lookup(attrs, "url_v2");
	if (!url || !*url)
		url = g_hash_table_lookup(attrs, "url");
	if (!url || !*url)
		return error_set(error, ERROR_INVALID_ARGUMENT, "url not set for github actions cache");
	if (timeout && !duration_parse(timeout, &ns, error))
		return error_prefix(error, "failed to parse timeout for github actions cache: ");
	return gha_token_check(token, error);
}

/* ---- Azure blobs */

/* An attribute that is given overrides the variable even if it is empty. */
static const char *attr_or_env(GHashTable *attrs, const char *key, const char *variable)
{
	const char *value = g_hash_table_lookup(attrs, key);
	return value ? value : g_getenv(variable);
}

static bool azblob_config_check(GHashTable *attrs, GError **error)
{
	const char *url = attr_or_env(attrs, "account_url", "BUILDKIT_AZURE_STORAGE_ACCOUNT_URL");
	const char *name = attr_or_env(attrs, "account_name", "BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME");
	if (!url)
		return error_set(
			error, ERROR_INVALID_ARGUMENT,
			"either ${BUILDKIT_AZURE_STORAGE_ACCOUNT_URL} or account_url attribute is required for "
			"azblob cache");
	g_auto(http_url) u = {0};
	g_autoptr(GError) why = NULL;
	bool ok = http_url_parse(url, &u, &why);
	if (!ok && g_str_has_prefix(why->message, "parse ")) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why),
					   "azure storage account url provided is not a valid url: ");
		return false;
	}
	bool has_name = name ? *name : ok && *u.host && *u.host != '.';
	return has_name ||
	       error_set(error, ERROR_INVALID_ARGUMENT,
			 "unable to retrieve account name from account url or "
			 "${BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME} or account_name attribute for azblob cache");
}

static bool azblob_check(GHashTable *attrs, GError **error)
{
	return azblob_config_check(attrs, error) || error_prefix(error, "failed to create azblob config: ");
}

const struct cache_backend cache_backend_gha = {.type = "gha", .check = gha_check};
const struct cache_backend cache_backend_azblob = {.type = "azblob", .check = azblob_check};
