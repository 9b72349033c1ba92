/* SPDX-License-Identifier: Apache-2.0 */
/* content: containerd's content service, served by the client. */
#include "session/live.h"
#include "api/guard.h"
#include "api/wire.h"
#include "base/limits.h"
#include "content.pb-c.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SERVICE "/containerd.services.content.v1.Content/"
#define STORE_KEY "buildkit-attachable-store-id"
/* Below the 4 MiB receive limit of a client's server. */
#define WRITE_BYTES ((size_t)MIB(1))
/* Number of messages that may be unanswered; each message is answered. */
#define WRITES_AHEAD 4
#define LOCK_WAIT_FIRST_MS 16
#define LOCK_WAIT_MAX_MS 2048

typedef Content__InfoResponse info_reply;
typedef Content__ReadContentResponse read_reply;
typedef Content__WriteContentResponse write_reply;
DEFINE_MESSAGE_AUTOPTR(info_reply)
DEFINE_MESSAGE_AUTOPTR(read_reply)
DEFINE_MESSAGE_AUTOPTR(write_reply)

static rpc_metadata *store_metadata(const char *store)
{
	rpc_metadata *md = rpc_metadata_new();
	rpc_metadata_add(md, STORE_KEY, store);
	return md;
}

bool session_content_info(session *s, const char *store, const char *digest, cancel *c, int64_t *ret_size,
			  GError **error)
{
	g_autoptr(rpc_metadata) md = store_metadata(store);
	Content__InfoRequest request = CONTENT__INFO_REQUEST__INIT;
	request.digest = (char *)digest;
	g_autoptr(info_reply) reply = rpc_unary(session_conn(s), SERVICE "Info", md, &request,
						&content__info_response__descriptor, c, 0, error);
	if (!reply)
		return false;
	if (!reply->info)
		return error_set(error, ERROR_INTERNAL, "content %s: no info in the client's answer", digest);
	*ret_size = reply->info->size;
	return true;
}

/* ---- reading */

bool session_content_read(session *s, const char *store, const char *digest, int64_t offset, cancel *c,
			  bool (*on_bytes)(void *data, const void *bytes, size_t n, GError **error), void *data,
			  GError **error)
{
	g_autoptr(rpc_metadata) md = store_metadata(store);
	g_autoptr(rpc_call) call = rpc_call_start(session_conn(s), SERVICE "Read", md, c, 0, error);
	Content__ReadContentRequest request = CONTENT__READ_CONTENT_REQUEST__INIT;
	request.digest = (char *)digest;
	request.offset = offset;
	if (!call || !rpc_call_send_message(call, &request, error) || !rpc_call_close_send(call, error))
		return false;
	for (;;) {
		g_autoptr(GError) local = NULL;
		g_autoptr(read_reply) reply =
			rpc_call_recv_message(call, &content__read_content_response__descriptor, &local);
		if (!reply && !local)
			return true;
		if (reply && on_bytes(data, reply->data.data, reply->data.len, &local))
			continue;
		return error_propagate(error, g_steal_pointer(&local));
	}
}

/* ---- writing */

struct writer {
	rpc_call *call;
	const char *digest;
	const char *ref;
	int fd;
	const uint8_t *bytes;
	int64_t size;
	int64_t sent;
	int waiting; /* number of outstanding answers */
	uint8_t *buffer;
};

static void fill_request(const struct writer *w, Content__WriteContentRequest *request, Content__WriteAction action)
{
	content__write_content_request__init(request);
	request->action = action;
	request->ref = (char *)w->ref;
	request->total = w->size;
	request->expected = (char *)w->digest;
	request->offset = w->sent;
}

/* The data field comes last, so that the payload is not copied into the message. */
static bool send_data(struct writer *w, const uint8_t *data, size_t n, GError **error)
{
	Content__WriteContentRequest request;
	fill_request(w, &request, CONTENT__WRITE_ACTION__WRITE);
	g_autoptr(GBytes) packed = message_pack(&request);
	gsize size;
	const uint8_t *start = g_bytes_get_data(packed, &size);
	g_autofree uint8_t *head = g_malloc(size + WIRE_HEAD_BYTES);
	memcpy(head, start, size);
	w->waiting++;
	return rpc_call_send_parts(w->call, head, size + wire_put_head(head + size, 6, n), data, n, error);
}

static bool take_answer(struct writer *w, int64_t *ret_offset, GError **error)
{
	g_autoptr(GError) local = NULL;
	g_autoptr(write_reply) reply =
		rpc_call_recv_message(w->call, &content__write_content_response__descriptor, &local);
	if (!reply) {
		if (!local)
			error_set(&local, ERROR_UNAVAILABLE, "the client ended the write of %s", w->digest);
		return error_propagate(error, g_steal_pointer(&local));
	}
	w->waiting--;
	if (ret_offset)
		*ret_offset = reply->offset;
	return true;
}

