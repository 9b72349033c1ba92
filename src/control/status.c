/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/message.h"
#include "control.pb-c.h"
#include "history/status_wire.h"
#include "progress/log_file.h"
#include <string.h>

#define STATUS_WAIT_US (6 * G_USEC_PER_SEC) /* Status may come before Solve has created the build; as upstream */
#define GATHER_US 20000                     /* events within this time are sent in one message */

/*
 * A Status call: sends the stored log of a completed build, or follows the log of a running build, or waits for a build
 * to begin.
 */
struct follow {
	rpc_call *call; /* borrowed; outlives this struct */
	builder *builder;
	char *ref;
	gint64 wait_until_us; /* deadline for the build to begin */
	guint watch;          /* 0: not waiting for the build */
	GBytes *stored;       /* owned; a stored log (log_file.h) */
	size_t stored_at;     /* its first message that is not sent yet */
	progress_log *log;
	progress_reader *reader;
	GPtrArray *messages; /* element type: GBytes, owned: packed messages; those from next on are unsent */
	guint next;
};

/* Requires the log's lock. */
static void on_events(void *data, bool end)
{
	struct follow *f = data;
	if (end)
		rpc_call_kick(f->call);
	else
		rpc_call_kick_at(f->call, g_get_monotonic_time() + GATHER_US);
}

static void on_builds(void *data)
{
	rpc_call_kick(((struct follow *)data)->call);
}

static void stop_waiting(struct follow *f)
{
	if (f->watch)
		builder_unwatch(f->builder, f->watch);
	f->watch = 0;
}

void control_status_free(void *state, void *data)
{
	struct follow *f = state;
	stop_waiting(f);
	progress_reader_free(f->reader);
	progress_log_unref(f->log);
	g_clear_pointer(&f->messages, g_ptr_array_unref);
	g_clear_pointer(&f->stored, g_bytes_unref);
	g_free(f->ref);
	g_free(f);
}

static struct follow *follow_new(rpc_call *call, struct control *control, GError **error)
{
	bool end;
	g_autoptr(GBytes) bytes = rpc_call_poll(call, &end, error);
	Control__StatusRequest *m = message_unpack(&control__status_request__descriptor, bytes, error);
	if (!m)
		return NULL;
	struct follow *f = g_new0(struct follow, 1);
	f->call = call;
	f->builder = control->builder;
	f->ref = g_strdup(m->ref);
	f->wait_until_us = g_get_monotonic_time() + STATUS_WAIT_US;
	guard_free(m);
	return f;
}

/* Returns WAIT until the build has begun, OK when there are messages to send. */
static enum rpc_turn find(struct follow *f, GError **error)
{
	if (f->stored || f->log)
		return RPC_TURN_OK;
	if (!f->watch)
		f->stored = history_log(builder_history(f->builder), f->ref);
	if (!f->watch && !f->stored)
		f->watch = builder_watch(f->builder, on_builds, f);
	if (!f->stored)
		f->log = builder_peek_log(f->builder, f->ref);
	if (f->log) {
		f->reader = progress_reader_new(f->log, NULL);
		progress_reader_set_notify(f->reader, on_events, f);
	}
	if (f->log || f->stored) {
		stop_waiting(f);
		return RPC_TURN_OK;
	}
	if (g_get_monotonic_time() >= f->wait_until_us) {
		error_set(error, ERROR_NOT_FOUND, "no such job %s", f->ref);
		return RPC_TURN_FAILED;
	}
	rpc_call_kick_at(f->call, f->wait_until_us);
	return RPC_TURN_WAIT;
}

static enum rpc_turn send_stored(struct follow *f, GError **error)
{
	const uint8_t *message;
	size_t n, next = f->stored_at;
	g_autoptr(GError) why = NULL;
	for (; log_file_next(f->stored, &next, &message, &n, &why); f->stored_at = next) {
		if (!rpc_call_has_room(f->call))
			return RPC_TURN_WAIT;
		if (!rpc_call_offer(f->call, message, n, error))
			return RPC_TURN_FAILED;
	}
	if (!why)
		return RPC_TURN_OK;
	error_set(error, ERROR_DATA_LOSS, "the stored log of build %s is %s", f->ref, why->message);
	return RPC_TURN_FAILED;
}

/* Returns OK when all messages are sent. */
static enum rpc_turn send_messages(struct follow *f, GError **error)
{
	for (; f->messages && f->next < f->messages->len; f->next++) {
		gsize n = 0;
		const void *bytes = g_bytes_get_data(f->messages->pdata[f->next], &n);
		if (!rpc_call_has_room(f->call))
			return RPC_TURN_WAIT;
		if (!rpc_call_offer(f->call, bytes, n, error))
			return RPC_TURN_FAILED;
	}
	g_clear_pointer(&f->messages, g_ptr_array_unref);
	f->next = 0;
	return RPC_TURN_OK;
}

static enum rpc_turn send_live(struct follow *f, GError **error)
{
	for (;;) {
		enum rpc_turn turn = send_messages(f, error);
		if (turn != RPC_TURN_OK)
			return turn;
		bool end;
		g_autoptr(GPtrArray) events = progress_reader_take(f->reader, &end);
		if (!events)
			return end ? RPC_TURN_OK : RPC_TURN_WAIT;
		f->messages = status_wire_pack(events);
	}
}

enum rpc_turn control_status(rpc_call *call, void **state, void *data, GError **error)
{
	struct follow *f = *state;
	if (!f) {
		*state = f = follow_new(call, data, error);
		if (!f || !control_send_timestamp(call, error))
			return RPC_TURN_FAILED;
	}
	enum rpc_turn turn = find(f, error);
	if (turn != RPC_TURN_OK)
		return turn;
	return f->stored ? send_stored(f, error) : send_live(f, error);
}
