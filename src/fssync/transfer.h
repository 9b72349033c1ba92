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
bool transfer_send(struct transfer *s, const void *head, size_t n_head, const void *body, size_t n_body,
		   GError **error);
bool transfer_send_packet(struct transfer *s, enum packet_type type, uint32_t id, const void *data, size_t n,
			  GError **error);
/* Takes error. */
void transfer_fail(struct transfer *s, GError *error);
/* The reader thread receives no more; takes its error, which may be NULL. */
void transfer_end_reader(struct transfer *s, GError *error);
/* Sends the first failure to the peer, and gives it time to end the stream before the channel is aborted. */
void transfer_give_up(struct transfer *s);
