/* SPDX-License-Identifier: Apache-2.0 */
#include "format/platform.h"
#include "base/text.h"
#include "format/gotype.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* Go's GOARCH of the machine that this program was built for. */
#if defined(__x86_64__)
#define HOST_ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define HOST_ARCHITECTURE "arm64"
#elif defined(__arm__)
#define HOST_ARCHITECTURE "arm"
#elif defined(__i386__)
#define HOST_ARCHITECTURE "386"
#elif defined(__riscv) && __riscv_xlen == 64
#define HOST_ARCHITECTURE "riscv64"
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HOST_ARCHITECTURE "ppc64le"
#elif defined(__s390x__)
#define HOST_ARCHITECTURE "s390x"
#elif defined(__loongarch64)
#define HOST_ARCHITECTURE "loong64"
#else
#error "an architecture without a name in GOARCH"
#endif

#define OS_EXPRESSION "^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.%-]*)((?:\\+[A-Za-z0-9_.%-]+)*)\\))?$"
#define PART_EXPRESSION "^[A-Za-z0-9_.-]+$"
#define OS_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define OPTION_BYTES OS_BYTES ".%"
#define PART_BYTES OS_BYTES "."

static bool is_known_os(const char *os)
{
	static const char *const list[] = {"aix",     "android", "darwin",  "dragonfly", "freebsd", "hurd",
					   "illumos", "ios",     "js",      "linux",     "nacl",    "netbsd",
					   "openbsd", "plan9",   "solaris", "windows",   "zos",     NULL};
	return g_strv_contains(list, os);
}

static bool is_known_architecture(const char *architecture)
{
	static const char *const list[] = {
		"386",     "amd64", "amd64p32", "arm",    "armbe",    "arm64",     "arm64be",     "ppc64", "ppc64le",
		"loong64", "mips",  "mipsle",   "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc",   "riscv",
		"riscv64", "s390",  "s390x",    "sparc",  "sparc64",  "wasm",      NULL};
	return g_strv_contains(list, architecture);
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = g_ascii_tolower(*text);
}

#define SET(field, text) g_strlcpy((field), (text), sizeof(field))

static void os_normalize(struct platform *p)
{
	if (!p->os[0])
		SET(p->os, "linux");
	lower(p->os);
	if (g_str_equal(p->os, "macos"))
		SET(p->os, "darwin");
}

/* Aliases; with variant NULL the variant is unchanged. */
static const struct alias {
	const char *architecture, *to, *variant;
} aliases[] = {
	{"i386", "386", ""},        {"x86_64", "amd64", NULL}, {"x86-64", "amd64", NULL},
	{"aarch64", "arm64", NULL}, {"armhf", "arm", "v7"},    {"armel", "arm", "v6"},
};
static const struct variant_alias {
	const char *architecture, *variant, *to;
} variant_aliases[] = {
	{"amd64", "v1", ""},  {"arm64", "8", ""},     {"arm64", "v8", ""},     {"arm64", "v8.0", ""},
	{"arm64", "9", "v9"}, {"arm64", "9.0", "v9"}, {"arm64", "v9.0", "v9"}, {"arm", "", "v7"},
	{"arm", "7", "v7"},   {"arm", "5", "v5"},     {"arm", "6", "v6"},      {"arm", "8", "v8"},
};

static void architecture_normalize(struct platform *p)
{
	lower(p->architecture);
	lower(p->variant);
	for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++) {
		if (!g_str_equal(p->architecture, aliases[i].architecture))
			continue;
		SET(p->architecture, aliases[i].to);
		if (aliases[i].variant)
			SET(p->variant, aliases[i].variant);
		break;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(variant_aliases); i++) {
		const struct variant_alias *a = &variant_aliases[i];
		if (g_str_equal(p->architecture, a->architecture) && g_str_equal(p->variant, a->variant)) {
			SET(p->variant, a->to);
			break;
		}
	}
}

void platform_normalize(struct platform *p)
{
	os_normalize(p);
	architecture_normalize(p);
}

static struct platform other_host; /* architecture "": none */

void platform_set_host(const struct platform *p)
{
	other_host = p ? *p : (struct platform){0};
}

void platform_host(struct platform *ret)
{
	if (*other_host.architecture) {
		*ret = other_host;
		return;
	}
	*ret = (struct platform){.os = "linux", .architecture = HOST_ARCHITECTURE};
	struct utsname name;
	if (g_str_equal(HOST_ARCHITECTURE, "arm") && uname(&name) == 0 && g_str_has_prefix(name.machine, "armv"))
		g_snprintf(ret->variant, sizeof ret->variant, "v%c", name.machine[4]);
	platform_normalize(ret);
}

