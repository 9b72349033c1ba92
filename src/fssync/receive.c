/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving side. The reader thread takes every packet at once: announcements are queued in encoded form, data is
 * written to its file. It waits only for the stream and the disk, so the peer can always send. The caller's thread
 * creates entries and requests data; it may wait for the reader (at most FILES_MAX files are open, ORDER_MAX entries
 * unreported), never the reverse.
 */
#include "base/limits.h"
#include "base/thread.h"
#include "base/time.h"
#include "fssync/receiver.h"
#include "os/file.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define FILES_MAX 256  /* maximum of open files, if the process may have that many */
#define FILES_SHARE 16 /* fraction of the process's fd limit */
#define ORDER_MAX 8192
#define STATS_BYTES_MAX MIB(256) /* announced and not created yet */
#define METADATA_MODE 0644
#define REQUESTS_BATCH 32 /* requests that are sent together */

void entry_free(struct entry *e)
{
	if (!e)
		return;
	if (e->has_file)
		dest_file_drop(&e->file);
	hasher_free(e->hash);
	g_free(e->content);
	fssync_stat_clear(&e->stat);
	g_free(e);
}

/* Call with mu held. */
static void wake_caller(struct receiver *r)
{
	if (r->waiting)
		g_cond_broadcast(&r->transfer.changed);
	r->waiting = false;
}

/* ---- reader */

static bool too_many_entries(GError **error)
{
	return error_set(error, ERROR_RESOURCE_EXHAUSTED, "too many entries in transfer");
}

static bool keep_stat(struct receiver *r, const struct packet *p, GError **error)
{
	uint32_t n = (uint32_t)p->stat.len;
	if (!p->has_stat) {
		r->arrived_end = true;
		return true;
	}
	if (r->arrived_end || r->arrived->len + p->stat.len >= (size_t)STATS_BYTES_MAX)
		return too_many_entries(error);
	g_byte_array_append(r->arrived, (const uint8_t *)&n, sizeof(n));
	g_byte_array_append(r->arrived, p->stat.ptr, n);
	return true;
}

/* Passes the announcements that arrived together to the caller's thread. */
static bool queue_stats(struct receiver *r, GError **error)
{
	if (r->arrived->len == 0 && !r->arrived_end)
		return true;
	g_mutex_lock(&r->transfer.mu);
	bool ok = r->stats->len + r->arrived->len < (size_t)STATS_BYTES_MAX;
	if (ok && r->stats->len == 0) {
		GByteArray *empty = r->stats;
		r->stats = r->arrived;
		r->arrived = empty;
	} else if (ok) {
		g_byte_array_append(r->stats, r->arrived->data, r->arrived->len);
		g_byte_array_set_size(r->arrived, 0);
	}
	r->stats_end = r->arrived_end;
	wake_caller(r);
	g_mutex_unlock(&r->transfer.mu);
	return ok || too_many_entries(error);
}

/*
 * The digest of the content. It is dropped if the file is not as announced, because the sender read it while it changed,
 * or the directory passes attributes on.
 */
static void keep_content(struct entry *e, const struct stat *st, bool has_xattrs)
{
	const struct fssync_stat *as = &e->stat;
	mode_t mode = fssync_mode_to_st(as->mode);
	if (st->st_size == as->size && st->st_mode == mode && st->st_uid == as->uid && st->st_gid == as->gid &&
	    !has_xattrs) {
		e->content = g_new0(struct fssync_content, 1);
		e->content->st = *st;
		hasher_finish(e->hash, &e->content->digest);
	}
	g_clear_pointer(&e->hash, hasher_free);
}

