/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer: the packet stream of a transfer and its first failure, shared by both roles.
 *
 *	transfer_init(&s, channel, cancel);              from here, setting cancel aborts the channel
 *	transfer_send_packet(&s, PACKET_REQ, id, NULL, 0, error);
 *	transfer_fail(&s, error);                        any thread; the first failure wins
 *	transfer_give_up(&s);                            reports it to the peer
 *	transfer_clear(&s);                              after the reader thread has ended
 *
 * Thread: any; mu guards the members marked so.
 */
#pragma once
#include "fssync/packet.h"

/*
 * Packets of one thread that are sent together:
 *
 *	packet_append_stat(b->bytes, stat);
 *	packet_batch_end(b);
 *	if (packet_batch_is_due(b) && !transfer_send_batch(&s, b, error)) ...
 */
struct packet_batch {
	GByteArray *bytes; /* owned: the packets, one after the other */
	GArray *sizes;     /* owned, of uint32_t */
	size_t counted;    /* bytes of complete packets */
	gint64 since_us;   /* age of the first packet */
};
void packet_batch_init(struct packet_batch *b);
void packet_batch_clear(struct packet_batch *b);
void packet_batch_empty(struct packet_batch *b);
/* Everything appended to bytes since the last call is one packet. */
void packet_batch_end(struct packet_batch *b);
void packet_batch_add(struct packet_batch *b, enum packet_type type, uint32_t id, const void *data, size_t n);
/* There are many bytes in it, or it is some milliseconds old. */
bool packet_batch_is_due(const struct packet_batch *b);

struct transfer {
	const struct fssync_channel *channel;
	cancel *cancel;
	guint cancel_id;

	GMutex send_mu;                                         /* guards sending, sent and the progress */
	int64_t sent;                                           /* packet bytes */
	void (*progress)(void *data, int64_t bytes, bool done); /* receives sent; may be NULL */
	void *progress_data;

	GMutex mu;
	GCond changed;    /* broadcast by transfer_fail and transfer_end_reader */
	bool reader_done; /* mu */
	GError *error;    /* mu, owned: the first failure */
};
void transfer_init(struct transfer *s, const struct fssync_channel *channel, cancel *c);
void transfer_clear(struct transfer *s);
bool transfer_send_packet(struct transfer *s, enum packet_type type, uint32_t id, const void *data, size_t n,
			  GError **error);
/* Sends the packets of the batch and empties it. */
bool transfer_send_batch(struct transfer *s, struct packet_batch *b, GError **error);
/* Appends the received packets (GBytes *) to the empty queue ret; waits for the first one. False with an error. */
bool transfer_recv(struct transfer *s, GQueue *ret, GError **error);
/* Takes error. */
void transfer_fail(struct transfer *s, GError *error);
/* The reader thread receives no more; takes its error, which may be NULL. */
void transfer_end_reader(struct transfer *s, GError *error);
/* Sends the first failure to the peer, and gives it time to end the stream before the channel is aborted. */
void transfer_give_up(struct transfer *s);
