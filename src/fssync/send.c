/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending side. The caller's thread walks and announces; a reader accepts requests at any time and waits only for
 * the stream, so that the peer can always send; a few sender threads stream files, one chunk of each in turn, and the
 * caller joins them once the walk is done. All writes to the stream use one lock.
 */
#include "base/limits.h"
#include "base/thread.h"
#include "base/scope.h"
#include "fssync/transfer.h"
#include "os/path.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SENDERS 3            /* in addition to the caller */
#define CHUNK_BYTES KIB(512) /* file data per packet; far below the 4 MiB that receivers in Go accept */
#define REQUESTS_PER_THREAD 16
#define SMALL_BYTES KIB(16) /* data that is copied to be sent with other packets */

struct file {
	guint root;
	bool requested;
	int64_t size; /* as announced */
	char *path;   /* owned: path beneath the root; NULL if it has no data */
};

struct sender {
	struct transfer transfer; /* its mu guards files and the members after it */
	const struct fssync_root *roots;
	size_t n_roots;
	const struct fssync_send_options *options;

	struct packet_batch stats; /* announcements; the caller's thread only */

	GArray *files;  /* of struct file by id */
	GArray *wanted; /* of uint32_t: requested ids */
	guint next;     /* in wanted */
	bool fin;       /* the peer has received everything */
};

static void file_clear(void *data)
{
	g_free(((struct file *)data)->path);
}

/* ---- files */

/*
 * Returns 1 with *ret_fd; 0 if there is nothing to read: the file was removed, or is a socket, announced as an empty
 * file; -1.
 */
static int open_file(struct sender *s, const struct file *file, int *ret_fd, int64_t *ret_size, GError **error)
{
	struct stat st;
	const struct fssync_extra *extra = fssync_root_extra(&s->roots[file->root], file->path);
	if (extra) { /* requested at most once, so that nothing else moves its offset */
		scoped_fd own = fcntl(extra->fd, F_DUPFD_CLOEXEC, 0);
		if (own < 0 || lseek(own, 0, SEEK_SET) < 0) {
			error_set_errno(error, errno, "open %s", file->path);
			return -1;
		}
		*ret_fd = fd_steal(&own);
		*ret_size = extra->size;
		return 1;
	}
	int fd = path_open_regular_errno(s->roots[file->root].fd, file->path, O_RDONLY | O_NOFOLLOW, PATH_BENEATH, &st);
	if (fd == -ENOENT || (fd == -ENXIO && file->size == 0))
		return 0;
	if (fd < 0) {
		if (path_is_irregular(fd))
			error_set(error, ERROR_ABORTED, "open %s: no longer a regular file", file->path);
		else
			error_set_errno(error, -fd, "open %s", file->path);
		return -1;
	}
	*ret_fd = fd;
	*ret_size = st.st_size;
	return 1;
}

/* What sends files: packets of small ones are collected. */
struct file_sender {
	struct sender *sender;
	struct packet_batch batch;
	uint8_t *buffer; /* owned: CHUNK_BYTES */
};

static bool send_data(struct file_sender *f, uint32_t id, size_t n, GError **error)
{
	struct transfer *t = &f->sender->transfer;
	if (n <= SMALL_BYTES) {
		packet_batch_add(&f->batch, PACKET_DATA, id, f->buffer, n);
		return !packet_batch_is_due(&f->batch) || transfer_send_batch(t, &f->batch, error);
	}
	return transfer_send_batch(t, &f->batch, error) &&
	       transfer_send_packet(t, PACKET_DATA, id, f->buffer, n, error);
}

/* Sends what the file had when it was opened; one without a size (in /proc) is read to its end. */
static bool send_file(struct file_sender *f, uint32_t id, const struct file *file, GError **error)
{
	scoped_fd fd = -1;
	int64_t size = 0, done = 0;
	if (open_file(f->sender, file, &fd, &size, error) < 0)
		return false;
	while (fd >= 0 && (size == 0 || done < size)) {
		ssize_t n = read(fd, f->buffer, size == 0 ? CHUNK_BYTES : (size_t)MIN(size - done, CHUNK_BYTES));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read %s", file->path);
		if (n == 0)
			break;
		if (!cancel_check(f->sender->transfer.cancel, error) || !send_data(f, id, (size_t)n, error))
			return false;
		done += n;
	}
	packet_batch_add(&f->batch, PACKET_DATA, id, NULL, 0);
	return true;
}

