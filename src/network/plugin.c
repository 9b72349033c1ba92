/* SPDX-License-Identifier: Apache-2.0 */
#include "network/plugin.h"
#include "base/limits.h"
#include "base/text.h"
#include "os/process.h"
#include <sys/stat.h>

#define MESSAGE_BYTES 1000 /* of a plugin, in an error */

static char *find(const struct plugin_call *call, const char *type, GError **error)
{
	for (size_t i = 0; call->dirs[i]; i++) {
		g_autofree char *path = g_build_filename(call->dirs[i], type, NULL);
		struct stat st;
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return g_steal_pointer(&path);
	}
	g_autofree char *dirs = g_strjoinv(" ", (char **)(gsize)call->dirs);
	return error_null(error, ERROR_NOT_FOUND, "failed to find plugin \"%s\" in path [%s]", type, dirs);
}

/* The daemon's environment with the variables of the call: plugins look for iptables in PATH. */
static char **environment(const struct plugin_call *call)
{
	g_autofree char *path = g_strjoinv(":", (char **)(gsize)call->dirs);
	const char *const variables[][2] = {
		{"CNI_COMMAND", call->command}, {"CNI_CONTAINERID", call->container_id},    {"CNI_NETNS", call->netns},
		{"CNI_IFNAME", call->ifname},   {"CNI_ARGS", call->args ? call->args : ""}, {"CNI_PATH", path},
	};
	char **env = g_get_environ();
	for (size_t i = 0; i < G_N_ELEMENTS(variables); i++)
		env = g_environ_setenv(env, variables[i][0], variables[i][1], TRUE);
	return env;
}

/* ---- results */

static char *valid_part(const char *text)
{
	return g_utf8_make_valid(text, (gssize)MIN(strlen(text), MESSAGE_BYTES));
}

static char *quoted(GBytes *bytes)
{
	g_autofree char *text = text_from_bytes(bytes);
	g_autofree char *valid = valid_part(g_strstrip(text));
	g_autofree char *escaped = g_strescape(valid, NULL);
	return g_strdup_printf("\"%s\"", escaped);
}

/* The specification's error object on stdout, or whatever the plugin printed. */
static bool set_failure(GBytes *out, GBytes *err, int status, GError **error)
{
	g_autoptr(json_t) object = NULL;
	if (g_bytes_get_size(out) > 0)
		object = json_read(g_bytes_get_data(out, NULL), g_bytes_get_size(out), LIMIT_CNI_OUTPUT_BYTES,
				   "message", NULL);
	const char *message = json_string_value(json_object_get(object, "msg"));
	const char *details = json_string_value(json_object_get(object, "details"));
	if (message) {
		g_autofree char *first = valid_part(message);
		g_autofree char *second = valid_part(details ? details : "");
		return error_set(error, ERROR_UNKNOWN, "%s%s%s", first, *second != '\0' ? "; " : "", second);
	}
	g_autofree char *text = quoted(g_bytes_get_size(out) > 0 ? out : err);
	if (g_bytes_get_size(out) > 0)
		return error_set(error, ERROR_UNKNOWN, "netplugin failed but its diagnostic message is not JSON: %s",
				 text);
	if (g_bytes_get_size(err) > 0)
		return error_set(error, ERROR_UNKNOWN, "netplugin failed: %s", text);
	return error_set(error, ERROR_UNKNOWN, "netplugin failed with no error message: exit status %d",
			 process_exit_code(status));
}

static json_t *read_result(const struct plugin_call *call, GBytes *out, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (!g_str_equal(call->command, "ADD"))
		return json_object();
	g_autoptr(json_t) result =
		json_read(g_bytes_get_data(out, NULL), g_bytes_get_size(out), LIMIT_CNI_OUTPUT_BYTES, "result", &why);
	if (json_is_object(result))
		return g_steal_pointer(&result);
	g_autofree char *text = quoted(out);
	return error_null(error, ERROR_UNKNOWN, "result is not a JSON object: %s", text);
}

/* ---- the call */

static json_t *run(const struct plugin_call *call, const char *type, const json_t *input, cancel *c, GError **error)
{
	g_autofree char *path = find(call, type, error);
	if (!path)
		return NULL;
	g_auto(GStrv) env = environment(call);
	const char *argv[] = {path, NULL};
	const struct process_spec spec = {
		.argv = argv,
		.envp = (const char *const *)env,
		.new_session = true,
		.kill_group = true, /* with the plugins that it has started */
		.timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : LIMIT_CNI_PLUGIN_MS,
	};
	g_autofree char *text = json_dumps(input, JSON_COMPACT);
	g_autoptr(GBytes) out = NULL, err = NULL;
	int status;
	if (!process_run(&spec, text, strlen(text), LIMIT_CNI_OUTPUT_BYTES, c, &status, &out, &err, error))
		return NULL;
	if (status != 0) {
		set_failure(out, err, status, error);
		return NULL;
	}
	return read_result(call, out, error);
}

json_t *plugin_run(const struct plugin_call *call, const char *type, const json_t *input, cancel *c, GError **error)
{
	json_t *result = run(call, type, input, c, error);
	if (!result)
		g_prefix_error(error, "plugin type=\"%s\" failed (%s): ", type,
			       g_str_equal(call->command, "ADD") ? "add" : "delete");
	return result;
}