static bool copy_part(char *to, size_t size, const char *from, size_t n, const char *specifier, GError **error)
{
	if (n >= size)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "\"%s\": cannot parse platform specifier: invalid argument", specifier);
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

/* Parses os, os(version) or os(version+feature...); features are ignored (no supported platform has any). */
static bool os_read(const char *part, const char *specifier, struct platform *p, GError **error)
{
	size_t n = strspn(part, OS_BYTES);
	const char *rest = part + n;
	size_t version = *rest == '(' ? strspn(rest + 1, OPTION_BYTES) : 0;
	const char *close = *rest == '(' ? rest + 1 + version : rest;
	while (*rest == '(' && *close == '+') {
		size_t feature = strspn(close + 1, OPTION_BYTES);
		if (feature == 0)
			break;
		close += 1 + feature;
	}
	if (n == 0 || (*rest == '(' ? (close[0] != ')' || close[1]) : *rest != '\0')) {
		g_autofree char *expression = go_quote(OS_EXPRESSION);
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "\"%s\" is an invalid OS component of \"%s\": OSAndVersion specifier component must "
				 "match %s: invalid argument",
				 part, specifier, expression);
	}
	if (!copy_part(p->os, sizeof p->os, part, n, specifier, error))
		return false;
	if (version == 0)
		return true;
	g_autofree char *raw = g_strndup(rest + 1, version);
	g_autofree char *decoded = g_uri_unescape_string(raw, NULL);
	if (!decoded)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "\"%s\" has an invalid OS version \"%s\": invalid URL escape", specifier, raw);
	return copy_part(p->os_version, sizeof p->os_version, decoded, strlen(decoded), specifier, error);
}

static bool single_part_read(const char *specifier, struct platform *p, GError **error)
{
	os_normalize(p);
	if (is_known_os(p->os)) {
		struct platform host;
		platform_host(&host);
		SET(p->architecture, host.architecture);
		SET(p->variant, host.variant);
		return true;
	}
	if (!copy_part(p->architecture, sizeof p->architecture, specifier, strlen(specifier), specifier, error))
		return false;
	architecture_normalize(p);
	if (!is_known_architecture(p->architecture))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "\"%s\": unknown operating system or architecture: invalid argument", specifier);
	SET(p->os, "linux");
	return true;
}

bool platform_parse(const char *text, struct platform *ret, GError **error)
{
	if (strchr(text, '*'))
		return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\": wildcards not yet supported: invalid argument",
				 text);
	g_auto(GStrv) parts = g_strsplit(text, "/", 4);
	guint n = g_strv_length(parts);
	struct platform p = {0};
	/* Go's Split of the empty text gives one empty part, GLib's none. */
	if (!os_read(n > 0 ? parts[0] : "", text, &p, error))
		return false;
	for (guint i = 1; i < n; i++)
		if (!parts[i][0] || parts[i][strspn(parts[i], PART_BYTES)])
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "\"%s\" is an invalid component of \"%s\": platform specifier component must "
					 "match \"%s\": "
					 "invalid argument",
					 parts[i], text, PART_EXPRESSION);
	if (n > 3)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "\"%s\": cannot parse platform specifier: invalid argument", text);
	if (n == 1 && !single_part_read(text, &p, error))
		return false;
	if (n > 1 && !copy_part(p.architecture, sizeof p.architecture, parts[1], strlen(parts[1]), text, error))
		return false;
	if (n > 2 && !copy_part(p.variant, sizeof p.variant, parts[2], strlen(parts[2]), text, error))
		return false;
	platform_normalize(&p);
	*ret = p;
	return true;
}

/* ---- printing */

static char *join(const char *os, const struct platform *p)
{
	return g_strconcat(os, p->architecture[0] ? "/" : "", p->architecture, p->variant[0] ? "/" : "", p->variant,
			   NULL);
}

char *platform_format(const struct platform *p)
{
	return p->os[0] ? join(p->os, p) : g_strdup("unknown");
}

/* Escapes characters that os_read would not accept. */
static void option_append(GString *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '%' || !strchr(OPTION_BYTES, *value))
			g_string_append_printf(out, "%%%02X", (unsigned char)*value);
		else
			g_string_append_c(out, *value);
	}
}

