/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: live clients and what they offer. The daemon is the gRPC client inside the tunnel of Control.Session.
 *
 *	session_registry *r = session_registry_new();
 *	session_turn(r, call, &state, error);            the Session handler (rpc.h, turns)
 *
 *	session_group *g = session_group_new(r, "id");   a build's sessions, tried in turn
 *	if (!session_secret_get(g, "mysecret", cancel, &bytes, error)) ...
 *
 * Metadata, health checks and lookup rules: BuildKit's session protocol (x-docker-expose-session-*). A group is
 * reference counted and holds ids; sessions come and go. Secret bytes are returned in a GBytes whose memory is
 * cleared when freed. Thread: any.
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
 * The handler of moby.buildkit.v1.Control/Session, and the end of its state. A session that no build uses costs neither a
 * thread nor an HTTP/2 session: both and the health checks begin with its first use (session_conn, session_guard).
 */
enum rpc_turn session_turn(session_registry *r, rpc_call *call, void **state, GError **error);
void session_turn_free(session_registry *r, void *state);

/* A session by id ("prefix:id" uses the part after the colon), waiting up to timeout_ms for it to appear.
 * Errors: NOT_FOUND-free text "no active session for <id>: context deadline exceeded". */
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
 * What works for a client that no longer answers stops: c is set when health checks end the session with this id (not
 * when the client leaves by itself). From guard to unguard the token must live.
 */
void session_guard(session_registry *r, const char *id, cancel *c);
void session_unguard(session_registry *r, cancel *c);

/* r: NULL: that of the first group that joins. */
session_group *session_group_new(session_registry *r, const char *id /* NULL: empty */);
session_group *session_group_ref(session_group *g);
void session_group_unref(session_group *g);
void session_group_add(session_group *g, const char *id);
/* From join to part the sessions of the other group are asked too, after its own: a step that several builds share. */
void session_group_join(session_group *g, session_group *other);
void session_group_part(session_group *g, session_group *other);
char *session_group_first(session_group *g); /* an id, owned, or NULL */
bool session_group_is_empty(session_group *g);
/* The first live session of the group that offers the method (NULL: any). Waits as session_find does. */
session *session_group_any(session_group *g, const char *full_method, int timeout_ms, cancel *c, GError **error);

/* ---- services. All block and end with the cancel token, the session or LIMIT-bounded time. */

/* Errors: NOT_FOUND "secret X: not found" when no session has it. */
bool session_secret_get(session_group *g, const char *id, cancel *c, GBytes **ret_value, GError **error);

/* Empty strings when the client has none. */
bool session_credentials(session_group *g, const char *host, cancel *c, char **ret_user, char **ret_secret,
			 GError **error);
/* The client fetches the token itself. UNIMPLEMENTED/UNAVAILABLE when it cannot: then use credentials. */
bool session_token_authority(session_group *g, const char *host, cancel *c, GError **error);
bool session_fetch_token(session_group *g, const char *host, const char *realm, const char *service,
			 const char *const *scopes, cancel *c, char **ret_token, int64_t *ret_expires_s,
			 GError **error);

/* FileSync.DiffCopy: the caller speaks fsutil packets on the returned call (fssync/fssync.h). Lists may be NULL. */
rpc_call *session_files_open(session *s, const char *name, const char *const *include, const char *const *exclude,
			     const char *const *follow, cancel *c, GError **error);
/* FileSend.DiffCopy. md: exporter-md-* and buildkit-exporter-multi-platform pairs of the caller. */
rpc_call *session_send_open(session *s, unsigned exporter_index, const rpc_metadata *md, cancel *c, GError **error);
/* Sends one BytesMessage on the rpc_call that data is; a bytes_sink_fn. */
bool session_send_bytes(void *data, const void *bytes, size_t n, GError **error);
/* Upload.Pull: BytesMessage stream of http://buildkit-session/<id>; url_path "/<id>", url_host "buildkit-session". */
rpc_call *session_upload_open(session *s, const char *url_path, const char *url_host, cancel *c, GError **error);

bool session_ssh_check(session_group *g, const char *id, cancel *c, session **ret_session, GError **error);
rpc_call *session_ssh_forward(session *s, const char *id, cancel *c, GError **error);

/*
 * Asks the client's PolicyVerifier service about a source, in the session with this id. The reply is guard_free'd.
 * Errors: the client's, with its details.
 */
struct Policysession__CheckPolicyRequest;
struct Policysession__CheckPolicyResponse;
struct Policysession__CheckPolicyResponse *session_policy_check(session_registry *r, const char *id,
								const struct Policysession__CheckPolicyRequest *request,
								cancel *c, GError **error);

/* containerd content service of the client; store: "local:<dir>", "oci:<id>", "export". */
bool session_content_info(session *s, const char *store, const char *digest, cancel *c, int64_t *ret_size,
			  GError **error);
/* Streams a blob: on_bytes returns false with an error to stop. */
bool session_content_read(session *s, const char *store, const char *digest, int64_t offset, cancel *c,
			  bool (*on_bytes)(void *data, const void *bytes, size_t n, GError **error), void *data,
			  GError **error);
/* Writes a blob from fd (-1: bytes). A blob that is there is success. */
bool session_content_write(session *s, const char *store, const char *digest, int fd, const void *bytes, int64_t size,
			   cancel *c, void (*on_progress)(void *data, int64_t done), void *data, GError **error);

/* The session named, else any of the build that serves content (content_provider.c). */
session *session_with_content(session_registry *r, const char *id, struct work *work, GError **error);
/* A whole small blob, verified, at most max bytes. */
GBytes *session_content_fetch(session *s, const char *store, const struct digest *digest, size_t max, cancel *c,
			      GError **error);
/* Blobs of a store on demand, from the session named while it lives. */
blob_provider *session_content_provider(session_registry *r, const char *session_id, const char *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(session, session_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(session_group, session_group_unref)