static bool finish_file(struct receiver *r, struct entry *e, GError **error)
{
	struct dest_state state;
	e->has_file = false;
	if (!dest_file_finish(&r->how, &e->file, &e->stat, e->hash ? &state : NULL, error))
		return false;
	if (e->hash)
		keep_content(e, &state.st, state.has_xattrs);
	e->stat.size = e->file.size;
	g_mutex_lock(&r->transfer.mu);
	g_hash_table_remove(r->pending, GUINT_TO_POINTER(e->id));
	e->done = true;
	if (g_hash_table_size(r->pending) <= r->wake_pending)
		wake_caller(r);
	g_mutex_unlock(&r->transfer.mu);
	return true;
}

static bool take_data(struct receiver *r, const struct packet *p, GError **error)
{
	g_mutex_lock(&r->transfer.mu);
	bool failed = r->transfer.error != NULL;
	struct entry *e = g_hash_table_lookup(r->pending, GUINT_TO_POINTER(p->id));
	g_mutex_unlock(&r->transfer.mu);
	if (failed)
		return true; /* the caller cleans up; the stream is only drained */
	if (!e)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid file request %u", p->id);
	if (p->data.len == 0)
		return finish_file(r, e, error);
	if (!dest_file_write(&e->file, p->data.ptr, p->data.len, error))
		return error_prefix(error, "%s: ", e->stat.path);
	if (e->hash)
		hasher_update(e->hash, p->data.ptr, p->data.len);
	return true;
}

/* Returns false at the end of the transfer or with an error. */
static bool take_message(struct receiver *r, GBytes *bytes, GError **error)
{
	struct packet p;
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	if (!packet_decode(data, n, &p, error))
		return false;
	r->received += (int64_t)n;
	switch (p.type) {
	case PACKET_ERR:
		return error_set(error, ERROR_UNKNOWN, "error from sender: %.*s", (int)MIN(p.data.len, 65536),
				 (const char *)p.data.ptr);
	case PACKET_STAT:
		return keep_stat(r, &p, error);
	case PACKET_DATA:
		return take_data(r, &p, error);
	case PACKET_FIN:
		return false;
	default:
		return true;
	}
}

static void *read_stream(void *data)
{
	struct receiver *r = data;
	GError *error = NULL;
	GQueue messages = G_QUEUE_INIT;
	for (bool more = true; more && transfer_recv(&r->transfer, &messages, &error);) {
		for (GBytes *bytes; (bytes = g_queue_pop_head(&messages)); g_bytes_unref(bytes))
			more = more && take_message(r, bytes, &error);
		more = queue_stats(r, error ? NULL : &error) && more;
		if (r->options->progress)
			r->options->progress(r->options->progress_data, r->received, false);
	}
	g_mutex_lock(&r->transfer.mu);
	if (!error && !r->fin_sent)
		error_set(&error, ERROR_INVALID_ARGUMENT, "transfer ended early");
	g_mutex_unlock(&r->transfer.mu);
	transfer_end_reader(&r->transfer, error);
	return NULL;
}

/* ---- caller's thread */

/* Call with mu held; it is released meanwhile. */
static bool send_requests(struct receiver *r, GError **error)
{
	g_mutex_unlock(&r->transfer.mu);
	bool ok = transfer_send_batch(&r->transfer, &r->requests, error);
	g_mutex_lock(&r->transfer.mu);
	return ok;
}

/* Call with mu held. Waits for a change, or sends requests first; false with the error if there is one. */
static bool wait_changed(struct receiver *r, GError **error)
{
	if (!r->transfer.error && r->requests.sizes->len > 0)
		return send_requests(r, error);
	if (!r->transfer.error) {
		r->waiting = true;
		g_cond_wait(&r->transfer.changed, &r->transfer.mu);
		r->waiting = false;
	}
	if (!r->transfer.error)
		return true;
	if (error)
		*error = g_error_copy(r->transfer.error);
	return false;
}

