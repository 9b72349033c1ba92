/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ExecProcess: one stream carries the messages of any number of processes, by their ids. The client sends Init, then File,
 * Resize and Signal; the answers are Started, File, Exit and Done. A wrong message ends the stream, and with it its
 * processes. Messages to processes that have ended are dropped, because the client cannot know of the end.
 */
#include "frontend/gateway/exec_process.h"
#include "base/hash_walk.h"
#include "frontend/gateway/gateway_internal.h"
#include "base/limits.h"

struct exec_stream {
	gateway *g; /* borrowed */
	struct exec_sender sender;
	GHashTable *processes; /* char * id to exec_process * (owned); NULL: has ended */
};

static void free_process(void *data)
{
	if (data)
		exec_process_free(data);
}

static bool find_process(struct exec_stream *s, const char *id, exec_process **ret, GError **error)
{
	gpointer found = NULL;
	if (!g_hash_table_lookup_extended(s->processes, id, NULL, &found))
		return error_set(error, ERROR_NOT_FOUND, "IO for process \"%s\" not found", id);
	*ret = found;
	return true;
}

/* Frees what belongs to processes that have ended; their ids stay known. */
static void forget_ended(struct exec_stream *s)
{
	for (struct hash_walk it = hash_walk(s->processes); hash_walk_next(&it);)
		if (it.value && exec_process_is_done(it.value))
			g_hash_table_iter_replace(&it.iter, NULL);
}

static bool handle_init(struct exec_stream *s, const char *id, const Gateway__InitMessage *m, cancel *stop,
			GError **error)
{
	if (g_hash_table_contains(s->processes, id))
		return error_set(error, ERROR_ALREADY_EXISTS, "Process %s already exists", id);
	forget_ended(s);
	if (g_hash_table_size(s->processes) >= LIMIT_EXEC_PROCESSES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "a stream has at most %lld processes",
				 LIMIT_EXEC_PROCESSES);
	g_autoptr(container) c = gateway_find_container(s->g, m->containerid);
	if (!c)
		return error_set(error, ERROR_NOT_FOUND, "container \"%s\" previously released or not created",
				 m->containerid);
	exec_process *p = exec_process_start(&s->sender, id, c, m, stop, error);
	if (p)
		g_hash_table_insert(s->processes, g_strdup(id), p);
	else
		error_hide_code(error);
	return p != NULL;
}

static bool handle_message(struct exec_stream *s, const Gateway__ExecMessage *m, cancel *stop, GError **error)
{
	const char *id = m->processid;
	exec_process *p = NULL;
	if (*id == '\0')
		return error_set(error, ERROR_INVALID_ARGUMENT, "ProcessID required");
	if (strlen(id) > LIMIT_EXEC_ID_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT, "ProcessID is longer than %lld bytes",
				 LIMIT_EXEC_ID_BYTES);
	switch (m->input_case) {
	case GATEWAY__EXEC_MESSAGE__INPUT_INIT:
		return handle_init(s, id, m->init, stop, error);
	case GATEWAY__EXEC_MESSAGE__INPUT_FILE:
		return find_process(s, id, &p, error) &&
		       (!p || exec_process_write(p, m->file->fd, m->file->data.data, m->file->data.len, m->file->eof,
						 stop, error));
	case GATEWAY__EXEC_MESSAGE__INPUT_RESIZE:
		return find_process(s, id, &p, error) &&
		       (!p ||
			exec_process_resize(p, (struct step_size){m->resize->rows, m->resize->cols}, stop, error));
	case GATEWAY__EXEC_MESSAGE__INPUT_SIGNAL:
		if (find_process(s, id, &p, error) && !p && exec_signal_number(m->signal->name) == 0)
			return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown signal %s", m->signal->name);
		return p ? exec_process_signal(p, m->signal->name, stop, error) : !(error && *error);
	case GATEWAY__EXEC_MESSAGE__INPUT_STARTED:
	case GATEWAY__EXEC_MESSAGE__INPUT_EXIT:
	case GATEWAY__EXEC_MESSAGE__INPUT_DONE:
	case GATEWAY__EXEC_MESSAGE__INPUT__NOT_SET:
	case _GATEWAY__EXEC_MESSAGE__INPUT__CASE_IS_INT_SIZE:
		return true; /* not for the server: dropped, as by upstream */
	}
	return true;
}

/* Returns true at the end of the client's messages. */
static bool receive_all(struct exec_stream *s, rpc_call *call, GError **error)
{
	for (;;) {
		g_autoptr(GError) why = NULL;
		Gateway__ExecMessage *m = rpc_call_recv_message(call, &gateway__exec_message__descriptor, &why);
		bool ok = m && handle_message(s, m, rpc_call_cancel(call), &why);
		bool end = !m && !why;
		guard_free(m);
		if (end)
			return true;
		if (!ok)
			return error_propagate(error, g_steal_pointer(&why));
	}
}

/* After the end of the client's messages its processes continue, without input. */
static void end_processes(struct exec_stream *s, bool cancel_them)
{
	for (struct hash_walk it = hash_walk(s->processes); hash_walk_next(&it);) {
		if (it.value && cancel_them)
			exec_process_cancel(it.value);
		else if (it.value)
			exec_process_close_input(it.value);
	}
	g_hash_table_remove_all(s->processes); /* waits for each */
}

bool gateway_exec_process(rpc_call *call, void *data, GError **error)
{
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return false;
	struct exec_stream s = {.g = v.g, .sender.call = call};
	g_mutex_init(&s.sender.mu);
	s.processes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_process);
	g_mutex_lock(&v.g->mu);
	g_ptr_array_add(v.g->streams, call);
	if (v.g->closed)
		rpc_call_abort(call);
	g_mutex_unlock(&v.g->mu);
	bool ok = receive_all(&s, call, error);
	end_processes(&s, !ok);
	g_mutex_lock(&v.g->mu);
	g_ptr_array_remove_fast(v.g->streams, call);
	g_mutex_unlock(&v.g->mu);
	g_hash_table_unref(s.processes);
	g_mutex_clear(&s.sender.mu);
	return ok;
}
