/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/frontend_run.h"
#include "api/guard.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/thread.h"
#include "builder/build_internal.h"
#include "executor/step_log.h"
#include "frontend/gateway/process.h"
#include "os/file.h"
#include "os/mount.h"
#include <fcntl.h>
#include <sys/stat.h>

#define METADATA_DIR "/run/config/buildkit/metadata"

struct run {
	struct build *build;
	const char *source;
	struct gateway_process process;
	cache_ref *root;          /* owned; mutable */
	int root_fd, metadata_fd; /* owned */
	gateway *gateway;         /* owned */
	rpc_server *server;       /* owned */
	struct llbbridge_host host;
	cancel *cancel; /* owned; ends the step */

	GMutex mu;
	GCond changed;
	rpc_conn *conn; /* owned; NULL until the step has started */
	guint closed_watch;
	bool returned, closed, killed; /* mu */
	bool exited;                   /* mu; the following members are then set */
	bool ok;
	struct step_exit exit;
	GError *error; /* owned */

	progress_sink *sink; /* owned; NULL until the process wrote to stderr; the step's thread */
	struct step_log log;
};

/* ---- notices from other threads */

static void notice(struct run *r, bool *flag)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->mu);
	*flag = true;
	g_cond_broadcast(&r->changed);
}

static void on_return(void *data)
{
	struct run *r = data;
	notice(r, &r->returned);
}

static void on_closed(void *data)
{
	struct run *r = data;
	notice(r, &r->closed);
}

static gateway *find_gateway(void *data, rpc_call *call, GError **error)
{
	return gateway_ref(((struct run *)data)->gateway);
}

/* ---- the step */

static void on_started(void *data, step_process *process, const int *fds)
{
	struct run *r = data;
	rpc_conn *conn = rpc_server_attach(r->server, fds[1], fds[0]);
	g_mutex_lock(&r->mu);
	r->conn = conn;
	g_mutex_unlock(&r->mu);
	if (conn)
		r->closed_watch = cancel_add(rpc_conn_closed(conn), on_closed, r);
	else
		on_closed(r);
}

static void on_output(void *data, int stream, const void *bytes, size_t n)
{
	struct run *r = data;
	if (!r->sink) {
		char id[IDENT_SIZE];
		struct digest digest;
		ident_new(id);
		digest_of_text(id, &digest);
		g_autofree char *name = g_strdup_printf("[frontend] %s", r->source);
		r->sink = solver_job_sink(r->build->job, digest.text, name);
		progress_sink_start(r->sink);
		step_log_init(&r->log, r->sink);
	}
	step_log_write(&r->log, stream, bytes, n);
}

static gpointer step_thread(gpointer data)
{
	struct run *r = data;
	const struct step_mount metadata = {.type = STEP_MOUNT_TREE,
					    .fd = r->metadata_fd,
					    .dest = METADATA_DIR,
					    .readonly = true,
					    .nosuid = true,
					    .nodev = true,
					    .noexec = true};
	const struct step_io io = {
		.streams = {STEP_STREAM_PIPE, STEP_STREAM_PIPE, STEP_STREAM_LOG}, .started = on_started, .data = r};
	const struct step_proxy proxy = {.policy = r->build->proxy};
	const struct step step = {.args = (const char *const *)r->process.args,
				  .env = (const char *const *)r->process.env,
				  .cwd = r->process.cwd,
				  .user = "",
				  .root_fd = r->root_fd,
				  .mounts = &metadata,
				  .n_mounts = 1,
				  .network = r->process.no_network ? STEP_NETWORK_NONE : STEP_NETWORK_DEFAULT,
				  .proxy = r->build->proxy ? &proxy : NULL,
				  .remove_stubs_recursive = true,
				  .io = &io,
				  .output = on_output,
				  .output_data = r};
	struct work work = {.cancel = r->cancel, .sessions = r->build->sessions};
	worker *w = builder_worker(r->build->builder);
	r->ok = executor_run(w->executor, &step, &work, &r->exit, &r->error);
	notice(r, &r->exited);
	return NULL;
}

/*
 * The frontend exits by itself after its result. One that does not, or whose connection has ended before a result, is
 * killed: nothing can come from it any more.
 */