/* Returns the next requested file. False if there is none now (wait false), all is done or a thread failed. */
static bool take_request(struct sender *s, bool wait, uint32_t *ret_id, struct file *ret_file)
{
	g_mutex_lock(&s->transfer.mu);
	while (wait && !s->transfer.error && s->next == s->wanted->len && !s->transfer.reader_done)
		g_cond_wait(&s->transfer.changed, &s->transfer.mu);
	bool found = !s->transfer.error && s->next < s->wanted->len;
	if (found) {
		*ret_id = g_array_index(s->wanted, uint32_t, s->next++);
		struct file *f = &g_array_index(s->files, struct file, *ret_id);
		ret_file->root = f->root;
		ret_file->size = f->size;
		ret_file->path = g_steal_pointer(&f->path);
	}
	if (s->next == s->wanted->len) {
		g_array_set_size(s->wanted, 0);
		s->next = 0;
	}
	g_mutex_unlock(&s->transfer.mu);
	return found;
}

static void *send_files(void *data)
{
	struct sender *s = data;
	g_autofree uint8_t *buffer = g_malloc(CHUNK_BYTES);
	struct file_sender f = {.sender = s, .buffer = buffer};
	uint32_t id;
	struct file file;
	GError *error = NULL;
	packet_batch_init(&f.batch);
	for (;;) {
		bool found = take_request(s, f.batch.sizes->len == 0, &id, &file);
		bool ok = found ? send_file(&f, id, &file, &error) : true;
		if (!found && f.batch.sizes->len == 0)
			break;
		if (ok && (!found || packet_batch_is_due(&f.batch)))
			ok = transfer_send_batch(&s->transfer, &f.batch, &error);
		if (!ok) {
			transfer_fail(&s->transfer, g_steal_pointer(&error));
			packet_batch_empty(&f.batch);
		}
		if (found)
			g_free(file.path);
	}
	packet_batch_clear(&f.batch);
	return NULL;
}

/* ---- requests */

/* Call with mu held. */
static bool add_request(struct sender *s, uint32_t id, GError **error)
{
	struct file *f = id < s->files->len ? &g_array_index(s->files, struct file, id) : NULL;
	if (!f || !f->path || f->requested)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid file id %u", id);
	f->requested = true;
	g_array_append_val(s->wanted, id);
	return true;
}

/* Adds requests that arrived together. One thread serves many small files faster than several that wake each other. */
static bool add_requests(struct sender *s, const GArray *ids, GError **error)
{
	bool ok = true;
	g_mutex_lock(&s->transfer.mu);
	for (guint i = 0; ok && i < ids->len; i++)
		ok = add_request(s, g_array_index(ids, uint32_t, i), error);
	for (guint i = 0; i < ids->len; i += REQUESTS_PER_THREAD)
		g_cond_signal(&s->transfer.changed);
	g_mutex_unlock(&s->transfer.mu);
	return ok;
}

/* Handles one message of the receiver. */
static bool take_message(struct sender *s, GBytes *bytes, GArray *requests, GError **error)
{
	struct packet p;
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	if (!packet_decode(data, n, &p, error))
		return false;
	switch (p.type) {
	case PACKET_ERR:
		return error_set(error, ERROR_UNKNOWN, "error from receiver: %.*s", (int)MIN(p.data.len, 65536),
				 (const char *)p.data.ptr);
	case PACKET_REQ:
		g_array_append_val(requests, p.id);
		return true;
	case PACKET_FIN:
		s->fin = true;
		return transfer_send_packet(&s->transfer, PACKET_FIN, 0, NULL, 0, error);
	default:
		return true;
	}
}

static void *read_requests(void *data)
{
	struct sender *s = data;
	GError *error = NULL;
	GQueue messages = G_QUEUE_INIT;
	g_autoptr(GArray) requests = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	while (!s->fin && !error && transfer_recv(&s->transfer, &messages, &error)) {
		for (GBytes *bytes; (bytes = g_queue_pop_head(&messages)); g_bytes_unref(bytes))
			if (!s->fin && !error)
				take_message(s, bytes, requests, &error);
		if (!error)
			add_requests(s, requests, &error);
		g_array_set_size(requests, 0);
	}
	transfer_end_reader(&s->transfer, error);
	return NULL;
}

