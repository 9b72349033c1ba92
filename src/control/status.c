/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "builder/status_wire.h"
#include "control.pb-c.h"
#include "api/guard.h"
#include <string.h>

#define BUILD_WAIT_MS 6000
#define GATHER_MS 20 /* events that arrive together travel together */

static bool send_live(rpc_call *call, progress_log *log, GError **error)
{
	g_autoptr(progress_reader) reader = progress_reader_new(log, rpc_call_cancel(call));
	for (;;) {
		g_autoptr(GPtrArray) events = progress_reader_next(reader, GATHER_MS);
		if (!events)
			return cancel_check(rpc_call_cancel(call), error);
		g_autoptr(GPtrArray) messages = status_wire_pack(events);
		for (guint i = 0; i < messages->len; i++) {
			gsize n = 0;
			const void *bytes = g_bytes_get_data(messages->pdata[i], &n);
			if (!rpc_call_send(call, bytes, n, error))
				return false;
		}
	}
}

static bool send_stored(rpc_call *call, GBytes *log, GError **error)
{
	gsize n = 0;
	const uint8_t *at = g_bytes_get_data(log, &n);
	while (n >= sizeof(guint32)) {
		guint32 length;
		memcpy(&length, at, sizeof length);
		length = GUINT32_FROM_LE(length);
		at += sizeof length;
		n -= sizeof length;
		if (length > n)
			return error_set(error, ERROR_DATA_LOSS, "the stored log is cut");
		if (!rpc_call_send(call, at, length, error))
			return false;
		at += length;
		n -= length;
	}
	return true;
}

bool control_status(rpc_call *call, void *data, GError **error)
{
	struct control *control = data;
	Control__StatusRequest *m = rpc_call_recv_message(call, &control__status_request__descriptor, error);
	if (!m)
		return false;
	bool ok = control_send_timestamp(call, error);
	g_autoptr(GBytes) stored = ok ? history_log(builder_history(control->builder), m->ref) : NULL;
	if (stored) {
		ok = send_stored(call, stored, error);
	} else if (ok) {
		g_autoptr(progress_log) log =
			builder_find_log(control->builder, m->ref, BUILD_WAIT_MS, rpc_call_cancel(call), error);
		ok = log && send_live(call, log, error);
	}
	guard_free(m);
	return ok;
}
