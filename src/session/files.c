/* SPDX-License-Identifier: Apache-2.0 */
/* files: streams that transfer files: FileSync, FileSend, Upload. */
#include "session/live.h"
#include "api/wire.h"

#define SYNC "/moby.filesync.v1.FileSync/DiffCopy"
#define SEND "/moby.filesync.v1.FileSend/DiffCopy"
#define PULL "/moby.upload.v1.Upload/Pull"

static bool is_ascii(const char *const *values)
{
	for (; *values; values++)
		for (const char *p = *values; *p; p++)
			if (*p & 0x80 || *p < 0x20 || *p == 0x7f)
				return false;
	return true;
}

/* Implements Go's url.QueryEscape. */
static char *query_escape(const char *text)
{
	GString *out = g_string_new(NULL);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (g_ascii_isalnum(*p) || strchr("-_.~", *p))
			g_string_append_c(out, (char)*p);
		else if (*p == ' ')
			g_string_append_c(out, '+');
		else
			g_string_append_printf(out, "%%%02X", *p);
	}
	return g_string_free(out, FALSE);
}

/* Metadata must be ASCII: if any value of a key is not, all values are escaped and "<key>-encoded" is set. */
static void add_values(rpc_metadata *md, const char *key, const char *const *values)
{
	if (!values)
		return;
	bool plain = is_ascii(values);
	for (size_t i = 0; values[i]; i++) {
		g_autofree char *escaped = plain ? NULL : query_escape(values[i]);
		rpc_metadata_add(md, key, plain ? values[i] : escaped);
	}
	if (!plain) {
		g_autofree char *mark = g_strconcat(key, "-encoded", NULL);
		rpc_metadata_add(md, mark, "1");
	}
}

rpc_call *session_files_open(session *s, const char *name, const char *const *include, const char *const *exclude,
			     const char *const *follow, cancel *c, GError **error)
{
	if (!session_supports(s, SYNC))
		return error_null(error, ERROR_UNKNOWN, "no local sources enabled");
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	const char *const dir[] = {name, NULL};
	add_values(md, "dir-name", dir);
	add_values(md, "include-patterns", include);
	add_values(md, "exclude-patterns", exclude);
	add_values(md, "followpaths", follow);
	return rpc_call_start(session_conn(s), SYNC, md, c, 0, error);
}

rpc_call *session_send_open(session *s, unsigned exporter_index, const rpc_metadata *md, cancel *c, GError **error)
{
	if (!session_supports(s, SEND))
		return error_null(error, ERROR_UNIMPLEMENTED, "method %s not supported by the client", SEND);
	g_autoptr(rpc_metadata) all = rpc_metadata_new();
	g_autofree char *index = g_strdup_printf("%u", exporter_index);
	rpc_metadata_add(all, "buildkit-attachable-exporter-id", index);
	const char *key;
	const char *value;
	for (size_t i = 0; rpc_metadata_at(md, i, &key, &value); i++)
		rpc_metadata_add(all, key, value);
	return rpc_call_start(session_conn(s), SEND, all, c, 0, error);
}

bool session_send_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	uint8_t head[WIRE_HEAD_BYTES];
	return rpc_call_send_parts(data, head, wire_put_head(head, 1, n), bytes, n, error);
}

rpc_call *session_upload_open(session *s, const char *url_path, const char *url_host, cancel *c, GError **error)
{
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "urlpath", url_path);
	rpc_metadata_add(md, "urlhost", url_host);
	return rpc_call_start(session_conn(s), PULL, md, c, 0, error);
}
