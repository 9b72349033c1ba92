/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "base/hash_walk.h"
#include "base/time.h"
#include "export/archive.h"
#include "export/exporter.h"
#include "export/result_tree.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include <string.h>

#define CREATED "org.opencontainers.image.created"

struct oci_exporter {
	struct exporter_context context;
	struct image_options options;
	bool docker, tar;
};

static void oci_free(void *self)
{
	struct oci_exporter *e = self;
	image_options_clear(&e->options);
	g_free(e);
}

/* Returns names, each with a tag. NULL and an error if one is invalid. */
static char **names_parse(const char *text, GError **error)
{
	g_auto(GStrv) raw = g_strsplit(text, ",", -1);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	for (char **name = raw; *name; name++) {
		g_autoptr(reference) ref = reference_parse_normalized(*name, error);
		if (!ref)
			return error_prefix_null(error, "failed to parse %s: ", *name);
		reference_tag_default(ref);
		g_ptr_array_add(names, reference_text(ref));
	}
	g_ptr_array_add(names, NULL);
	g_ptr_array_set_free_func(names, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* Validates everything that does not depend on the result. */
static bool request_check(const struct oci_exporter *e, const char *type, GError **error)
{
	bool given = !g_str_equal(e->options.name, "*"); /* otherwise the frontend's value is used */
	g_auto(GStrv) names = given ? names_parse(e->options.name, error) : NULL;
	return (names || !given) && image_options_check_compat(&e->options, e->context.compat_version, type, error);
}

static void *oci_open(const struct exporter_context *context, const char *type, GHashTable *attrs, GError **error)
{
	struct oci_exporter *e = g_new0(struct oci_exporter, 1);
	e->context = *context;
	e->docker = g_str_equal(type, "docker");
	e->tar = true;
	if (!image_options_load(&e->options, attrs, error) ||
	    !image_options_take_bool(&e->options, "tar", &e->tar, error) || !request_check(e, type, error)) {
		oci_free(e);
		return NULL;
	}
	return e;
}

static char *created_text(const struct oci_exporter *e, GHashTable *metadata)
{
	bool set = e->options.epoch_set;
	int64_t s = e->options.epoch_s;
	if (!e->options.has_epoch && !epoch_from_metadata(metadata, NULL, &set, &s, NULL))
		set = false;
	if (!set)
		s = progress_now_ns() / NS_PER_S;
	return time_format_rfc3339(CLAMP(s, -INT64_MAX / NS_PER_S, INT64_MAX / NS_PER_S) * NS_PER_S);
}

/* ---- tar stream to the client */

static bool stream_end(rpc_call *call, GError **error)
{
	if (!rpc_call_close_send(call, error))
		return false;
	/* The client closes its side when it has written everything to disk. */
	for (;;) {
		GError *why = NULL;
		g_autoptr(GBytes) message = rpc_call_recv(call, &why);
		if (why)
			return error_propagate(error, why);
		if (!message)
			return true;
	}
}

static rpc_metadata *response_metadata(GHashTable *response)
{
	rpc_metadata *md = rpc_metadata_new();
	for (struct hash_walk it = hash_walk(response); hash_walk_next(&it);) {
		g_autofree char *name = g_strconcat("exporter-md-", (char *)it.key, NULL);
		g_autofree char *low = g_ascii_strdown(name, -1);
		rpc_metadata_add(md, low, it.value);
	}
	return md;
}

static bool tar_send(const struct oci_exporter *e, session *client, unsigned index, const struct archive *a,
		     GHashTable *response, struct work *work, GError **error)
{
	g_autoptr(rpc_metadata) md = response_metadata(response);
	g_autoptr(rpc_call) call = session_send_open(client, index, md, work->cancel, error);
	if (!call)
		return false;
	int64_t started_ns = 0;
	progress_status_start(work->progress, "sending tarball", NULL, &started_ns);
	g_autoptr(GError) why = NULL;
	bool sent = archive_write(a, session_send_bytes, call, work->cancel, &why) && stream_end(call, &why);
	g_autoptr(GError) status = NULL;
	/* A failed send only shows that the stream ended; the status has the reason. */
	bool finished = rpc_call_finish(call, &status);
	if (!sent && !finished && !cancel_is_set(work->cancel)) {
		g_clear_error(&why);
		why = g_steal_pointer(&status);
	}
	if (!sent && !error_is(why, ERROR_ALREADY_EXISTS)) { /* the client has the image already */
		if (!cancel_is_set(work->cancel))
			g_prefix_error(&why, "failed to copy to tar: ");
		return error_propagate(error, g_steal_pointer(&why));
	}
	progress_status_end(work->progress, "sending tarball", NULL, started_ns);
	return true;
}

/* ---- content store of the client */

static bool blob_send(session *client, const oci_descriptor *d, int fd, GBytes *bytes, struct work *work,
		      GError **error)
{
	return session_content_write(client, "export", d->digest.text, fd, bytes ? g_bytes_get_data(bytes, NULL) : NULL,
				     d->size, work->cancel, NULL, NULL, error);
}

static bool layer_send(const struct oci_exporter *e, session *client, const oci_descriptor *d, struct work *work,
		       GError **error)
{
	GError *why = NULL;
	scoped_fd fd = blob_store_find_verified(e->context.blobs, &d->digest, &why);
	if (fd < 0) {
		if (why)
			g_propagate_error(error, why);
		else
			error_set(error, ERROR_NOT_FOUND, "blob %s: not found", d->digest.text);
		return false;
	}
	return blob_send(client, d, fd, NULL, work, error);
}

static bool store_send(const struct oci_exporter *e, session *client, const image_tree *tree, struct work *work,
		       GError **error)
{
	for (guint i = 0; i < tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(tree->manifests, i);
		for (guint k = 0; k < m->layers->len; k++) {
			const struct cache_layer_result *r = g_ptr_array_index(m->layers, k);
			if (!layer_send(e, client, r->layer->descriptor, work, error))
				return false;
		}
		for (guint k = 0; m->statements && k < m->statements->len; k++) {
			const struct image_document *d = g_ptr_array_index(m->statements, k);
			if (!blob_send(client, d->descriptor, -1, d->bytes, work, error))
				return false;
		}
		if (!blob_send(client, m->config, -1, m->config_bytes, work, error) ||
		    !blob_send(client, m->descriptor, -1, m->bytes, work, error))
			return false;
	}
	return !tree->index_bytes || blob_send(client, tree->root, -1, tree->index_bytes, work, error);
}

/* ---- the export */

static bool oci_export(void *self, const struct export_input *input, struct work *work, GHashTable *response,
		       bool *ret_has_finish, GError **error)
{
	struct oci_exporter *e = self;
	if (e->docker && input->is_map)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "docker exporter does not currently support exporting manifest lists");
	g_autoptr(GHashTable) metadata = export_metadata(input, e->options.rest);
	if (!export_options_settle(&e->options, &e->context, input, metadata, !e->docker, error))
		return false;
	g_autofree char *named = export_names(&e->options, metadata);
	struct image_write_input in = {
		.context = &e->context,
		.type = e->docker ? "docker" : "oci",
		.input = input,
		.metadata = metadata,
		.options = &e->options,
		.names = named,
		.fetch = true,
	};
	g_autoptr(image_tree) tree = image_write(&in, work, error);
	if (!tree)
		return false;
	if (!oci_descriptor_annotation(tree->root, CREATED)) {
		g_autofree char *created = created_text(e, metadata);
		oci_descriptor_annotate(tree->root, CREATED, created);
	}
	export_respond(tree, response);
	export_keep(tree, input->kept);
	g_auto(GStrv) names = names_parse(named, error);
	if (!names)
		return false;
	if (names[0])
		g_hash_table_replace(response, g_strdup("image.name"), g_strjoinv(",", names));
	g_autoptr(session) client = export_session(&e->context, work, error);
	if (!client)
		return false;
	if (!e->tar)
		return store_send(e, client, tree, work, error);
	struct archive a = {e->context.blobs, tree, tree->root, names, e->docker};
	return tar_send(e, client, input->index, &a, response, work, error);
}

const struct exporter_class exporter_oci_class = {
	.type = "oci",
	.vertex_name = "exporting to oci image format",
	.open = oci_open,
	.export = oci_export,
	.free = oci_free,
};
const struct exporter_class exporter_docker_class = {
	.type = "docker",
	.vertex_name = "exporting to docker image format",
	.open = oci_open,
	.export = oci_export,
	.free = oci_free,
};