/* Takes all queued announcements. False without an error at the end. */
static bool take_chunk(struct receiver *r, GError **error)
{
	bool ok = true;
	g_clear_pointer(&r->chunk, g_bytes_unref);
	r->chunk_at = 0;
	g_mutex_lock(&r->transfer.mu);
	while (ok && r->stats->len == 0 && !r->stats_end)
		ok = wait_changed(r, error);
	if (ok && r->transfer.error) {
		ok = false;
		if (error)
			*error = g_error_copy(r->transfer.error);
	}
	if (ok && r->stats->len > 0) {
		r->chunk = g_byte_array_free_to_bytes(r->stats);
		r->stats = g_byte_array_new();
	}
	g_mutex_unlock(&r->transfer.mu);
	return ok && r->chunk;
}

bool receiver_next_stat(struct receiver *r, struct fssync_stat *ret, GError **error)
{
	gsize n = 0;
	uint32_t length;
	if ((!r->chunk || r->chunk_at == g_bytes_get_size(r->chunk)) && !take_chunk(r, error))
		return false;
	const uint8_t *bytes = g_bytes_get_data(r->chunk, &n);
	memcpy(&length, bytes + r->chunk_at, sizeof(length));
	r->stat = (struct slice){bytes + r->chunk_at + sizeof(length), length};
	r->chunk_at += sizeof(length) + length;
	if (r->next_id == (uint32_t)LIMIT_TAR_ENTRIES)
		return too_many_entries(error);
	r->next_id++;
	return stat_decode(r->stat, ret, error);
}

/* Reports completed entries in order. Call with mu held; it is released during each report. */
static void report_done(struct receiver *r)
{
	for (struct entry *e; (e = g_queue_peek_head(&r->order)) && e->done;) {
		g_queue_pop_head(&r->order);
		g_mutex_unlock(&r->transfer.mu);
		if (r->options->on_entry)
			r->options->on_entry(r->options->on_entry_data, e->change, &e->stat, e->content);
		entry_free(e);
		g_mutex_lock(&r->transfer.mu);
	}
}

bool receiver_request(struct receiver *r, struct entry *e, GError **error)
{
	bool ok = true;
	g_mutex_lock(&r->transfer.mu);
	/*
	 * Waking it for every file would make the threads alternate; with half of the files pending the peer stays
	 * busy.
	 */
	r->wake_pending = r->files_max / 2;
	while (ok && g_hash_table_size(r->pending) >= r->files_max)
		ok = wait_changed(r, error);
	r->wake_pending = G_MAXUINT;
	if (ok) {
		e->requested = true;
		g_hash_table_insert(r->pending, GUINT_TO_POINTER(e->id), e);
		packet_batch_add(&r->requests, PACKET_REQ, e->id, NULL, 0);
		if (r->requests.sizes->len >= REQUESTS_BATCH)
			ok = send_requests(r, error);
	}
	g_mutex_unlock(&r->transfer.mu);
	return ok;
}

bool receiver_report(struct receiver *r, struct entry *e, GError **error)
{
	bool ok = true;
	g_queue_push_tail(&r->order, e);
	g_mutex_lock(&r->transfer.mu);
	report_done(r);
	while (ok && r->order.length >= ORDER_MAX) {
		ok = wait_changed(r, error);
		report_done(r);
	}
	g_mutex_unlock(&r->transfer.mu);
	return ok;
}

/* Call with mu held. */
static bool is_pending(struct receiver *r, const char *path)
{
	if (!path)
		return g_hash_table_size(r->pending) > 0;
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, r->pending);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct entry *e = value;
		if (e->has_temp && strcmp(e->stat.path, path) == 0)
			return true;
	}
	return false;
}

bool receiver_wait(struct receiver *r, const char *path, GError **error)
{
	bool ok = true;
	g_mutex_lock(&r->transfer.mu);
	while (ok && is_pending(r, path))
		ok = wait_changed(r, error);
	report_done(r);
	g_mutex_unlock(&r->transfer.mu);
	return ok;
}

