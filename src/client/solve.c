/* SPDX-License-Identifier: Apache-2.0 */
#include "client/solve.h"
#include "base/thread.h"
#include "api/guard.h"
#include "base/ident.h"
#include "client/solve_wire.h"
#include "control.pb-c.h"
#include "gateway.pb-c.h"
#include <string.h>

#define CONTROL "/moby.buildkit.v1.Control/"
#define BRIDGE "/moby.buildkit.v1.frontend.LLBBridge/"
#define PING_MS 15000
#define STATUS_IDLE_US (5 * G_USEC_PER_SEC) /* limit for the status stream after Solve's answer */
#define REFUSED_WAIT_US (G_USEC_PER_SEC / 10)
#define CANCEL_WAIT_US (2 * G_USEC_PER_SEC) /* maximum time that a cancelled build may send further statuses */

/* One build. Members are written by the thread that owns them, and read after it was joined. */
struct run {
	rpc_conn *conn;
	const struct solve_options *options;
	char session_id[IDENT_SIZE];
	cancel *cancel; /* cancels all parts; set with the caller's token or when a part failed */
	cancel *status_stop;
	GHashTable *response;
	GHashTable *metadata;
	GError *gateway_error;
	GMutex mu;
	GCond changed;
	gint64 status_heard_us; /* mu */
	bool status_ended;      /* mu */
};

/* ---- the session */

struct tunnel {
	struct run *run;
	rpc_call *call;
	rpc_server *server;
	GThread *thread;
};

static gpointer tunnel_serve(gpointer data)
{
	struct tunnel *t = data;
	rpc_server_serve_tunnel(t->server, t->call, NULL);
	return NULL;
}

static bool tunnel_open(struct run *r, struct tunnel *ret, GError **error)
{
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "x-docker-expose-session-uuid", r->session_id);
	rpc_metadata_add(md, "x-docker-expose-session-name", "");
	rpc_metadata_add(md, "x-docker-expose-session-sharedkey", r->options->shared_key ? r->options->shared_key : "");
	for (const char *const *m = services_methods(r->options->services); *m; m++)
		rpc_metadata_add(md, "x-docker-expose-session-grpc-method", *m);
	ret->run = r;
	ret->call = rpc_call_start(r->conn, CONTROL "Session", md, r->status_stop, 0, error);
	if (!ret->call)
		return false;
	ret->server = rpc_server_new(r->options->loop);
	rpc_server_take_large_headers(ret->server);
	rpc_server_set_tracer(ret->server, trace_tracer(trace_current()), NULL);
	services_register(r->options->services, ret->server);
	ret->thread = thread_start("session", tunnel_serve, ret, error);
	return ret->thread;
}

static void tunnel_close(struct tunnel *t)
{
	if (!t->call)
		return;
	rpc_call_abort(t->call);
	if (t->thread)
		g_thread_join(t->thread);
	rpc_server_stop(t->server, 0);
	rpc_server_free(t->server);
	rpc_call_unref(t->call);
}

/* ---- status */

static void status_heard(struct run *r, bool ended)
{
	g_mutex_lock(&r->mu);
	r->status_heard_us = g_get_monotonic_time();
	r->status_ended = ended;
	g_cond_broadcast(&r->changed);
	g_mutex_unlock(&r->mu);
}

static gpointer status_follow(gpointer data)
{
	struct run *r = data;
	Control__StatusRequest request = CONTROL__STATUS_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)r->options->ref;
	g_autoptr(rpc_call) call = rpc_call_start(r->conn, CONTROL "Status", NULL, r->status_stop, 0, NULL);
	if (call && rpc_call_send_message(call, &request, NULL) && rpc_call_close_send(call, NULL)) {
		Control__StatusResponse *message;
		while ((message = rpc_call_recv_message(call, &control__status_response__descriptor, NULL))) {
			display_push(r->options->display, message);
			status_heard(r, false);
		}
	}
	status_heard(r, true);
	return NULL;
}

/*
 * The daemon closes the stream right after the build. Do not wait for a daemon that sends nothing, or for the status of
 * a build that was refused before it began.
 */
static void status_join(struct run *r, GThread *thread, bool ok)
{
	gint64 idle = ok && !cancel_is_set(r->cancel) ? STATUS_IDLE_US : CANCEL_WAIT_US;
	g_mutex_lock(&r->mu);
	if (!ok && r->status_heard_us == 0)
		idle = REFUSED_WAIT_US;
	r->status_heard_us = g_get_monotonic_time();
	while (!r->status_ended && g_get_monotonic_time() < r->status_heard_us + idle)
		g_cond_wait_until(&r->changed, &r->mu, r->status_heard_us + idle);
	g_mutex_unlock(&r->mu);
	cancel_set(r->status_stop, ERROR_CANCELED, NULL);
	g_thread_join(thread);
}