/* ---- the walk */

static guint root_of(const struct sender *s, const char *path, const char **ret_beneath)
{
	for (guint i = 0; i < s->n_roots; i++) {
		size_t n = strlen(s->roots[i].name);
		if (n == 0 || (strncmp(path, s->roots[i].name, n) == 0 && path[n] == '/')) {
			*ret_beneath = path + (n ? n + 1 : 0);
			return i;
		}
	}
	*ret_beneath = path;
	return 0;
}

static bool announce(void *data, const struct fssync_stat *stat, int parent_fd, const char *name, GError **error)
{
	struct sender *s = data;
	struct file file = {0};
	const char *beneath;
	if (!(stat->mode & FSSYNC_MODE_TYPE)) {
		file.root = root_of(s, stat->path, &beneath);
		file.path = g_strdup(beneath);
		file.size = stat->size;
	}
	g_mutex_lock(&s->transfer.mu);
	bool failed = s->transfer.error != NULL;
	g_array_append_val(s->files, file);
	g_mutex_unlock(&s->transfer.mu);
	if (failed)
		return error_set(error, ERROR_CANCELED, "context canceled");
	packet_append_stat(s->stats.bytes, stat);
	packet_batch_end(&s->stats);
	return !packet_batch_is_due(&s->stats) || transfer_send_batch(&s->transfer, &s->stats, error);
}

static bool walk_and_announce(struct sender *s, const struct fssync_filter *filter, GError **error)
{
	struct fssync_walk_options options = {.visit = announce, .visit_data = s};
	if (s->options) {
		options.map = s->options->map;
		options.map_data = s->options->map_data;
	}
	if (!fssync_walk(s->roots, s->n_roots, filter, &options, s->transfer.cancel, error))
		return false;
	packet_batch_end(&s->stats); /* the empty packet ends the announcements */
	return transfer_send_batch(&s->transfer, &s->stats, error);
}

static void run(struct sender *s, const struct fssync_filter *filter)
{
	GThread *threads[SENDERS + 1] = {0};
	GError *error = NULL;
	threads[0] = thread_start("fssync-read", read_requests, s, &error);
	/* This thread sends files as well, so the transfer also works without further threads. */
	for (size_t i = 0; threads[0] && i < SENDERS; i++)
		threads[i + 1] = thread_start("fssync-send", send_files, s, NULL);
	if (threads[0] && walk_and_announce(s, filter, &error))
		send_files(s);
	else
		transfer_fail(&s->transfer, error);
	g_mutex_lock(&s->transfer.mu);
	bool failed = s->transfer.error != NULL;
	g_mutex_unlock(&s->transfer.mu);
	if (failed)
		transfer_give_up(&s->transfer);
	for (size_t i = 0; i <= SENDERS; i++)
		if (threads[i])
			g_thread_join(threads[i]);
}

bool fssync_send(const struct fssync_channel *channel, const struct fssync_root *roots, size_t n_roots,
		 const struct fssync_filter *filter, const struct fssync_send_options *options, cancel *c,
		 GError **error)
{
	struct sender s = {.roots = roots, .n_roots = n_roots, .options = options};
	transfer_init(&s.transfer, channel, c);
	if (options) {
		s.transfer.progress = options->progress;
		s.transfer.progress_data = options->progress_data;
	}
	s.files = g_array_new(FALSE, FALSE, sizeof(struct file));
	g_array_set_clear_func(s.files, file_clear);
	s.wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	packet_batch_init(&s.stats);
	run(&s, filter);
	if (options && options->progress)
		options->progress(options->progress_data, s.transfer.sent, true);
	GError *failure = g_steal_pointer(&s.transfer.error);
	if (!failure && channel->close_send)
		channel->close_send(channel->data, &failure);
	g_array_unref(s.files);
	g_array_unref(s.wanted);
	packet_batch_clear(&s.stats);
	transfer_clear(&s.transfer);
	if (!failure)
		return true;
	if (!cancel_check(c, error))
		g_error_free(failure);
	else
		g_propagate_error(error, failure);
	return false;
}
