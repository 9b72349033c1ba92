/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's content service over directories of the command line: cache import and export, OCI layouts in and out.
 * Each request names its store in metadata; each request of a write is answered once; COMMIT ends the write.
 */
#include "api/guard.h"
#include "base/scope.h"
#include "client/content_dir.h"
#include "client/services_internal.h"
#include "content.pb-c.h"
#include <string.h>

#define STORE_KEY "buildkit-attachable-store-id"
#define CHUNK_BYTES (256 * 1024)

DEFINE_MESSAGE_AUTOPTR(Content__ReadContentRequest)
DEFINE_MESSAGE_AUTOPTR(Content__WriteContentRequest)

bool services_add_store(services *s, const char *id, const char *dir, bool create, GError **error)
{
	struct content_dir *d = content_dir_open(dir, create, error);
	if (d)
		g_hash_table_replace(s->stores, g_strdup(id), d);
	return d != NULL;
}

bool services_add_oci_layout(services *s, const char *value, GError **error)
{
	const char *equals = strchr(value, '=');
	if (!equals)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "oci-layout option must be 'id=path/to/layout', instead had invalid %s", value);
	g_autofree char *id = g_strdup_printf("oci:%.*s", (int)(equals - value), value);
	return services_add_store(s, id, equals + 1, false, error) ||
	       error_prefix(error, "oci-layout context at %s failed to initialize: ", equals + 1);
}

static struct content_dir *choose_store(services *s, rpc_call *call, GError **error)
{
	const char *id = rpc_metadata_get(rpc_call_metadata(call), STORE_KEY);
	if (!id)
		return error_null(error, ERROR_INVALID_ARGUMENT, "request lacks metadata \"%s\": invalid argument",
				  STORE_KEY);
	struct content_dir *d = g_hash_table_lookup(s->stores, id);
	if (!d)
		error_set(error, ERROR_NOT_FOUND, "unknown store %s: not found", id);
	return d;
}

static Google__Timestamp timestamp_of(const struct timespec *time)
{
	Google__Timestamp t = GOOGLE__TIMESTAMP__INIT;
	t.seconds = time->tv_sec;
	t.nanos = (int32_t)time->tv_nsec;
	return t;
}

/* ---- reading */

static ProtobufCMessage *content_info(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Content__InfoRequest *q = (const void *)request;
	struct content_dir *d = choose_store(data, call, error);
	struct stat st;
	scoped_fd fd = d ? content_dir_find(d, q->digest, &st, error) : -1;
	if (fd < 0)
		return NULL;
	Google__Timestamp time = timestamp_of(&st.st_mtim);
	Content__Info info = CONTENT__INFO__INIT;
	info.digest = q->digest;
	info.size = st.st_size;
	info.created_at = info.updated_at = &time;
	Content__InfoResponse reply = CONTENT__INFO_RESPONSE__INIT;
	reply.info = &info;
	return message_copy(&reply);
}

static bool send_range(rpc_call *call, int fd, int64_t offset, int64_t size, GError **error)
{
	g_autofree uint8_t *chunk = g_malloc(CHUNK_BYTES);
	for (int64_t sent = 0; sent < size;) {
		ssize_t n = pread(fd, chunk, (size_t)MIN(size - sent, CHUNK_BYTES), offset + sent);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set_errno(error, n < 0 ? errno : EIO, "read blob");
		Content__ReadContentResponse reply = CONTENT__READ_CONTENT_RESPONSE__INIT;
		reply.offset = sent;
		reply.data = (ProtobufCBinaryData){(size_t)n, chunk};
		if (!rpc_call_send_message(call, &reply, error))
			return false;
		sent += n;
	}
	return true;
}

static bool content_read(rpc_call *call, void *data, GError **error)
{
	struct content_dir *d = choose_store(data, call, error);
	if (!d)
		return false;
	g_autoptr(Content__ReadContentRequest) q =
		rpc_call_recv_message(call, &content__read_content_request__descriptor, error);
	struct stat st;
	if (!q)
		return error && *error ? false : error_set(error, ERROR_INVALID_ARGUMENT, "no request");
	scoped_fd fd = content_dir_find(d, q->digest, &st, error);
	if (fd < 0)
		return false;
	if (q->offset < 0 || q->offset > st.st_size)
		return error_set(error, ERROR_OUT_OF_RANGE, "read past object length %" G_GINT64_FORMAT " bytes",
				 (int64_t)st.st_size);
	int64_t rest = st.st_size - q->offset;
	return send_range(call, fd, q->offset, q->size > 0 && q->size < rest ? q->size : rest, error);
}

/* ---- writing */

struct write_state {
	struct content_dir *dir;
	struct content_writer writer;
	char *ref;
	char *expected; /* "" until a request names it */
	int64_t total;
	bool done;
};

static bool write_begin(struct write_state *s, const Content__WriteContentRequest *q, GError **error)
{
	struct stat st;
	if (!*q->ref)
		return error_set(error, ERROR_INVALID_ARGUMENT, "first message must have a reference");
	if (*q->expected) {
		scoped_fd there = content_dir_find(s->dir, q->expected, &st, NULL);
		if (there >= 0) {
			(void)content_dir_abort(s->dir, q->ref, NULL);
			return error_set(error, ERROR_ALREADY_EXISTS, "content %s: already exists", q->expected);
		}
	}
	s->ref = g_strdup(q->ref);
	return content_dir_begin(s->dir, q->ref, &s->writer, error);
}