char *platform_format_all(const struct platform *p)
{
	if (!p->os[0])
		return g_strdup("unknown");
	if (!p->os_version[0] && !(p->os_features && p->os_features[0]))
		return join(p->os, p);
	g_autoptr(GString) os = g_string_new(p->os);
	g_string_append_c(os, '(');
	option_append(os, p->os_version);
	g_autoptr(GPtrArray) features = g_ptr_array_new();
	for (char *const *f = p->os_features; f && *f; f++)
		g_ptr_array_add(features, *f);
	g_ptr_array_sort(features, text_order);
	const char *previous = "";
	for (guint i = 0; i < features->len; i++) {
		const char *feature = g_ptr_array_index(features, i);
		if (g_str_equal(feature, previous))
			continue;
		g_string_append_c(os, '+');
		option_append(os, feature);
		previous = feature;
	}
	g_string_append_c(os, ')');
	return join(os->str, p);
}

/* ---- comparison */

bool platform_equal(const struct platform *a, const struct platform *b)
{
	return g_str_equal(a->os, b->os) && g_str_equal(a->architecture, b->architecture) &&
	       g_str_equal(a->variant, b->variant) && g_str_equal(a->os_version, b->os_version);
}

static bool features_fit(const struct platform *want, const struct platform *have)
{
	for (char *const *f = have->os_features; f && *f; f++)
		if (!want->os_features || !g_strv_contains((const char *const *)want->os_features, *f))
			return false;
	return true;
}

/* Returns the number after "v", or def without a variant; -1 if it is invalid. */
static int variant_number(const char *variant, int def)
{
	if (!variant[0])
		return def;
	if (variant[0] != 'v' || !g_ascii_isdigit(variant[1]) || variant[2])
		return -1;
	return variant[1] - '0';
}

/* Parses arm64 "v8.2" as 8 and 2; without a variant 8.0. */
static bool arm64_version(const char *variant, int *ret_major, int *ret_minor)
{
	*ret_major = 8;
	*ret_minor = 0;
	if (!variant[0])
		return true;
	if (variant[0] != 'v' || (variant[1] != '8' && variant[1] != '9'))
		return false;
	*ret_major = variant[1] - '0';
	if (!variant[2])
		return true;
	if (variant[2] != '.' || !g_ascii_isdigit(variant[3]) || variant[4])
		return false;
	*ret_minor = variant[3] - '0';
	return *ret_minor <= (*ret_major == 8 ? 9 : 7);
}

#define EXACT 100

static int arm_rank(int want, const char *have_variant)
{
	int have = variant_number(have_variant, 7);
	if (have == want)
		return EXACT;
	return want > 5 && have >= 5 && have < want ? EXACT - (want - have) : 0;
}

static int arm64_rank(const struct platform *want, const struct platform *have)
{
	int major, minor, have_major, have_minor;
	if (!arm64_version(want->variant, &major, &minor))
		return 0;
	if (g_str_equal(have->architecture, "arm")) {
		int rank = arm_rank(8, have->variant); /* every 64-bit arm is assumed to run 32-bit v8 */
		return rank ? rank - 30 : 0;
	}
	if (!g_str_equal(have->architecture, "arm64") || !arm64_version(have->variant, &have_major, &have_minor))
		return 0;
	if (have_major == major)
		return have_minor <= minor ? EXACT - (minor - have_minor) : 0;
	/* v9.n includes v8.(n+5), at most v8.9 */
	int contained = MIN(minor + 5, 9);
	return major == 9 && have_major == 8 && have_minor <= contained ? EXACT - 10 - (contained - have_minor) : 0;
}

static int amd64_rank(const struct platform *want, const struct platform *have)
{
	if (g_str_equal(have->architecture, "386"))
		return have->variant[0] ? 0 : 50;
	if (!g_str_equal(have->architecture, "amd64"))
		return 0;
	if (g_str_equal(want->variant, have->variant))
		return EXACT;
	int w = variant_number(want->variant, 1), h = variant_number(have->variant, 1);
	return w > 1 && h >= 1 && h < w ? EXACT - (w - h) : 0;
}

int platform_match(const struct platform *want, const struct platform *have)
{
	struct platform w = *want, h = *have;
	platform_normalize(&w);
	platform_normalize(&h);
	if (!g_str_equal(w.os, h.os) || !features_fit(&w, &h))
		return 0;
	if (g_str_equal(w.os, "windows") && w.os_version[0] && h.os_version[0] &&
	    !g_str_equal(w.os_version, h.os_version))
		return 0;
	if (g_str_equal(w.architecture, "amd64"))
		return amd64_rank(&w, &h);
	if (g_str_equal(w.architecture, "arm64"))
		return arm64_rank(&w, &h);
	if (!g_str_equal(w.architecture, h.architecture))
		return 0;
	if (g_str_equal(w.architecture, "arm") && variant_number(w.variant, 7) > 0)
		return arm_rank(variant_number(w.variant, 7), h.variant);
	return g_str_equal(w.variant, h.variant) ? EXACT : 0;
}
