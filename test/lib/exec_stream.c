/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/exec_stream.h"
#include "status.pb-c.h"

/* ---- containers */

static worker no_worker;
static const struct work *build_work;

static container *new_container(const struct bridge_container_request *r, struct work *work, GError **error)
{
	Pb__Mount root = PB__MOUNT__INIT, memory = PB__MOUNT__INIT, *mounts[] = {&root, &memory};
	root.dest = (char *)"/";
	memory.dest = (char *)"/tmp";
	memory.mounttype = PB__MOUNT_TYPE__TMPFS;
	const struct container_options options = {.worker = &no_worker,
						  .id = r->id,
						  .work = build_work,
						  .mounts = mounts,
						  .n_mounts = 2,
						  .network = (Pb__NetMode)r->network,
						  .hostname = r->hostname,
						  .hosts = r->hosts,
						  .n_hosts = r->n_hosts};
	return container_new(&options, work->cancel, error);
}

void exec_rig_containers(struct gateway_rig *r)
{
	r->fake.new_container = new_container;
	build_work = &r->work;
}

void exec_new_container(struct gateway_rig *r, const char *id)
{
	g_autoptr(GError) error = NULL;
	Gateway__NewContainerRequest request = GATEWAY__NEW_CONTAINER_REQUEST__INIT;
	request.containerid = (char *)id;
	guard_free(GATEWAY_CALL(r, "NewContainer", &request, gateway__new_container_response, &error));
	g_assert_no_error(error);
}

bool exec_release_container(struct gateway_rig *r, const char *id, GError **error)
{
	Gateway__ReleaseContainerRequest request = GATEWAY__RELEASE_CONTAINER_REQUEST__INIT;
	request.containerid = (char *)id;
	void *reply = GATEWAY_CALL(r, "ReleaseContainer", &request, gateway__release_container_response, error);
	guard_free(reply);
	return reply != NULL;
}

/* ---- messages to the daemon */

void exec_client_open(struct exec_client *c, struct gateway_rig *r)
{
	g_autoptr(GError) error = NULL;
	c->call = rpc_call_start(r->pair.conn, GATEWAY_SERVICE "ExecProcess", NULL, NULL, 0, &error);
	g_assert_no_error(error);
}

void exec_client_send(struct exec_client *c, Gateway__ExecMessage *m)
{
	g_autoptr(GError) error = NULL;
	rpc_call_send_message(c->call, m, &error);
	g_assert_no_error(error);
}

void exec_client_init(struct exec_client *c, const char *id, const char *of, const char *arg)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__InitMessage init = GATEWAY__INIT_MESSAGE__INIT;
	Pb__Meta meta = PB__META__INIT;
	char *args[] = {(char *)arg};
	uint32_t fds[] = {0, 1, 2};
	meta.args = args;
	meta.n_args = 1;
	init.containerid = (char *)of;
	init.meta = &meta;
	init.fds = fds;
	init.n_fds = 3;
	m.processid = (char *)id;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_INIT;
	m.init = &init;
	exec_client_send(c, &m);
}

void exec_client_write(struct exec_client *c, const char *id, uint32_t fd, const char *text, bool eof)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__FdMessage file = GATEWAY__FD_MESSAGE__INIT;
	file.fd = fd;
	file.data = (ProtobufCBinaryData){strlen(text), (uint8_t *)(gsize)text};
	file.eof = eof;
	m.processid = (char *)id;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_FILE;
	m.file = &file;
	exec_client_send(c, &m);
}

void exec_client_signal(struct exec_client *c, const char *id, const char *name)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__SignalMessage signal = GATEWAY__SIGNAL_MESSAGE__INIT;
	signal.name = (char *)name;
	m.processid = (char *)id;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_SIGNAL;
	m.signal = &signal;
	exec_client_send(c, &m);
}

void exec_client_resize(struct exec_client *c, const char *id, uint32_t rows, uint32_t columns)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__ResizeMessage resize = GATEWAY__RESIZE_MESSAGE__INIT;
	resize.rows = rows;
	resize.cols = columns;
	m.processid = (char *)id;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_RESIZE;
	m.resize = &resize;
	exec_client_send(c, &m);
}

/* ---- messages from it */

static char *file_text(const Gateway__ExecMessage *m)
{
	const Gateway__FdMessage *f = m->file;
	if (f->data.len == 0)
		return g_strdup_printf("%s %u %s", m->processid, f->fd, f->eof ? "eof" : "nothing");
	return g_strdup_printf("%s %u %.*s%s", m->processid, f->fd, (int)f->data.len, (const char *)f->data.data,
			       f->eof ? " eof" : "");
}

static char *exit_text(const Gateway__ExecMessage *m)
{
	const Google__Status *status = m->exit->error;
	GString *text = g_string_new(NULL);
	g_string_append_printf(text, "%s exit %u", m->processid, m->exit->code);
	if (status)
		g_string_append_printf(text, " %s %s", error_code_name((enum error_code)status->code), status->message);
	for (size_t i = 0; status && i < status->n_details; i++)
		g_string_append_printf(text, " %.*s", (int)status->details[i]->value.len,
				       (const char *)status->details[i]->value.data);
	return g_string_free(text, FALSE);
}

char *exec_client_next(struct exec_client *c, GError **error)
{
	Gateway__ExecMessage *m = rpc_call_recv_message(c->call, &gateway__exec_message__descriptor, error);
	char *text = NULL;
	if (!m)
		return NULL;
	if (m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_STARTED)
		text = g_strconcat(m->processid, " started", NULL);
	else if (m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_DONE)
		text = g_strconcat(m->processid, " done", NULL);
	else if (m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_FILE)
		text = file_text(m);
	else if (m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_EXIT)
		text = exit_text(m);
	g_assert_nonnull(text);
	guard_free(m);
	return text;
}

void exec_client_expect(struct exec_client *c, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *got = exec_client_next(c, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(got, ==, text);
}

static void expect_status(GError *error, enum error_code code, const char *text)
{
	if (!text)
		g_assert_no_error(error);
	g_assert_cmpstr(error ? error->message : NULL, ==, text);
	g_assert_cmpint(error ? error_get_code(error) : 0, ==, text ? code : 0);
}

void exec_client_expect_end(struct exec_client *c, enum error_code code, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *got = exec_client_next(c, &error);
	g_assert_cmpstr(got, ==, NULL);
	expect_status(error, code, text);
}

void exec_client_skip_to_end(struct exec_client *c, enum error_code code, const char *text)
{
	g_autoptr(GError) error = NULL;
	for (char *got; (got = exec_client_next(c, &error)) != NULL;)
		g_free(got);
	expect_status(error, code, text);
}

void exec_client_close(struct exec_client *c)
{
	g_clear_pointer(&c->call, rpc_call_unref);
}
