/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission: limits the connections of a server, in total and per source.
 *
 *	struct peer peer;
 *	peer_init(&peer, fd, &address);                  identifies the peer
 *	switch (admission_look(a, &peer)) ...            OK, or the limit that is reached
 *	admission_enter(a, &peer); ... admission_leave(a, &peer);
 *
 * A source is a uid on unix sockets, an IPv4 address, or an IPv6 network of 64 bits. The owner (root and the uid of the
 * daemon, on unix sockets) has no limit as a source; each of its processes may have half of all connections, so that one
 * client cannot shut out the others. The last OWNER_RESERVE connections of unix sockets are reserved for processes of the
 * owner that have fewer than PROCESS_RESERVE. Processes that the daemon cannot see (of another pid namespace) count as one.
 * Thread: the caller serializes (rpc_server.mu).
 */
#pragma once
#include <stdbool.h>
#include <glib.h>
#include <sys/socket.h>

enum slot { SLOT_NONE, SLOT_UNIX, SLOT_TCP, N_SLOTS };

#define OWNER_RESERVE 64u
#define PROCESS_RESERVE 8u

struct peer {
	enum slot slot;
	bool is_owner;
	char *source;  /* owned: "uid 1000", "192.0.2.1", "2001:db8::/64" */
	char *process; /* owned: "process 77 of uid 0"; NULL unless the peer is the owner */
	char *label;   /* owned: the source with port or process id, for log lines */
	char *local;   /* owned: the address at which it connected: a path or host; NULL: unknown */
	int local_port;
};
void peer_init(struct peer *p, int fd, const struct sockaddr_storage *address);
void peer_clear(struct peer *p);

struct admission {
	guint max[N_SLOTS];
	guint max_source[N_SLOTS];
	guint n[N_SLOTS];
	GHashTable *sources; /* source or process (owned) -> count */
};
/* Sets the limits of limits.h, lowered if RLIMIT_NOFILE is low, so that connections do not use the last descriptors. */
void admission_init(struct admission *a);
void admission_clear(struct admission *a);

enum admission_verdict { ADMIT, ADMIT_SOURCE_FULL, ADMIT_PROCESS_FULL, ADMIT_FULL };
enum admission_verdict admission_look(const struct admission *a, const struct peer *p);
/* The connections that one process of the owner may have. */
guint admission_max_process(const struct admission *a);
/* Connections of the peer's process if it is known, else of its source. */
guint admission_of_peer(const struct admission *a, const struct peer *p);
void admission_enter(struct admission *a, const struct peer *p);
void admission_leave(struct admission *a, const struct peer *p);
/* source: a source or a process. */
guint admission_of_source(const struct admission *a, const char *source);