static void wait_for_exit(struct run *r)
{
	gint64 until = 0;
	g_mutex_lock(&r->mu);
	while (!r->exited) {
		if (!until && (r->returned || r->closed))
			until = g_get_monotonic_time() + LIMIT_FRONTEND_EXIT_MS * 1000;
		if (!until || r->killed) {
			g_cond_wait(&r->changed, &r->mu);
		} else if (!g_cond_wait_until(&r->changed, &r->mu, until) && !r->exited) {
			r->killed = true;
			g_mutex_unlock(&r->mu);
			cancel_set(r->cancel, ERROR_CANCELED, NULL);
			g_mutex_lock(&r->mu);
		}
	}
	g_mutex_unlock(&r->mu);
}

static bool run_step(struct run *r, GError **error)
{
	GThread *thread = thread_start("frontend", step_thread, r, error);
	if (!thread)
		return false;
	wait_for_exit(r);
	g_thread_join(thread);
	return true;
}

/* ---- the outcome */

static bool closed_error(struct run *r, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (!r->conn)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "cannot serve stdin and stdout of the frontend");
	cancel_check(rpc_conn_closed(r->conn), &why);
	return error_set(error, ERROR_UNKNOWN, "frontend grpc server closed unexpectedly: %s",
			 why ? why->message : "the connection ended");
}

static bool exit_error(const struct run *r, GError **error)
{
	GError *local = NULL;
	if (r->exit.oom_killed)
		error_set(&local, ERROR_RESOURCE_EXHAUSTED, "cannot allocate memory");
	else
		error_set(&local, ERROR_UNKNOWN, "exit code: %d", r->exit.code);
	g_autofree char *detail = g_strdup_printf("{\"Code\":%d}", r->exit.code);
	error_add_detail(local, "gatewayapi.ExitMessage", detail);
	return error_propagate(error, local);
}

/* An error that the frontend returned comes before one of its process, and that before a result. */
static bool outcome(struct run *r, build_result **ret, GError **error)
{
	g_autoptr(build_result) result = NULL;
	GError *returned = NULL;
	bool has_result = gateway_get_result(r->gateway, &result, &returned);
	if (returned)
		return error_propagate(error, returned);
	if (!r->killed && !r->ok)
		return error_propagate(error, g_steal_pointer(&r->error));
	if (!r->killed && r->exit.code != 0)
		return exit_error(r, error);
	if (!has_result && r->killed)
		return closed_error(r, error);
	if (!has_result)
		return error_set(error, ERROR_UNKNOWN, "no result for incomplete build");
	*ret = g_steal_pointer(&result);
	return true;
}

static void log_end(struct run *r, const GError *failure)
{
	if (!r->sink)
		return;
	if (failure)
		step_log_flush_tail(&r->log);
	step_log_done(&r->log);
	progress_sink_complete(r->sink, failure ? failure->message : NULL, false);
	progress_sink_unref(r->sink);
}

/* ---- preparation */

static int metadata_open(const Pb__Definition *definition, GError **error)
{
	g_autoptr(GBytes) bytes = message_pack(definition);
	gsize n;
	const void *start = g_bytes_get_data(bytes, &n);
	scoped_fd dir = mount_tmpfs(((int64_t)n + 4095) / 4096 * 4096 + 4096, 0700, error);
	if (dir < 0) {
		g_prefix_error(error, "unable to setup frontend metadata: ");
		return -1;
	}
	scoped_fd fd = openat(dir, "frontend.bin", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0 || !file_write_all(fd, start, n)) {
		error_set_errno(error, errno, "write frontend metadata");
		return -1;
	}
	return fd_steal(&dir);
}

/* The frontend may write to its root; what it writes is dropped. */
static bool open_root(struct run *r, bridge *b, const Pb__Definition *definition, struct work *work, GError **error)
{
	struct bridge_solve_request request = {.definition = definition};
	g_autoptr(build_result) solved = NULL;
	cache_ref *image = NULL;
	cache *c = builder_worker(r->build->builder)->cache;
	if (!b->class->solve(b, &request, work, &solved, error))
		return false;
	if (!solved->ref)
		return error_set(error, ERROR_UNKNOWN, "gateway source didn't return default result");
	if (!build_ref_result(b, solved->ref, work, &image, error))
		return false;
	g_autofree char *description = g_strdup_printf("frontend %s", r->source);
	const struct cache_record_options options = {.description = description};
	r->root = cache_new_mutable(c, image, &options, work, error);
	if (!r->root)
		return false;
	r->root_fd = cache_ref_open_tree(c, r->root, CACHE_TREE_WRITE | CACHE_TREE_MOUNT, work, error);
	r->metadata_fd = r->root_fd < 0 ? -1 : metadata_open(build_ref_wire(solved->ref), error);
	return r->metadata_fd >= 0;
}