/* Applies the fields that each request may set. */
static bool write_update(struct write_state *s, const Content__WriteContentRequest *q, GError **error)
{
	if (*q->expected && *s->expected && strcmp(q->expected, s->expected) != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "commit digest differs from writer digest: %s != %s",
				 q->expected, s->expected);
	if (q->total > 0 && s->total > 0 && q->total != s->total)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "commit size differs from writer size: %" G_GINT64_FORMAT " != %" G_GINT64_FORMAT,
				 q->total, s->total);
	if (*q->expected) {
		g_free(s->expected);
		s->expected = g_strdup(q->expected);
	}
	if (q->total > 0)
		s->total = q->total;
	return true;
}

static bool write_data(struct write_state *s, const Content__WriteContentRequest *q, GError **error)
{
	if (q->offset > 0 && q->offset != s->writer.offset)
		return error_set(error, ERROR_OUT_OF_RANGE,
				 "write @%" G_GINT64_FORMAT " must occur at current offset %" G_GINT64_FORMAT,
				 q->offset, s->writer.offset);
	if (q->offset == 0 && s->writer.offset > 0 && (q->data.len > 0 || q->action == CONTENT__WRITE_ACTION__WRITE) &&
	    !content_writer_truncate(&s->writer, error))
		return false;
	return content_writer_write(&s->writer, q->data.data, q->data.len, error);
}

static bool write_step(struct write_state *s, const Content__WriteContentRequest *q, rpc_call *call, GError **error)
{
	Content__WriteContentResponse reply = CONTENT__WRITE_CONTENT_RESPONSE__INIT;
	struct digest digest = {""};
	if (!write_update(s, q, error))
		return false;
	if (q->action != CONTENT__WRITE_ACTION__STAT && !write_data(s, q, error))
		return false;
	if (q->action == CONTENT__WRITE_ACTION__COMMIT) {
		if (!content_writer_commit(&s->writer, s->total, s->expected, &digest, error))
			return false;
		s->done = true;
	}
	reply.action = q->action;
	reply.offset = s->writer.offset;
	reply.total = s->total;
	reply.digest = digest.text;
	return rpc_call_send_message(call, &reply, error);
}

static bool write_all_steps(struct write_state *s, rpc_call *call, GError **error)
{
	while (!s->done) {
		GError *failure = NULL;
		g_autoptr(Content__WriteContentRequest) q =
			rpc_call_recv_message(call, &content__write_content_request__descriptor, &failure);
		if (failure)
			return error_propagate(error, failure);
		if (!q)
			return s->ref ||
			       error_set(error, ERROR_INVALID_ARGUMENT, "first message must have a reference");
		if (!s->ref && !write_begin(s, q, error))
			return false;
		if (!write_step(s, q, call, error))
			return false;
	}
	return true;
}

static bool content_write(rpc_call *call, void *data, GError **error)
{
	struct write_state s = {.dir = choose_store(data, call, error), .expected = g_strdup("")};
	s.writer.fd = -1;
	bool ok = s.dir && write_all_steps(&s, call, error);
	content_writer_clear(&s.writer);
	g_free(s.ref);
	g_free(s.expected);
	return ok;
}

static ProtobufCMessage *content_status(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Content__StatusRequest *q = (const void *)request;
	struct content_dir *d = choose_store(data, call, error);
	struct stat st;
	if (!d || !content_dir_status(d, q->ref, &st, error))
		return NULL;
	Google__Timestamp time = timestamp_of(&st.st_mtim);
	Content__Status status = CONTENT__STATUS__INIT;
	status.ref = q->ref;
	status.offset = st.st_size;
	status.started_at = status.updated_at = &time;
	Content__StatusResponse reply = CONTENT__STATUS_RESPONSE__INIT;
	reply.status = &status;
	return message_copy(&reply);
}

static ProtobufCMessage *content_list_statuses(rpc_call *call, const ProtobufCMessage *request, void *data,
					       GError **error)
{
	/* The ref of an unfinished write is not stored, only its hash. */
	Content__ListStatusesResponse reply = CONTENT__LIST_STATUSES_RESPONSE__INIT;
	return choose_store(data, call, error) ? message_copy(&reply) : NULL;
}

static ProtobufCMessage *content_abort(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Content__AbortRequest *q = (const void *)request;
	struct content_dir *d = choose_store(data, call, error);
	Google__Empty reply = GOOGLE__EMPTY__INIT;
	return d && content_dir_abort(d, q->ref, error) ? message_copy(&reply) : NULL;
}

#define CONTENT "/containerd.services.content.v1.Content/"
static const struct rpc_method methods[] = {
	{.path = CONTENT "Info", .request = &content__info_request__descriptor, .unary = content_info},
	{.path = CONTENT "Read", .stream = content_read},
	{.path = CONTENT "Write", .stream = content_write},
	{.path = CONTENT "Status", .request = &content__status_request__descriptor, .unary = content_status},
	{.path = CONTENT "ListStatuses",
	 .request = &content__list_statuses_request__descriptor,
	 .unary = content_list_statuses},
	{.path = CONTENT "Abort", .request = &content__abort_request__descriptor, .unary = content_abort},
};
const struct rpc_method_table service_content_table = {methods, G_N_ELEMENTS(methods)};
