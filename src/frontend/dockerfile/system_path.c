/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/system_path.h"
#include "format/gotype.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

static bool is_windows(const char *os)
{
	return strcmp(os, "windows") == 0;
}

static char *replace(arena *a, const char *path, char from, char to)
{
	char *copy = arena_strdup(a, path);
	for (char *at = copy; *at; at++)
		if (*at == from)
			*at = to;
	return copy;
}

const char *system_path_slash(arena *a, const char *os, const char *path)
{
	return is_windows(os) ? replace(a, path, '\\', '/') : path;
}

const char *system_path_native(arena *a, const char *os, const char *path)
{
	return is_windows(os) ? replace(a, path, '/', '\\') : path;
}

static const char *clean(arena *a, const char *path, bool keep_slash)
{
	const char *cleaned = text_path_clean(a, path);
	bool keep = keep_slash && cleaned[1] && g_str_has_suffix(path, "/");
	return keep ? arena_printf(a, "%s/", cleaned) : cleaned;
}

/* path has slashes. Cleans it and removes the drive. */
static const char *without_drive(arena *a, const char *path, bool keep_slash, GError **error)
{
	if (strlen(path) == 2 && path[1] == ':') {
		g_autofree char *quoted = go_quote(path);
		return error_null(error, ERROR_INVALID_ARGUMENT, "No relative path specified in %s", quoted);
	}
	if (g_str_has_prefix(path, "//"))
		return error_null(error, ERROR_INVALID_ARGUMENT, "UNC paths are not supported");
	const char *colon = strchr(path, ':');
	if (!colon)
		return clean(a, path, keep_slash);
	if (colon != path + 1 || g_ascii_tolower(*path) != 'c')
		return error_null(error, ERROR_INVALID_ARGUMENT, "The specified path is not on the system drive (C:)");
	return clean(a, colon + 1, keep_slash);
}

/* A path behind a drive is relative, too: "C:a", and even "C:c:/a" after the first drive is removed. */
static bool is_absolute(arena *a, const char *path)
{
	const char *plain = without_drive(a, path, false, NULL);
	return plain && *plain == '/';
}

bool system_path_is_absolute(arena *a, const char *os, const char *path)
{
	return is_windows(os) ? is_absolute(a, system_path_slash(a, os, path)) : *path == '/';
}

static const char *join(arena *a, const char *dir, const char *path)
{
	return text_path_clean(a, arena_printf(a, "%s/%s", dir, path));
}

static const char *normalize(arena *a, const char *parent, const char *written, bool keep_slash, GError **error)
{
	const char *dir = without_drive(a, *parent ? parent : "/", keep_slash, error);
	if (!dir)
		return NULL;
	if (!is_absolute(a, dir))
		dir = join(a, "/", dir);
	const char *path = without_drive(a, *written ? written : dir, keep_slash, error);
	if (!path)
		return NULL;
	if (!is_absolute(a, path))
		path = join(a, dir, path);
	if (keep_slash && g_str_has_suffix(written, "/") && !g_str_has_suffix(path, "/"))
		return arena_printf(a, "%s/", path);
	if (keep_slash && g_str_has_suffix(written, "/."))
		return arena_printf(a, "%s%s.", path, path[1] ? "/" : "");
	return path;
}

static const char *prefixed(const char *path, const char *prefix, GError **error)
{
	if (!path)
		g_prefix_error(error, "%s", prefix);
	return path;
}

const char *system_path_plain(arena *a, const char *os, const char *path, GError **error)
{
	if (!is_windows(os))
		return path;
	return prefixed(without_drive(a, system_path_slash(a, os, path), false, error),
			"removing drive letter: ", error);
}

const char *system_path_rooted(arena *a, const char *os, const char *path, GError **error)
{
	if (!is_windows(os))
		return text_path_rooted(a, path);
	return prefixed(normalize(a, "/", system_path_slash(a, os, path), false, error),
			"removing drive letter: ", error);
}

static const char *windows_target(arena *a, const char *dir, const char *written, GError **error)
{
	const char *path = without_drive(a, written, true, error);
	if (!path)
		return NULL;
	/* The trailing "/." of the written path is lost here, as upstream. */
	if (is_absolute(a, path))
		return normalize(a, "/", path, true, error);
	return normalize(a, dir, strcmp(path, ".") == 0 ? "./" : path, true, error);
}

/* An absolute path is cleaned, but for its end. */
static const char *unix_target(arena *a, const char *dir, const char *path)
{
	if (!*path || strcmp(path, ".") == 0)
		path = "./";
	const char *cleaned = text_path_clean(a, *path == '/' ? path : arena_printf(a, "/%s/%s", dir, path));
	if (g_str_has_suffix(path, "/"))
		return cleaned[1] ? arena_printf(a, "%s/", cleaned) : cleaned;
	if (g_str_has_suffix(path, "/."))
		return arena_printf(a, "%s%s.", cleaned, cleaned[1] ? "/" : "");
	return cleaned;
}

const char *system_path_target(arena *a, const char *os, const char *dir, const char *path, GError **error)
{
	if (!is_windows(os))
		return unix_target(a, dir, path);
	return prefixed(windows_target(a, system_path_slash(a, os, dir), system_path_slash(a, os, path), error),
			"removing drive letter: ", error);
}

/* Not for Windows: an absolute path is used as written. */
static const char *unix_join(arena *a, const char *dir, const char *path)
{
	if (!*path)
		return *dir == '/' ? dir : text_path_rooted(a, dir);
	return *path == '/' ? path : text_path_rooted(a, arena_printf(a, "%s/%s", dir, path));
}

const char *system_path_join(arena *a, const char *os, const char *dir, const char *path, GError **error)
{
	if (!*dir)
		dir = "/";
	if (!is_windows(os))
		return unix_join(a, dir, path);
	return prefixed(normalize(a, system_path_slash(a, os, dir), system_path_slash(a, os, path), false, error),
			"removing drive letter: ", error);
}
