/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/metadata.h"

static void pair_clear(gpointer data)
{
	struct metadata_pair *pair = data;
	g_free(pair->name);
	g_free(pair->value);
}

rpc_metadata *rpc_metadata_new(void)
{
	rpc_metadata *md = g_new0(rpc_metadata, 1);
	md->pairs = g_array_new(FALSE, FALSE, sizeof(struct metadata_pair));
	g_array_set_clear_func(md->pairs, pair_clear);
	return md;
}

void rpc_metadata_free(rpc_metadata *md)
{
	if (!md)
		return;
	g_array_unref(md->pairs);
	g_free(md);
}

void metadata_add_bytes(rpc_metadata *md, const char *name, const void *value, size_t n)
{
	struct metadata_pair pair = {.name = g_ascii_strdown(name, -1), .value = g_malloc(n + 1), .len = n};
	if (n)
		memcpy(pair.value, value, n);
	pair.value[n] = 0;
	g_array_append_val(md->pairs, pair);
}

void rpc_metadata_add(rpc_metadata *md, const char *name, const char *value)
{
	metadata_add_bytes(md, name, value, strlen(value));
}

static bool is_binary(const char *name)
{
	return g_str_has_suffix(name, "-bin");
}

void metadata_add_wire(rpc_metadata *md, const char *name, const char *value, size_t n)
{
	if (!is_binary(name)) {
		metadata_add_bytes(md, name, value, n);
		return;
	}
	/* Padding is optional on the wire, but g_base64_decode requires it. */
	g_autoptr(GString) padded = g_string_new_len(value, (gssize)n);
	while (padded->len % 4)
		g_string_append_c(padded, '=');
	gsize len = 0;
	g_autofree guchar *bytes = g_base64_decode(padded->str, &len);
	metadata_add_bytes(md, name, bytes, len);
}

bool metadata_check(const rpc_metadata *md, GError **error)
{
	for (guint i = 0; md && i < md->pairs->len; i++) {
		const struct metadata_pair *pair = &g_array_index(md->pairs, struct metadata_pair, i);
		if (g_str_has_suffix(pair->name, "-bin"))
			continue;
		for (size_t k = 0; k < pair->len; k++)
			if (!g_ascii_isprint(pair->value[k]))
				return error_set(error, ERROR_INTERNAL,
						 "header key \"%s\" contains value with non-printable ASCII characters",
						 pair->name);
	}
	return true;
}

char *metadata_wire_value(const struct metadata_pair *pair)
{
	if (!is_binary(pair->name))
		return g_strndup(pair->value, pair->len);
	char *text = g_base64_encode((const guchar *)pair->value, pair->len);
	text[strcspn(text, "=")] = 0;
	return text;
}

const struct metadata_pair *metadata_find(const rpc_metadata *md, const char *name)
{
	for (guint i = 0; md && i < md->pairs->len; i++) {
		const struct metadata_pair *pair = &g_array_index(md->pairs, struct metadata_pair, i);
		if (strcmp(pair->name, name) == 0)
			return pair;
	}
	return NULL;
}

const char *rpc_metadata_get(const rpc_metadata *md, const char *name)
{
	const struct metadata_pair *pair = metadata_find(md, name);
	return pair ? pair->value : NULL;
}

char **rpc_metadata_get_all(const rpc_metadata *md, const char *name)
{
	g_autoptr(GStrvBuilder) all = g_strv_builder_new();
	for (guint i = 0; md && i < md->pairs->len; i++) {
		const struct metadata_pair *pair = &g_array_index(md->pairs, struct metadata_pair, i);
		if (strcmp(pair->name, name) == 0)
			g_strv_builder_add(all, pair->value);
	}
	return g_strv_builder_end(all);
}

bool rpc_metadata_at(const rpc_metadata *md, size_t i, const char **ret_name, const char **ret_value)
{
	if (!md || i >= md->pairs->len)
		return false;
	const struct metadata_pair *pair = &g_array_index(md->pairs, struct metadata_pair, i);
	*ret_name = pair->name;
	*ret_value = pair->value;
	return true;
}

char *percent_encode(const char *text)
{
	GString *out = g_string_new(NULL);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* A field value neither begins nor ends with a space (RFC 9113, 8.2.1): peers refuse the stream. */
		bool edge = *p == ' ' && (p == (const unsigned char *)text || !p[1]);
		if (*p >= 0x20 && *p <= 0x7e && *p != '%' && !edge)
			g_string_append_c(out, (char)*p);
		else
			g_string_append_printf(out, "%%%02X", *p);
	}
	return g_string_free(out, FALSE);
}

char *percent_decode(const char *text, size_t n)
{
	GString *out = g_string_sized_new(n);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '%' && i + 2 < n && g_ascii_isxdigit(text[i + 1]) && g_ascii_isxdigit(text[i + 2])) {
			g_string_append_c(out, (char)(g_ascii_xdigit_value(text[i + 1]) << 4 |
						      g_ascii_xdigit_value(text[i + 2])));
			i += 2;
		} else {
			g_string_append_c(out, text[i]);
		}
	}
	if (!g_utf8_validate_len(out->str, out->len, NULL)) {
		char *valid = g_utf8_make_valid(out->str, (gssize)out->len);
		g_string_free(out, TRUE);
		return valid;
	}
	return g_string_free(out, FALSE);
}

/* In microseconds; rounds up. */
static const struct {
	char unit;
	gint64 us;
} units[] = {{'u', 1},
	     {'m', 1000},
	     {'S', G_USEC_PER_SEC},
	     {'M', (gint64)60 * G_USEC_PER_SEC},
	     {'H', (gint64)3600 * G_USEC_PER_SEC}};

gint64 timeout_parse_us(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 8 || !text[digits] || text[digits + 1])
		return 0;
	gint64 value = g_ascii_strtoll(text, NULL, 10);
	if (text[digits] == 'n')
		return value / 1000 + 1;
	for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
		if (units[i].unit == text[digits])
			return MAX(value * units[i].us, 1);
	return 0;
}

char *timeout_format(gint64 us)
{
	size_t i = 0;
	while (i + 1 < G_N_ELEMENTS(units) && us / units[i].us > 99999999)
		i++;
	return g_strdup_printf("%" G_GINT64_FORMAT "%c", CLAMP(us / units[i].us, 1, 99999999), units[i].unit);
}
