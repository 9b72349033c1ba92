/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/process.h"
#include "base/text.h"
#include "base/version.h"
#include "format/gotype.h"
#include "oci/oci.h"
#include <string.h>

#define CAPS_LABEL "moby.buildkit.frontend.caps"
#define NO_NETWORK_LABEL "moby.buildkit.frontend.network.none"
#define INPUTS_CAP "moby.buildkit.frontend.inputs"

/* ---- caps */

/* Images of docker/dockerfile that support inputs without saying so: 1.1.6, 1.1.7 and their experimental channels. */
static const char *const input_digests[] = {
	"sha256:9ac1c43a60e31dca741a6fe8314130a9cd4c4db0311fbbc636ff992ef60ae76d",
	"sha256:080bd74d8778f83e7b670de193362d8c593c8b14f5c8fb919d28ee8feda0d069",
	"sha256:60543a9d92b92af5088fb2938fb09b2072684af8384399e153e137fe081f8ab4",
	"sha256:de85b2f3a3e8a2f7fe48e8e84a65f6fdd5cd5183afa6412fff9caa6871649c44",
	NULL,
};

/* Splits "name+flag,name"; flags and empty names are dropped. g_strfreev. */
static char **caps_read(const char *text)
{
	char **caps = g_strsplit(text ? text : "", ",", -1);
	size_t n = 0;
	for (size_t i = 0; caps[i]; i++) {
		char *plus = strchr(caps[i], '+');
		if (plus)
			*plus = '\0';
		if (*caps[i])
			caps[n++] = caps[i];
		else
			g_free(caps[i]);
	}
	caps[n] = NULL;
	return caps;
}

static bool cap_refuse(const char *cap, GError **error)
{
	GError *refused = NULL;
	g_autoptr(json_writer) w = json_writer_new(0);
	error_set(&refused, ERROR_UNIMPLEMENTED, "unsupported frontend capability %s", cap);
	json_object_begin(w);
	json_put_string_member(w, "name", cap);
	json_object_end(w);
	g_autofree char *json = json_writer_take(&w, NULL);
	error_add_detail(refused, "errdefs.FrontendCap", json);
	return error_propagate(error, refused);
}

static bool caps_check(const struct gateway_process_request *r, GError **error)
{
	const struct frontend_image *image = r->image;
	g_auto(GStrv) has = caps_read(g_hash_table_lookup(image->labels, CAPS_LABEL));
	g_auto(GStrv) needs = caps_read(g_hash_table_lookup(r->options, "frontend.caps"));
	bool takes_inputs =
		g_strv_contains((const char *const *)has, INPUTS_CAP) || g_strv_contains(input_digests, image->digest);
	for (size_t i = 0; needs[i]; i++)
		if (!g_strv_contains((const char *const *)has, needs[i]) &&
		    !(takes_inputs && strcmp(needs[i], INPUTS_CAP) == 0))
			return cap_refuse(needs[i], error);
	return r->n_inputs == 0 || takes_inputs || cap_refuse(INPUTS_CAP, error);
}

/* ---- environment */

static void put_labels(json_writer *w, GHashTable *labels)
{
	guint n;
	g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(labels, &n);
	qsort(keys, n, sizeof *keys, text_order);
	json_key(w, "labels");
	json_object_begin(w);
	for (guint i = 0; i < n; i++)
		json_put_string_member(w, keys[i], g_hash_table_lookup(labels, keys[i]));
	json_object_end(w);
}

static void put_version(json_writer *w)
{
	json_key(w, "buildkitVersion");
	json_object_begin(w);
	json_put_string_member(w, "package", BUILDKIT_PACKAGE);
	json_put_string_member(w, "version", BUILDKIT_VERSION);
	json_put_string_member(w, "revision", BUILDKIT_REVISION);
	json_put_string_member(w, "dockerfileVersion", DOCKERFILE_VERSION);
	json_object_end(w);
}

static void put_worker(json_writer *w, const worker *one)
{
	json_object_begin(w);
	json_put_string_member(w, "id", one->id);
	put_labels(w, one->labels);
	json_key(w, "platforms");
	json_array_begin(w);
	size_t n;
	const struct platform *platforms = worker_platforms(one, &n);
	for (size_t i = 0; i < n; i++)
		oci_platform_write(w, &platforms[i]);
	json_array_end(w);
	json_key(w, "gcPolicy");
	json_put_null(w);
	put_version(w);
	json_key(w, "cdiDevices");
	json_put_null(w);
	json_object_end(w);
}

static void add_options(GPtrArray *env, GHashTable *options)
{
	guint n;
	g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(options, &n);
	qsort(keys, n, sizeof *keys, text_order);
	for (guint i = 0; i < n; i++)
		g_ptr_array_add(env, g_strdup_printf("BUILDKIT_FRONTEND_OPT_%u=%s=%s", i, keys[i],
						     (const char *)g_hash_table_lookup(options, keys[i])));
}

static char **env_new(const struct gateway_process_request *r)
{
	GPtrArray *env = g_ptr_array_new();
	for (size_t i = 0; r->image->env[i]; i++)
		g_ptr_array_add(env, g_strdup(r->image->env[i]));
	add_options(env, r->options);
	g_ptr_array_add(env, g_strconcat("BUILDKIT_SESSION_ID=", r->session, NULL));
	g_autoptr(json_writer) w = json_writer_new(0);
	json_array_begin(w);
	for (size_t i = 0; i < r->n_workers; i++)
		put_worker(w, r->workers[i]);
	json_array_end(w);
	g_autofree char *workers = json_writer_take(&w, NULL);
	g_ptr_array_add(env, g_strconcat("BUILDKIT_WORKERS=", workers, NULL));
	g_ptr_array_add(env, g_strdup("BUILDKIT_EXPORTEDPRODUCT=buildkit"));
	g_ptr_array_add(env, NULL);
	return (char **)g_ptr_array_free(env, FALSE);
}

/* ---- the process */

bool gateway_process_init(struct gateway_process *ret, const struct gateway_process_request *r, GError **error)
{
	static const char *const default_args[] = {"/run", NULL};
	const struct frontend_image *image = r->image;
	const char *no_network = g_hash_table_lookup(image->labels, NO_NETWORK_LABEL);
	*ret = (struct gateway_process){0};
	if (!caps_check(r, error))
		return false;
	ret->args = g_strdupv(image->entrypoint ? image->entrypoint : (char **)default_args);
	ret->cwd = g_strdup(*image->working_dir ? image->working_dir : "/");
	ret->env = env_new(r);
	if (!no_network || !bool_parse(no_network, &ret->no_network, NULL))
		ret->no_network = false;
	return true;
}

void gateway_process_clear(struct gateway_process *p)
{
	g_strfreev(p->args);
	g_strfreev(p->env);
	g_free(p->cwd);
	*p = (struct gateway_process){0};
}