/* ---- the frontend, requested through the gateway */

/* Sends the result or the error to the daemon, which ends the gateway side of the build. */
static bool gateway_return(struct run *r, const rpc_metadata *md, Gateway__Result *result, const GError *failure,
			   GError **error)
{
	Gateway__ReturnRequest request = GATEWAY__RETURN_REQUEST__INIT;
	request.result = result;
	request.error = failure ? solve_wire_status(failure) : NULL;
	void *reply = rpc_unary(r->conn, BRIDGE "Return", md, &request, &gateway__return_response__descriptor,
				failure ? NULL : r->cancel, PING_MS, error);
	guard_free(request.error);
	guard_free(reply);
	return reply != NULL;
}

/* The daemon has no thread for the gateway call; without a cancel, its Solve would wait for Return. */
static void gateway_refused(struct run *r, const GError *why)
{
	if (error_is(why, ERROR_RESOURCE_EXHAUSTED))
		cancel_set(r->cancel, ERROR_RESOURCE_EXHAUSTED, why->message);
}

static gpointer gateway_drive(gpointer data)
{
	struct run *r = data;
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "buildkit-controlapi-buildid", r->options->ref);
	Gateway__PingRequest ping = GATEWAY__PING_REQUEST__INIT;
	void *pong = rpc_unary(r->conn, BRIDGE "Ping", md, &ping, &gateway__pong_response__descriptor, r->cancel,
			       PING_MS, &r->gateway_error);
	guard_free(pong);
	if (!pong) {
		gateway_refused(r, r->gateway_error);
		return NULL;
	}
	g_autoptr(GError) failure = NULL;
	Gateway__SolveRequest *request = solve_wire_gateway(r->options);
	Gateway__SolveResponse *response = rpc_unary(r->conn, BRIDGE "Solve", md, request,
						     &gateway__solve_response__descriptor, r->cancel, 0, &failure);
	guard_free(request);
	if (response && response->result)
		r->metadata = solve_wire_metadata(response->result);
	/* If Return fails for another reason, the build has ended already, and the answer of Solve has the cause. */
	g_autoptr(GError) return_error = NULL;
	if (!gateway_return(r, md, response ? response->result : NULL, failure, &return_error))
		gateway_refused(r, return_error);
	guard_free(response);
	if (failure)
		r->gateway_error = g_steal_pointer(&failure);
	return NULL;
}

static bool control_solve(struct run *r, GError **error)
{
	Control__SolveRequest *request = solve_wire_control(r->options, r->session_id);
	Control__SolveResponse *response = rpc_unary(r->conn, CONTROL "Solve", NULL, request,
						     &control__solve_response__descriptor, r->cancel, 0, error);
	guard_free(request);
	if (response)
		r->response = solve_wire_response(response);
	guard_free(response);
	return response != NULL;
}

static bool run_all(struct run *r, GError **error)
{
	struct tunnel tunnel = {0};
	bool ok = tunnel_open(r, &tunnel, error);
	GThread *status = ok ? thread_start("status", status_follow, r, error) : NULL;
	bool drives = status && r->options->frontend;
	GThread *gateway = drives ? thread_start("gateway", gateway_drive, r, error) : NULL;
	ok = status && (gateway || !drives) && control_solve(r, error);
	if (!ok)
		cancel_set(r->cancel, ERROR_CANCELED, NULL); /* error of a gateway call after the build has ended */
	if (status)
		status_join(r, status, ok);
	if (gateway)
		g_thread_join(gateway);
	tunnel_close(&tunnel);
	return ok;
}

bool solve_run(rpc_conn *conn, const struct solve_options *options, cancel *c, struct solve_result *ret, GError **error)
{
	struct run r = {.conn = conn, .options = options, .cancel = cancel_new(c), .status_stop = cancel_new(NULL)};
	ident_new(r.session_id);
	g_mutex_init(&r.mu);
	g_cond_init(&r.changed);
	bool ok = run_all(&r, error);
	cancel_unref(r.cancel);
	cancel_unref(r.status_stop);
	g_mutex_clear(&r.mu);
	g_cond_clear(&r.changed);
	g_clear_error(&r.gateway_error);
	*ret = (struct solve_result){.response = r.response, .metadata = r.metadata};
	if (!ok)
		solve_result_clear(ret);
	return ok;
}

void solve_result_clear(struct solve_result *r)
{
	g_clear_pointer(&r->response, g_hash_table_unref);
	g_clear_pointer(&r->metadata, g_hash_table_unref);
}