/* Offset at which an earlier write of the same ref ended. */
static bool start_write(struct writer *w, GError **error)
{
	Content__WriteContentRequest request;
	int64_t offset = 0;
	fill_request(w, &request, CONTENT__WRITE_ACTION__STAT);
	w->waiting++;
	if (!rpc_call_send_message(w->call, &request, error) || !take_answer(w, &offset, error))
		return false;
	if (offset < 0 || offset > w->size)
		return error_set(error, ERROR_OUT_OF_RANGE, "the client has %" G_GINT64_FORMAT " bytes of %s", offset,
				 w->digest);
	w->sent = offset;
	return true;
}

static bool next_piece(struct writer *w, const uint8_t **ret_data, size_t n, GError **error)
{
	if (w->fd < 0) {
		*ret_data = w->bytes + w->sent;
		return true;
	}
	for (size_t have = 0; have < n;) {
		ssize_t got = pread(w->fd, w->buffer + have, n - have, w->sent + (int64_t)have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(error, errno, "read %s", w->digest);
		if (got == 0)
			return error_set(error, ERROR_DATA_LOSS, "blob %s ended before its size was reached",
					 w->digest);
		have += (size_t)got;
	}
	*ret_data = w->buffer;
	return true;
}

static bool write_all(struct writer *w, void (*on_progress)(void *data, int64_t done), void *data, GError **error)
{
	while (w->sent < w->size) {
		size_t n = (size_t)MIN((int64_t)WRITE_BYTES, w->size - w->sent);
		const uint8_t *piece;
		if (w->waiting >= WRITES_AHEAD && !take_answer(w, NULL, error))
			return false;
		if (!next_piece(w, &piece, n, error) || !send_data(w, piece, n, error))
			return false;
		w->sent += (int64_t)n;
		if (on_progress)
			on_progress(data, w->sent);
	}
	Content__WriteContentRequest request;
	fill_request(w, &request, CONTENT__WRITE_ACTION__COMMIT);
	w->waiting++;
	if (!rpc_call_send_message(w->call, &request, error))
		return false;
	while (w->waiting > 0)
		if (!take_answer(w, NULL, error))
			return false;
	return rpc_call_finish(w->call, error);
}

/* The status of the call is more specific than the error of a failed send. */
static void prefer_status(rpc_call *call, GError **local)
{
	g_autoptr(GError) status = NULL;
	if (error_is(*local, ERROR_UNAVAILABLE) && !rpc_call_finish(call, &status)) {
		g_clear_error(local);
		*local = g_steal_pointer(&status);
	}
}

static bool write_once(session *s, const char *store, const char *digest, int fd, const void *bytes, int64_t size,
		       cancel *c, void (*on_progress)(void *data, int64_t done), void *data, GError **error)
{
	g_autoptr(rpc_metadata) md = store_metadata(store);
	g_autoptr(rpc_call) call = rpc_call_start(session_conn(s), SERVICE "Write", md, c, 0, error);
	if (!call)
		return false;
	g_autofree char *ref = g_strconcat("buildkit-", digest, NULL);
	g_autofree uint8_t *buffer = fd >= 0 ? g_malloc((gsize)MIN((int64_t)WRITE_BYTES, MAX(size, 1))) : NULL;
	struct writer w = {
		.call = call, .digest = digest, .ref = ref, .fd = fd, .bytes = bytes, .size = size, .buffer = buffer};
	GError *local = NULL;
	if (start_write(&w, &local) && write_all(&w, on_progress, data, &local))
		return true;
	prefer_status(call, &local);
	if (error_is(local, ERROR_ALREADY_EXISTS)) {
		g_error_free(local);
		return true;
	}
	return error_propagate(error, local);
}

/* containerd's error for a blob that another client writes to the same directory: "ref X locked ...: unavailable". */
static bool is_locked(const GError *error)
{
	return error_is(error, ERROR_UNAVAILABLE) && strstr(error->message, " locked");
}

bool session_content_write(session *s, const char *store, const char *digest, int fd, const void *bytes, int64_t size,
			   cancel *c, void (*on_progress)(void *data, int64_t done), void *data, GError **error)
{
	/* Retries until the other writer is done or the build is canceled, as upstream does. */
	for (int wait_ms = LOCK_WAIT_FIRST_MS;; wait_ms = MIN(wait_ms * 2, LOCK_WAIT_MAX_MS)) {
		GError *local = NULL;
		if (write_once(s, store, digest, fd, bytes, size, c, on_progress, data, &local))
			return true;
		if (!is_locked(local))
			return error_propagate(error, local);
		g_error_free(local);
		if (!cancel_sleep(c, wait_ms, error))
			return false;
	}
}
