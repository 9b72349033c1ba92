/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/env.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/path.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns the sorted names of the JSON files, or NULL with an error. */
static GPtrArray *list_files(int dir_fd, const char *directory, GError **error)
{
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		error_set_errno(error, errno, "open %s", directory);
		fd_close(&copy);
		return NULL;
	}
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (g_str_has_suffix(e->d_name, ".json") && e->d_type != DT_DIR)
			g_ptr_array_add(names, g_strdup(e->d_name));
	closedir(dir);
	if (names->len > 0)
		qsort(names->pdata, names->len, sizeof *names->pdata, by_text);
	return names;
}

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
	g_autoptr(GPtrArray) names = list_files(fd, directory, error);
	for (guint i = 0; names && i < names->len; i++)
		if (!add_file(env, directory, names->pdata[i], error))
			return NULL;
	return names ? g_steal_pointer(&env) : NULL;
}

void provenance_env_write(json_writer *w, const json_t *env, size_t *at, const char *key)
{
	size_t n = json_object_size(env), i = 0;
	g_autofree const char **keys = g_new(const char *, n + 1);
	for (void *iter = json_object_iter((json_t *)env); iter; iter = json_object_iter_next((json_t *)env, iter))
		keys[i++] = json_object_iter_key(iter);
	if (n > 0)
		qsort(keys, n, sizeof *keys, by_text);
	for (; *at < n && (!key || strcmp(keys[*at], key) < 0); ++*at) {
		json_key(w, keys[*at]);
		json_put_value(w, json_object_get(env, keys[*at]), true);
	}
}
