/* SPDX-License-Identifier: Apache-2.0 */
#include "client/colors.h"
#include "base/log.h"
#include "format/gotype.h"
#include <string.h>

static const struct {
	const char *name;
	int sgr; /* ECMA-48, select graphic rendition */
} names[] = {
	{"default", 39},    {"black", 30},       {"red", 31},          {"green", 32},      {"yellow", 33},
	{"blue", 34},       {"magenta", 35},     {"cyan", 36},         {"white", 37},      {"light-black", 90},
	{"light-red", 91},  {"light-green", 92}, {"light-yellow", 93}, {"light-blue", 94}, {"light-magenta", 95},
	{"light-cyan", 96}, {"light-white", 97},
};

static bool set_name(char *code, gsize size, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_ascii_strcasecmp(names[i].name, name) == 0)
			return g_snprintf(code, size, "\x1b[%dm", names[i].sgr) > 0;
	return false;
}

/* Maps "R,G,B" to the 6x6x6 cube of the 256-colour palette. */
static bool set_rgb(char *code, gsize size, const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	int64_t rgb[3];
	if (g_strv_length(parts) != G_N_ELEMENTS(rgb))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(rgb); i++)
		if (!int_parse(parts[i], 10, &rgb[i], NULL) || rgb[i] < 0 || rgb[i] > 255)
			return false;
	return g_snprintf(code, size, "\x1b[38;5;%dm",
			  (int)(16 + 36 * (rgb[0] / 43) + 6 * (rgb[1] / 43) + rgb[2] / 43)) > 0;
}

static void set_field(struct colors *c, const char *field)
{
	static const char *const keys[COLORS] = {
		[COLOR_RUN] = "run", [COLOR_CANCEL] = "cancel", [COLOR_ERROR] = "error", [COLOR_WARNING] = "warning"};
	g_auto(GStrv) pair = g_strsplit(field, "=", 2);
	for (size_t i = 0; g_strv_length(pair) == 2 && i < G_N_ELEMENTS(keys); i++) {
		char *code = c->codes[i];
		if (keys[i] && g_ascii_strcasecmp(keys[i], pair[0]) == 0 &&
		    (set_name(code, sizeof c->codes[i], pair[1]) || set_rgb(code, sizeof c->codes[i], pair[1])))
			return;
	}
	log_warn("BUILDKIT_COLORS: invalid field \"%s\"", field);
}

void colors_read(struct colors *c, const char *wanted, const char *no_color)
{
	static const struct colors defaults = {{[COLOR_RUN] = "\x1b[34m",
						[COLOR_CANCEL] = "\x1b[33m",
						[COLOR_ERROR] = "\x1b[31m",
						[COLOR_WARNING] = "\x1b[33m",
						[COLOR_FAINT] = "\x1b[2m"}};
	*c = no_color && *no_color ? (struct colors){0} : defaults;
	g_auto(GStrv) fields = g_strsplit(wanted ? wanted : "", ":", -1);
	for (char **field = fields; *field; field++)
		if (**field)
			set_field(c, *field);
}
