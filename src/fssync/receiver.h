/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver: what the two halves of the receiving side share. receive.c owns the stream and the reader thread,
 * placer.c puts announced entries beneath the destination on the caller's thread.
 *
 *	receiver_next_stat(r, &stat, error)         the next announced entry
 *	receiver_request(r, entry, error)           asks for the data of a file; the reader finishes it
 *	receiver_report(r, entry)                   on_entry in path order
 *
 * Thread: as each function says; .mu guards what is marked so.
 */
#pragma once
#include "fssync/dest.h"
#include "fssync/packet.h"

/* An entry on its way to on_entry. */
struct entry {
	struct fssync_stat stat;
	enum fssync_change change;
	uint32_t id;
	bool done;      /* mu */
	bool requested; /* caller's thread only: the reader will finish it */
	bool has_temp;  /* does not have its name yet; set before it is requested */
	bool has_file;  /* this and file are the caller's until requested, then the reader's */
	struct dest_file file;
};
void entry_free(struct entry *e);

struct receiver {
	const struct fssync_channel *channel;
	const struct fssync_receive_options *options;
	cancel *cancel;
	struct dest_how how;

	GQueue order;  /* of struct entry *, owned; the caller's thread only */
	GBytes *chunk; /* stats taken from the queue, being read */
	size_t chunk_at;
	uint32_t next_id;

	GMutex mu;
	GCond changed;
	GByteArray *stats;   /* mu: announced, [uint32_t length][Stat] */
	bool stats_end;      /* mu */
	GHashTable *pending; /* mu: id to struct entry * (borrowed from order) */
	bool waiting;        /* mu: the caller's thread wants to hear of changes and was not told yet */
	guint files_max;     /* requested at once */
	guint wake_pending;  /* mu: of files that end, only when no more than these are still on their way */
	bool fin_sent;       /* mu */
	bool reader_done;    /* mu */
	GError *error;       /* mu, owned: the first failure */
	int64_t received;    /* reader */
};

/* Any thread. The first failure wins; takes error. */
void receiver_fail(struct receiver *r, GError *error);
/* Caller's thread. false with no error at the end of the tree. stat is cleared by the caller. */
bool receiver_next_stat(struct receiver *r, struct fssync_stat *ret, GError **error);
/* Caller's thread. e has a file. */
bool receiver_request(struct receiver *r, struct entry *e, GError **error);
/* Caller's thread. Takes e; it is reported when it and all before it are done. */
bool receiver_report(struct receiver *r, struct entry *e, GError **error);
/* Caller's thread. Waits until the entry with this path has its name, or all are whole (NULL). */
bool receiver_wait(struct receiver *r, const char *path, GError **error);

/* Places everything beneath dest_fd (borrowed). */
bool placer_run(struct receiver *r, int dest_fd, GError **error);
