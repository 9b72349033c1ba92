/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver: shared by the two parts of the receiving side. receive.c owns the stream and the reader thread; placer.c
 * creates announced entries beneath the destination on the caller's thread.
 *
 *	receiver_next_stat(r, &stat, error)         the next announced entry
 *	receiver_request(r, entry, error)           requests the data of a file; the reader finishes it
 *	receiver_report(r, entry, error)            calls on_entry in path order
 *
 * Thread: as stated for each function; mu guards members marked so.
 */
#pragma once
#include "fssync/dest.h"
#include "fssync/transfer.h"

/* An entry that is not reported to on_entry yet. */
struct entry {
	struct fssync_stat stat;
	enum fssync_change change;
	uint32_t id;
	bool done;      /* mu */
	bool requested; /* caller's thread only: the reader will finish it */
	bool has_temp;  /* is not renamed to its final name yet; set before it is requested */
	bool has_file;  /* this and file belong to the caller until requested, then to the reader */
	struct dest_file file;
	hasher *hash;                   /* owned: of the content, belongs to the owner of file; NULL: not hashed */
	struct fssync_content *content; /* owned; set when its data is complete and hashed */
};
void entry_free(struct entry *e);

struct receiver {
	struct transfer transfer; /* its mu guards the members marked mu */
	const struct fssync_receive_options *options;
	struct dest_how how;

	GQueue order;                 /* of struct entry *, owned; the caller's thread only */
	struct packet_batch requests; /* not sent yet; the caller's thread only */
	GBytes *chunk;                /* current chunk of announcements from the queue */
	size_t chunk_at;
	uint32_t next_id;
	struct slice stat;    /* the last announcement, borrowed from the chunk */
	GByteArray *metadata; /* owned: announcements, if options->metadata_only; else NULL */

	GByteArray *arrived; /* reader: announcements to add to stats */
	bool arrived_end;    /* reader: they are the last */
	GByteArray *stats;   /* mu: announced, [uint32_t length][Stat] */
	bool stats_end;      /* mu */
	GHashTable *pending; /* mu: id to struct entry * (borrowed from order) */
	bool waiting;        /* mu: the caller's thread waits for a change and was not notified yet */
	guint files_max;     /* maximum of requested files */
	guint wake_pending;  /* mu: finished files notify only if at most this many are pending */
	bool fin_sent;       /* mu */
	int64_t received;    /* reader */
};

/* Caller's thread. Returns false without an error at the end of the tree. The caller clears stat. */
bool receiver_next_stat(struct receiver *r, struct fssync_stat *ret, GError **error);
/* Caller's thread. e must have a file. */
bool receiver_request(struct receiver *r, struct entry *e, GError **error);
/* Caller's thread. Takes e; it is reported when it and all earlier entries are done. */
bool receiver_report(struct receiver *r, struct entry *e, GError **error);
/* Caller's thread. Waits until the entry with this path has its final name, or all are complete (NULL). */
bool receiver_wait(struct receiver *r, const char *path, GError **error);

/* Creates everything beneath dest_fd (borrowed). */
bool placer_run(struct receiver *r, int dest_fd, GError **error);