static bool finish(struct receiver *r, GError **error)
{
	bool ok = receiver_wait(r, NULL, error);
	g_mutex_lock(&r->transfer.mu);
	r->fin_sent = ok;
	g_mutex_unlock(&r->transfer.mu);
	if (!ok || !transfer_send_packet(&r->transfer, PACKET_FIN, 0, NULL, 0, error))
		return false;
	g_mutex_lock(&r->transfer.mu);
	while (ok && !r->transfer.reader_done)
		ok = wait_changed(r, error);
	g_mutex_unlock(&r->transfer.mu);
	return ok;
}

/* Creates the file of announcements; one of an earlier transfer was removed, as it is never announced. */
static bool metadata_write(struct receiver *r, int dest_fd, GError **error)
{
	const char *name = FSSYNC_METADATA_NAME;
	scoped_fd fd = openat(dest_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, METADATA_MODE);
	struct stat st;
	if (fd < 0)
		return error_set_errno(error, errno, "create %s", name);
	if (fchmod(fd, METADATA_MODE) < 0 || !file_write_all(fd, r->metadata->data, r->metadata->len) ||
	    fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "write %s", name);
	struct fssync_stat stat = {
		.path = (char *)name,
		.mode = METADATA_MODE,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.size = st.st_size,
		.mtime_ns = timespec_to_ns(&st.st_mtim),
		.linkname = (char *)"",
	};
	if (r->options->on_entry)
		r->options->on_entry(r->options->on_entry_data, FSSYNC_ADDED, &stat, NULL);
	return true;
}

static bool run(struct receiver *r, int dest_fd, GError **error)
{
	GThread *reader = thread_start("fssync-read", read_stream, r, error);
	if (!reader) {
		if (r->transfer.channel->abort)
			r->transfer.channel->abort(r->transfer.channel->data);
		return false;
	}
	GError *failure = NULL;
	bool ok = placer_run(r, dest_fd, &failure) && finish(r, &failure) &&
		  (!r->metadata || metadata_write(r, dest_fd, &failure));
	if (!ok) {
		transfer_fail(&r->transfer, failure);
		transfer_give_up(&r->transfer);
	}
	g_thread_join(reader);
	if (r->options->progress)
		r->options->progress(r->options->progress_data, r->received, true);
	if (ok)
		return true;
	if (cancel_check(r->transfer.cancel, error))
		g_propagate_error(error, g_steal_pointer(&r->transfer.error));
	return false;
}

/* A fraction of the process's fds, so that several transfers can run. */
static guint files_max(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return FILES_MAX;
	return (guint)CLAMP(limit.rlim_cur / FILES_SHARE, 2, FILES_MAX);
}

bool fssync_receive(const struct fssync_channel *channel, int dest_fd, const struct fssync_receive_options *options,
		    cancel *c, GError **error)
{
	struct receiver r = {.options = options};
	transfer_init(&r.transfer, channel, c);
	dest_how_init(&r.how, options->as_root);
	r.wake_pending = G_MAXUINT;
	r.files_max = files_max();
	g_queue_init(&r.order);
	r.stats = g_byte_array_new();
	r.arrived = g_byte_array_new();
	packet_batch_init(&r.requests);
	r.metadata = options->metadata_only ? g_byte_array_new() : NULL;
	r.pending = g_hash_table_new(NULL, NULL);
	bool ok = run(&r, dest_fd, error);
	for (struct entry *e; (e = g_queue_pop_head(&r.order));)
		entry_free(e);
	/* The last reference of every directory is gone. */
	int late = g_atomic_int_get(&r.how.late_errno);
	if (ok && late != 0)
		ok = error_set_errno(error, late, "set the attributes of a directory");
	g_clear_pointer(&r.chunk, g_bytes_unref);
	g_byte_array_unref(r.stats);
	g_byte_array_unref(r.arrived);
	packet_batch_clear(&r.requests);
	g_clear_pointer(&r.metadata, g_byte_array_unref);
	g_hash_table_unref(r.pending);
	transfer_clear(&r.transfer);
	return ok;
}
