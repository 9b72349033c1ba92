/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live: sessions and groups; private to this module.
 *
 *	group_each(g, METHOD, timeout_ms, c, ask, &state, error)    asks until one answers
 *
 * Locks: a group's mu, or the registry's, never both. Thread: any.
 */
#pragma once
#include "session/session.h"

#define AUTH_WAIT_MS 60000
#define NO_SESSIONS "no active sessions"

struct session {
	gint refs;
	char *id;            /* owned */
	char *shared_key;    /* owned */
	char *name;          /* owned */
	GHashTable *methods; /* set of lower-case full methods, owned */
	rpc_call *call;      /* ref: the tunnel */
	cancel *closed;      /* owned: set when the session ends */
	GMutex mu;
	rpc_conn *conn; /* ref; mu; NULL until its first use: session_conn creates it */
	bool serving;   /* mu: the call is open and may be kicked */
};

/* A token that is set when a failed health check ends the session. */
struct session_guard {
	char *id;  /* owned */
	cancel *c; /* borrowed until session_unguard */
};

struct session_registry {
	GMutex mu;
	GCond changed;
	GHashTable *sessions; /* id (borrowed) -> session (ref) */
	GArray *guards;       /* of struct session_guard */
	uint8_t salt[32];     /* random, created at the daemon's start */
};

session_registry *group_registry(session_group *g);

/*
 * Asks the sessions of a group in turn. ask returns true if it has an answer; on false the next session is asked and
 * the last error is kept. A session that does not offer the method counts as UNIMPLEMENTED.
 */
typedef bool (*ask_fn)(session *s, cancel *c, void *data, GError **error);
bool group_each(session_group *g, const char *method, int timeout_ms, cancel *c, ask_fn ask, void *data,
		GError **error);