static bool prepare(struct run *r, bridge *b, const struct bridge_solve_request *request, struct work *work,
		    GError **error)
{
	struct frontend_image image;
	if (!frontend_image_find(b, request->options, request->inputs, r->source, work, &image, error))
		return false;
	size_t n_workers;
	worker *const *workers = builder_workers(r->build->builder, &n_workers);
	const struct gateway_process_request process = {
		.image = &image,
		.options = request->options,
		.n_inputs = request->inputs ? g_hash_table_size(request->inputs) : 0,
		.session = r->build->request->session,
		.workers = workers,
		.n_workers = n_workers,
	};
	bool ok = open_root(r, b, image.definition, work, error) && gateway_process_init(&r->process, &process, error);
	frontend_image_clear(&image);
	return ok;
}

static void serve(struct run *r, bridge *b, const struct bridge_solve_request *request, struct work *work)
{
	size_t n_workers;
	worker *const *workers = builder_workers(r->build->builder, &n_workers);
	struct work calls = {.cancel = work->cancel, .sessions = r->build->sessions};
	r->gateway = gateway_new(b, request->inputs, workers, n_workers, &calls);
	gateway_on_return(r->gateway, on_return, r);
	r->host = (struct llbbridge_host){.find = find_gateway, .data = r};
	r->server = rpc_server_new(builder_get_options(r->build->builder)->loop);
	rpc_server_set_span(r->server, trace_current());
	llbbridge_register(r->server, &r->host);
	rpc_server_add_health(r->server);
	r->cancel = cancel_new(work->cancel);
}

/* Ends running calls of the frontend, which use the bridge. */
static void stop_serving(struct run *r)
{
	if (!r->server)
		return;
	rpc_server_stop(r->server, 0);
	if (r->closed_watch)
		cancel_remove(rpc_conn_closed(r->conn), r->closed_watch);
	g_clear_pointer(&r->conn, rpc_conn_unref);
	gateway_close(r->gateway);
	gateway_unref(r->gateway);
	rpc_server_free(r->server);
	cancel_unref(r->cancel);
}

static void run_clear(struct run *r)
{
	stop_serving(r);
	fd_close(&r->root_fd);
	fd_close(&r->metadata_fd);
	cache_ref_unref(r->root);
	gateway_process_clear(&r->process);
	g_clear_error(&r->error);
	g_mutex_clear(&r->mu);
	g_cond_clear(&r->changed);
}

static bool run_image(bridge *b, const struct bridge_solve_request *request, struct work *work, build_result **ret,
		      GError **error)
{
	struct run r = {.build = build_of_bridge(b),
			.source = g_hash_table_lookup(request->options, "source"),
			.root_fd = -1,
			.metadata_fd = -1};
	GError *failure = NULL;
	g_mutex_init(&r.mu);
	g_cond_init(&r.changed);
	bool ok = prepare(&r, b, request, work, &failure);
	if (ok) {
		serve(&r, b, request, work);
		ok = run_step(&r, &failure) && outcome(&r, ret, &failure);
		log_end(&r, failure);
	}
	run_clear(&r);
	if (failure)
		g_propagate_error(error, failure);
	return ok;
}

bool build_run_frontend(bridge *b, const struct bridge_solve_request *request, struct work *work, build_result **ret,
			GError **error)
{
	struct build *build = build_of_bridge(b);
	if (build_bridge_depth(b) > LIMIT_FRONTEND_DEPTH)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %lld frontends request each other",
				 LIMIT_FRONTEND_DEPTH);
	bool ok = g_atomic_int_add(&build->n_frontends, 1) < LIMIT_FRONTENDS
			  ? run_image(b, request, work, ret, error)
			  : error_set(error, ERROR_RESOURCE_EXHAUSTED, "build runs more than %lld frontend images",
				      LIMIT_FRONTENDS);
	g_atomic_int_add(&build->n_frontends, -1);
	return ok;
}
