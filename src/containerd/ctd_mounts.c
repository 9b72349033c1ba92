/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_mounts.h"
#include "base/limits.h"
#include <limits.h>
#include <string.h>

static const char *option_value(const Ctd__Mount *m, const char *prefix)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (g_str_has_prefix(m->options[i], prefix))
			return m->options[i] + strlen(prefix);
	return NULL;
}

/* "/" is refused, too: a tree is never the root of the host. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || path[1] == '\0' || strlen(path) >= PATH_MAX)
		return false;
	g_auto(GStrv) parts = g_strsplit(path + 1, "/", -1);
	for (char **part = parts; *part; part++)
		if (**part == '\0' || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
			return false;
	return true;
}

/* Colons that are part of a path are escaped there; such paths are refused below, because of their backslash. */
static char *first_lower(const char *lowers)
{
	return lowers ? g_strndup(lowers, strcspn(lowers, ":")) : NULL;
}

static char *path_take(char *path, const char *name, bool *ok, GError **error)
{
	if (!path || !*ok || (is_plain_path(path) && !strchr(path, '\\')))
		return path;
	*ok = error_set(error, ERROR_FAILED_PRECONDITION,
			"snapshotter \"%s\" returned a mount with the path \"%.200s\": not an absolute path without "
			"\".\" and \"..\"",
			name, path);
	return path;
}

static bool find_overlay(const Ctd__Mount *m, const char *name, struct ctd_place *p, GError **error)
{
	bool ok = true;
	const char *upper = option_value(m, "upperdir=");
	p->is_overlay = true;
	p->fs = path_take(upper ? g_strdup(upper) : first_lower(option_value(m, "lowerdir=")), name, &ok, error);
	p->work = path_take(upper ? g_strdup(option_value(m, "workdir=")) : NULL, name, &ok, error);
	return ok && ((p->fs && (!upper || p->work)) ||
		      error_set(error, ERROR_FAILED_PRECONDITION,
				"snapshotter \"%s\" returned an overlay mount without upperdir and workdir or lowerdir",
				name));
}

static bool find_bind(const Ctd__Mount *m, const char *name, struct ctd_place *p, GError **error)
{
	bool ok = true;
	p->fs = path_take(g_strdup(m->source), name, &ok, error);
	return ok;
}

bool ctd_place_find(Ctd__Mount *const *mounts, size_t n, const char *name, struct ctd_place *ret, GError **error)
{
	if (n != 1)
		return error_set(error, ERROR_UNIMPLEMENTED,
				 "snapshotter \"%s\" returned %zu mounts for a snapshot; only one is supported yet",
				 name, n);
	const Ctd__Mount *m = mounts[0];
	bool is_overlay = strcmp(m->type, "overlay") == 0;
	if (!is_overlay && strcmp(m->type, "bind") != 0)
		return error_set(error, ERROR_UNIMPLEMENTED,
				 "snapshotter \"%s\" has mounts of type \"%.100s\", which is not supported yet", name,
				 m->type);
	if (m->n_options > (size_t)LIMIT_MOUNT_OPTIONS)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "snapshotter \"%s\" returned a mount with %zu options: more than %lld", name,
				 m->n_options, LIMIT_MOUNT_OPTIONS);
	struct ctd_place p = {0};
	if ((is_overlay ? find_overlay : find_bind)(m, name, &p, error)) {
		*ret = p;
		return true;
	}
	ctd_place_clear(&p);
	return false;
}

void ctd_place_clear(struct ctd_place *p)
{
	g_clear_pointer(&p->fs, g_free);
	g_clear_pointer(&p->work, g_free);
}
