/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/env.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/text.h"
#include "os/dirlist.h"
#include "os/path.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

/* Follows links outside the directory: the administrator controls it. */
static GBytes *read_file(const char *directory, const char *name, GError **error)
{
	g_autofree char *joined = g_build_filename(directory, name, NULL);
	g_autofree char *path = g_canonicalize_filename(joined, NULL);
	scoped_fd root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return error_null_errno(error, errno, "open /");
	return path_read(root_fd, path, (size_t)LIMIT_CONFIG_BYTES, PATH_IN_ROOT, error);
}

static bool add_file(json_t *env, const char *directory, const char *name, GError **error)
{
	static const char *const builtin[] = {"buildConfig", "builderPlatform", "platform"};
	g_autoptr(GBytes) bytes = read_file(directory, name, error);
	size_t n = 0;
	const void *start = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	g_autoptr(json_t) object = bytes ? json_read(start, n, (size_t)LIMIT_CONFIG_BYTES, name, error) : NULL;
	if (bytes && object && !json_is_object(object))
		error_set(error, ERROR_INVALID_ARGUMENT, "not an object");
	if (!object || !json_is_object(object))
		return error_prefix(error, "failed to parse %s/%s: ", directory, name);
	for (size_t i = 0; i < G_N_ELEMENTS(builtin); i++)
		if (json_object_get(object, builtin[i]))
			return error_set(
				error, ERROR_INVALID_ARGUMENT,
				"%s/%s: key \"%s\" is builtin and not allowed to be modified in provenance config",
				directory, name, builtin[i]);
	json_object_update(env, object);
	return true;
}

json_t *provenance_env_load(const char *directory, GError **error)
{
	g_autoptr(json_t) env = json_object();
	scoped_fd fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return g_steal_pointer(&env);
	if (fd < 0)
		return error_null_errno(error, errno, "open %s", directory);
	scoped_dirlist list = {0};
	if (!dirlist_read(&list, fd, error))
		return error_prefix_null(error, "%s: ", directory);
	for (size_t i = 0; i < list.n; i++)
		if (g_str_has_suffix(dirlist_name(&list, i), ".json") && list.items[i].type != DT_DIR &&
		    !add_file(env, directory, dirlist_name(&list, i), error))
			return NULL;
	return g_steal_pointer(&env);
}

void provenance_env_write(json_writer *w, const json_t *env, size_t *at, const char *key)
{
	size_t n = json_object_size(env), i = 0;
	g_autofree const char **keys = g_new(const char *, n + 1);
	for (void *iter = json_object_iter((json_t *)env); iter; iter = json_object_iter_next((json_t *)env, iter))
		keys[i++] = json_object_iter_key(iter);
	if (n > 0)
		qsort(keys, n, sizeof *keys, text_order);
	for (; *at < n && (!key || strcmp(keys[*at], key) < 0); ++*at) {
		json_key(w, keys[*at]);
		json_put_value(w, json_object_get(env, keys[*at]), true);
	}
}
