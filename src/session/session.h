/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: connected clients and the services they offer. The daemon is the gRPC client inside the tunnel of
 * Control.Session.
 *
 *	session_registry *r = session_registry_new();
 *	session_turn(r, call, &state, error);            the Session handler (rpc.h, turns)
 *
 *	session_group *g = session_group_new(r, "id");   a build's sessions, tried in turn
 *	if (!session_secret_get(g, "mysecret", cancel, &bytes, error)) ...
 *
 * Metadata, health checks and lookup rules: BuildKit's session protocol (x-docker-expose-session-*). A group is
 * reference counted and contains ids; sessions may connect and disconnect at any time. Secret bytes are returned in a
 * GBytes whose memory is cleared when freed. Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "base/work.h"
#include "content/blob_store.h"
#include "rpc/rpc.h"

typedef struct session_registry session_registry;
typedef struct session session;

session_registry *session_registry_new(void);
void session_registry_free(session_registry *r);
size_t session_registry_count(session_registry *r);

/*
 * The handler of moby.buildkit.v1.Control/Session, and the release of its state. A session that no build uses needs
 * neither a thread nor an HTTP/2 session: both, and the health checks, start with its first use (session_conn,
 * session_guard).
 */
enum rpc_turn session_turn(session_registry *r, rpc_call *call, void **state, GError **error);
void session_turn_free(session_registry *r, void *state);

/*
 * Finds a session by id ("prefix:id" uses the part after the colon), waiting up to timeout_ms for it to connect.
 * Errors: "no active session for <id>: context deadline exceeded".
 */
#define SESSION_WAIT_MS 5000
session *session_find(session_registry *r, const char *id, int timeout_ms, cancel *c, GError **error);
session *session_ref(session *s);
void session_unref(session *s);
const char *session_id(const session *s);
const char *session_shared_key(const session *s);
rpc_conn *session_conn(session *s); /* borrowed; never NULL */
/* full_method as "/moby.filesync.v1.FileSync/DiffCopy", compared in lower case. */
bool session_supports(const session *s, const char *full_method);
cancel *session_closed(session *s); /* borrowed */

/*
 * Cancels work of a client that no longer answers: c is set when health checks end the session with this id (not when
 * the client disconnects). The token must exist from guard to unguard.
 */
void session_guard(session_registry *r, const char *id, cancel *c);
void session_unguard(session_registry *r, cancel *c);

/* r NULL: the registry of the first group that joins. */
session_group *session_group_new(session_registry *r, const char *id /* id NULL: an empty group */);
session_group *session_group_ref(session_group *g);
void session_group_unref(session_group *g);
void session_group_add(session_group *g, const char *id);
/*
 * From join to part the sessions of the other group are asked as well, after the group's own: for a step that several
 * builds share.
 */
void session_group_join(session_group *g, session_group *other);
void session_group_part(session_group *g, session_group *other);
char *session_group_first(session_group *g); /* returns an id, owned, or NULL */
bool session_group_is_empty(session_group *g);
/* Returns the first connected session of the group that offers the method (NULL: any). Waits as session_find does. */
session *session_group_any(session_group *g, const char *full_method, int timeout_ms, cancel *c, GError **error);

/* ---- services. All functions block and end with the cancel token, the session or a time limit. */

/* Errors: NOT_FOUND "secret X: not found" if no session has it. */
bool session_secret_get(session_group *g, const char *id, cancel *c, GBytes **ret_value, GError **error);

/* Returns empty strings if the client has none. */
bool session_credentials(session_group *g, const char *host, cancel *c, char **ret_user, char **ret_secret,
			 GError **error);
/* Lets the client fetch the token. Errors: UNIMPLEMENTED or UNAVAILABLE if it cannot; then use credentials. */
bool session_token_authority(session_group *g, const char *host, cancel *c, GError **error);
bool session_fetch_token(session_group *g, const char *host, const char *realm, const char *service,
			 const char *const *scopes, cancel *c, char **ret_token, int64_t *ret_expires_s,
			 GError **error);

/*
 * Calls FileSync.DiffCopy: the caller exchanges fsutil packets on the returned call (fssync/fssync.h). Lists may be
 * NULL.
 */
rpc_call *session_files_open(session *s, const char *name, const char *const *include, const char *const *exclude,
			     const char *const *follow, cancel *c, GError **error);
/* Calls FileSend.DiffCopy. md: exporter-md-* and buildkit-exporter-multi-platform pairs of the caller. */
rpc_call *session_send_open(session *s, unsigned exporter_index, const rpc_metadata *md, cancel *c, GError **error);
/* Sends one BytesMessage; a bytes_sink_fn, data is the rpc_call. */
bool session_send_bytes(void *data, const void *bytes, size_t n, GError **error);
/* Calls Upload.Pull: the BytesMessage stream of http://buildkit-session/<id>; url_host is "buildkit-session". */
rpc_call *session_upload_open(session *s, const char *url_path, const char *url_host, cancel *c, GError **error);

bool session_ssh_check(session_group *g, const char *id, cancel *c, session **ret_session, GError **error);
rpc_call *session_ssh_forward(session *s, const char *id, cancel *c, GError **error);

/*
 * Asks the client's PolicyVerifier service about a source, in the session with this id. Free the reply with guard_free.
 * Errors: the client's, with its details.
 */
struct Policysession__CheckPolicyRequest;
struct Policysession__CheckPolicyResponse;
struct Policysession__CheckPolicyResponse *session_policy_check(session_registry *r, const char *id,
								const struct Policysession__CheckPolicyRequest *request,
								cancel *c, GError **error);

/* An exporter that a client asks for when it knows the result. */
struct session_exporter {
	char *type;
	GHashTable *attrs; /* char * to char * */
};
/*
 * Asks the client's Exporter service, in the session with this id, for exporters of a result. metadata: char * to
 * GBytes *. refs: ids of its records. Element type: struct session_exporter (owned by the array); empty if the client
 * does not have the service. Errors: the client's.
 */
GArray *session_find_exporters(session_registry *r, const char *id, GHashTable *metadata, const char *const *refs,
			       cancel *c, GError **error);
/* Tells the service what the exporters of the build reported: char * to char *. Errors: the client's. */
bool session_finalize_export(session_registry *r, const char *id, GHashTable *response, cancel *c, GError **error);

/* The client's containerd content service; store: "local:<dir>", "oci:<id>", "export". */
bool session_content_info(session *s, const char *store, const char *digest, cancel *c, int64_t *ret_size,
			  GError **error);
/* Streams a blob; on_bytes returns false with an error to stop. */
bool session_content_read(session *s, const char *store, const char *digest, int64_t offset, cancel *c,
			  bool (*on_bytes)(void *data, const void *bytes, size_t n, GError **error), void *data,
			  GError **error);
/* Writes a blob from fd (-1: from bytes). An existing blob is a success. */
bool session_content_write(session *s, const char *store, const char *digest, int fd, const void *bytes, int64_t size,
			   cancel *c, void (*on_progress)(void *data, int64_t done), void *data, GError **error);

/* Returns the named session, otherwise any of the build that serves content (content_provider.c). */
session *session_with_content(session_registry *r, const char *id, struct work *work, GError **error);
/* Returns a complete small blob, verified, at most max bytes. */
GBytes *session_content_fetch(session *s, const char *store, const struct digest *digest, size_t max, cancel *c,
			      GError **error);
/* Provides blobs of a store on demand, from the named session while it is connected. */
blob_provider *session_content_provider(session_registry *r, const char *session_id, const char *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(session, session_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(session_group, session_group_unref)
