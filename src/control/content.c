/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/message.h"
#include "base/scope.h"
#include "content.pb-c.h"
#include <string.h>

#define READ_CHUNK (32 * 1024)

/* An open blob: a file of the worker's content store, or a blob of the history. */
struct blob {
	int fd;             /* -1: of the history */
	history *history;   /* borrowed */
	const char *digest; /* borrowed from the request */
	GBytes *bytes;      /* owned; the part of a history blob that is being read, from bytes_at on */
	int64_t bytes_at;
	int64_t size, created_ns; /* created_ns 0: unknown */
};

static void blob_clear(struct blob *b)
{
	fd_close(&b->fd);
	g_clear_pointer(&b->bytes, g_bytes_unref);
}

#define scoped_blob __attribute__((cleanup(blob_clear))) struct blob

static bool blob_open(struct control *control, const char *text, struct blob *ret, GError **error)
{
	struct digest digest;
	*ret = (struct blob){.fd = -1};
	if (!digest_parse(text, &digest, error))
		return false;
	blob_store *blobs = builder_worker(control->builder)->blobs;
	ret->size = blob_store_size(blobs, &digest);
	if (ret->size >= 0)
		ret->fd = blob_store_find(blobs, &digest, error);
	if (ret->fd >= 0) {
		ret->created_ns = blob_store_created_ns(blobs, &digest);
		return true;
	}
	if (error && *error)
		return false;
	ret->history = builder_history(control->builder);
	ret->digest = text;
	ret->size = history_blob_size(ret->history, text);
	return ret->size >= 0 || error_set(error, ERROR_NOT_FOUND, "content %s: not found", text);
}

/* Makes the part of a history blob at `at` the current one; limits *n to its end. */
static bool blob_load(struct blob *b, int64_t at, size_t *n, GError **error)
{
	int64_t have = b->bytes ? (int64_t)g_bytes_get_size(b->bytes) : 0;
	if (!b->bytes || at < b->bytes_at || at >= b->bytes_at + have) {
		g_clear_pointer(&b->bytes, g_bytes_unref);
		if (!(b->bytes = history_blob_read(b->history, b->digest, at, error)))
			return false;
		b->bytes_at = at;
		have = (int64_t)g_bytes_get_size(b->bytes);
	}
	*n = (size_t)MIN((int64_t)*n, b->bytes_at + have - at);
	return true;
}

ProtobufCMessage *control_content_info(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Content__InfoRequest *m = (const void *)request;
	scoped_blob blob;
	if (!blob_open(data, m->digest, &blob, error))
		return NULL;
	Content__InfoResponse *reply = message_new(Content__InfoResponse, content__info_response);
	reply->info = message_new(Content__Info, content__info);
	reply->info->digest = g_strdup(m->digest);
	reply->info->size = blob.size;
	reply->info->created_at = message_time_new(blob.created_ns);
	reply->info->updated_at = message_time_new(blob.created_ns);
	return &reply->base;
}

/* Sends up to *n bytes; sets it to the number that was sent. */
static bool send_chunk(rpc_call *call, struct blob *blob, int64_t at, int64_t offset, size_t *n, GError **error)
{
	uint8_t buffer[READ_CHUNK];
	Content__ReadContentResponse reply = CONTENT__READ_CONTENT_RESPONSE__INIT;
	reply.offset = offset;
	reply.data.data = buffer;
	if (blob->fd < 0) {
		if (!blob_load(blob, at, n, error))
			return false;
		reply.data.data = (uint8_t *)(uintptr_t)g_bytes_get_data(blob->bytes, NULL) + (at - blob->bytes_at);
	} else {
		ssize_t got = pread(blob->fd, buffer, *n, at);
		if (got != (ssize_t)*n)
			return error_set_errno(error, got < 0 ? errno : EIO, "read blob");
	}
	reply.data.len = *n;
	return rpc_call_send_message(call, &reply, error);
}

static bool send_blob(rpc_call *call, struct blob *blob, int64_t offset, int64_t size, GError **error)
{
	if (offset < 0 || size < 0 || offset > blob->size)
		return error_set(error, ERROR_OUT_OF_RANGE, "read past object length %" G_GINT64_FORMAT " bytes",
				 blob->size);
	int64_t rest = blob->size - offset;
	int64_t want = size == 0 || size > rest ? rest : size;
	for (int64_t done = 0; done < want;) {
		size_t n = (size_t)MIN(want - done, READ_CHUNK);
		if (!send_chunk(call, blob, offset + done, done, &n, error))
			return false;
		done += (int64_t)n;
	}
	return true;
}

bool control_content_read(rpc_call *call, void *data, GError **error)
{
	Content__ReadContentRequest *m = rpc_call_recv_message(call, &content__read_content_request__descriptor, error);
	if (!m)
		return false;
	scoped_blob blob;
	bool ok = blob_open(data, m->digest, &blob, error) && send_blob(call, &blob, m->offset, m->size, error);
	guard_free(m);
	return ok;
}

/* Clients cannot write blobs. */
ProtobufCMessage *control_content_refuse(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	return error_null(error, ERROR_FAILED_PRECONDITION, "the content store is read-only (%s)", rpc_call_path(call));
}

bool control_content_refuse_stream(rpc_call *call, void *data, GError **error)
{
	return error_set(error, ERROR_FAILED_PRECONDITION, "the content store is read-only (%s)", rpc_call_path(call));
}
