/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "base/text.h"
#include "executor/step_log.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "ops/cache_mount.h"
#include "ops/emulator.h"
#include "ops/exec_mounts.h"
#include "ops/failure.h"
#include "ops/fingerprint.h"
#include "ops/step_devices.h"
#include "os/path.h"
#include "trace/trace.h"

struct exec {
	struct op op;
	GMutex mu;
	/* Of the last run; NULL: it did not run. */
	step_usage *usage;          /* mu; counted */
	netproxy_capture *requests; /* mu; counted; NULL: no proxy */
};

/* ---- keys */

static bool exec_cache_map(void *self, struct work *work, unsigned phase, struct cache_map *ret, GError **error)
{
	const struct op *op = self;
	if (!ops_cache_map_exec(op->v, ret, error))
		return false;
	ret->last = true;
	return true;
}

/*
 * Lists the paths of one input that mounts show, sorted, without those beneath another; empty if the whole tree is
 * relevant.
 */
static GPtrArray *selected_paths(const Pb__ExecOp *pb, unsigned input)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < pb->n_mounts; i++) {
		const Pb__Mount *m = pb->mounts[i];
		if (m->input != (int64_t)input ||
		    (m->mounttype != PB__MOUNT_TYPE__BIND && m->mounttype != PB__MOUNT_TYPE__CACHE))
			continue;
		g_autofree char *rooted = g_strconcat("/", m->selector, NULL);
		g_ptr_array_add(all, path_clean(rooted));
	}
	g_ptr_array_sort(all, text_order);
	GPtrArray *kept = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < all->len; i++) {
		const char *path = g_ptr_array_index(all, i);
		bool covered = i > 0 && g_str_equal(path, g_ptr_array_index(all, i - 1));
		for (guint k = 0; !covered && k < kept->len; k++)
			covered = path_is_below(path, g_ptr_array_index(kept, k));
		if (g_str_equal(path, "/")) {
			g_ptr_array_set_size(kept, 0);
			break;
		}
		if (!covered)
			g_ptr_array_add(kept, g_strdup(path));
	}
	g_ptr_array_unref(all);
	return kept;
}

static void selector_clear(void *data)
{
	g_free((char *)((struct contenthash_selector *)data)->path);
}

static GArray *exec_selectors(const struct op *op, unsigned input)
{
	GArray *selectors = g_array_new(FALSE, FALSE, sizeof(struct contenthash_selector));
	g_autoptr(GPtrArray) paths = selected_paths(op->v->op->exec, input);
	g_array_set_clear_func(selectors, selector_clear);
	struct contenthash_selector whole = {.path = paths->len == 0 ? g_strdup("/") : NULL};
	if (whole.path)
		g_array_append_val(selectors, whole);
	for (guint i = 0; i < paths->len; i++) {
		struct contenthash_selector one = {.path = g_strdup(g_ptr_array_index(paths, i)), .follow_links = true};
		g_array_append_val(selectors, one);
	}
	return selectors;
}

static bool exec_content_key(void *self, struct work *work, unsigned input, void *result, struct digest *ret,
			     GError **error)
{
	const struct op *op = self;
	GError *failure = NULL;
	g_autoptr(GArray) selectors = exec_selectors(op, input);
	if (op_checksum(op, op_ref(result), (const struct contenthash_selector *)(const void *)selectors->data,
			selectors->len, work, ret, &failure))
		return true;
	op_failure *f = op_failure_new(1, 0);
	f->inputs[0] = result ? cache_ref_ref(op_ref(result)) : NULL;
	g_autofree char *subject = g_strdup_printf("\"cache\":{\"index\":\"%u\"}", input);
	op_failure_attach(f, op, subject, failure);
	g_propagate_error(error, failure);
	return false;
}

/* ---- struct step of the op */

static void fill_resources(struct step *step, const Pb__LinuxResources *r)
{
	if (!r)
		return;
	step->resources = (struct step_resources){
		.memory = r->memory,
		.memory_swap = r->memoryswap,
		.cpu_quota = r->cpuquota,
		.cpu_shares = r->cpushares,
		.cpu_period = r->cpuperiod,
		.cpuset_cpus = r->cpusetcpus,
		.cpuset_mems = r->cpusetmems,
	};
}

static bool fill_step(struct step *step, struct step_fields *f, struct step_devices *devices, const struct op *op,
		      struct work *work, GError **error)
{
	const Pb__ExecOp *pb = op->v->op->exec;
	const Pb__Meta *meta = pb->meta;
	const Pb__Platform *platform = op->v->op->platform;
	if (!step_fields_modes(step, pb->network, pb->security, error) ||
	    !step_fields_add_hosts(f, meta->extrahosts, meta->n_extrahosts, error))
		return false;
	step_fields_add_env(f, meta->env, meta->n_env);
	step_fields_add_proxy(f, meta->proxy_env);
	if (!(platform && g_str_equal(platform->os, "windows")))
		step_fields_default_env(f, "PATH", OCI_DEFAULT_PATH);
	if (!step_fields_add_secrets(f, pb->secretenv, pb->n_secretenv, work, error) ||
	    !step_devices_open(devices, op->worker->cdi, pb->cdidevices, pb->n_cdidevices, f, error))
		return false;
	step_fields_add_args(f, meta->args, meta->n_args);
	step_fields_add_limits(f, meta->ulimit, meta->n_ulimit);
	step_fields_fill(f, step);
	step->cwd = meta->cwd;
	step->user = meta->user;
	step->hostname = meta->hostname;
	step->cgroup_parent = meta->cgroupparent;
	step->remove_stubs_recursive = meta->removemountstubsrecursive;
	fill_resources(step, op->v->resources);
	return true;
}

/* ---- running the step */

/* A list of valid exit codes replaces the check for 0: if 0 is not in it, 0 is a failure. */
static bool is_valid_exit(const Pb__Meta *meta, int code)
{
	if (meta->n_validexitcodes == 0)
		return code == 0;
	for (size_t i = 0; i < meta->n_validexitcodes; i++)
		if (meta->validexitcodes[i] == code)
			return true;
	return false;
}

static void output_to_log(void *data, int stream, const void *bytes, size_t n)
{
	step_log_write(data, stream, bytes, n);
}

static void log_requests(struct step_log *log, netproxy_capture *requests)
{
	g_autofree char *text = requests ? netproxy_capture_log(requests) : NULL;
	if (text)
		step_log_write(log, 2, text, strlen(text));
}

static bool run_logged(const struct op *op, struct step *step, struct work *work, GError **error)
{
	const Pb__ExecOp *pb = op->v->op->exec;
	struct step_log log;
	struct step_exit result = {0};
	GError *local = NULL;
	step_log_init(&log, work->progress);
	step->output = output_to_log;
	step->output_data = &log;
	trace_event(trace_current(), "ExecOp started");
	bool ok = executor_run(op->worker->executor, step, work, &result, &local);
	log_requests(&log, step->proxy ? step->proxy->capture : NULL);
	if (ok && !is_valid_exit(pb->meta, result.code)) {
		if (result.oom_killed)
			error_set(&local, ERROR_RESOURCE_EXHAUSTED, "cannot allocate memory");
		else
			error_set(&local, ERROR_UNKNOWN, "exit code: %d", result.code);
		g_autofree char *exit_json = g_strdup_printf("{\"Code\":%d}", result.code);
		error_add_detail(local, "gatewayapi.ExitMessage", exit_json);
		ok = false;
	}
	if (!ok) {
		step_log_flush_tail(&log);
		g_autofree char *args = exec_args_text(pb);
		g_autofree char *quoted = go_quote(args);
		g_prefix_error(&local, "process %s did not complete successfully: ", quoted);
		g_propagate_error(error, local);
	}
	step_log_done(&log);
	return ok;
}

static exec_mounts *open_mounts(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work,
				GError **error)
{
	const Pb__ExecOp *pb = op->v->op->exec;
	g_autofree char *args = exec_args_text(pb);
	g_autofree char *owner = g_strconcat("exec ", args, NULL);
	const struct exec_mounts_input in = {
		.worker = op->worker,
		.owner = owner,
		.mounts = pb->mounts,
		.n_mounts = pb->n_mounts,
		.cwd = pb->meta->cwd,
		.inputs = (cache_ref *const *)inputs,
		.n_inputs = n_inputs,
	};
	return exec_mounts_new(&in, work, error);
}

/* Keeps the inputs, and what the step has written, by mount. */
static void keep_failure(const struct op *op, exec_mounts *mounts, cache_ref *const *inputs, size_t n_inputs,
			 struct work *work, GError *error)
{
	const Pb__ExecOp *pb = op->v->op->exec;
	op_failure *f = op_failure_new(pb->n_mounts, pb->n_mounts);
	exec_mounts_close(mounts);
	exec_mounts_commit_failed(mounts, work, f->mounts);
	for (size_t i = 0; i < pb->n_mounts; i++) {
		int64_t input = pb->mounts[i]->input;
		if (input < 0 || (uint64_t)input >= n_inputs || !inputs[input])
			continue;
		f->inputs[i] = cache_ref_ref(inputs[input]);
		if (!f->mounts[i])
			f->mounts[i] = cache_ref_ref(inputs[input]);
	}
	op_failure_attach(f, op, NULL, error);
}

/* Returns the record of a new run, counted; NULL: the step has no proxy. */
static netproxy_capture *begin_requests(struct exec *e)
{
	netproxy_capture *requests = e->op.v->proxy ? netproxy_capture_new() : NULL;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&e->mu);
	netproxy_capture_unref(e->requests);
	e->requests = requests ? netproxy_capture_ref(requests) : NULL;
	return requests;
}

/* Returns the record of a new run, counted. */
static step_usage *begin_usage(struct exec *e)
{
	step_usage *usage = step_usage_new();
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&e->mu);
	step_usage_unref(e->usage);
	e->usage = step_usage_ref(usage);
	return usage;
}

static bool exec_run(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		     size_t n_outputs, GError **error)
{
	const struct op *op = self;
	g_autoptr(fingerprint) s = fingerprint_begin(op, inputs, n_inputs, work);
	g_autoptr(exec_mounts) mounts = open_mounts(op, inputs, n_inputs, work, error);
	if (!mounts)
		return false;
	__attribute__((cleanup(step_fields_clear))) struct step_fields fields;
	__attribute__((cleanup(step_devices_clear))) struct step_devices devices = {0};
	__attribute__((cleanup(emulator_clear))) struct emulator emulator = {.fd = -1};
	struct step step = {0};
	step_fields_init(&fields);
	if (!fill_step(&step, &fields, &devices, op, work, error) ||
	    !emulator_find(&emulator, op->v->op->platform, error))
		return false;
	exec_mounts_fill(mounts, &step);
	emulator_fill(&emulator, &step);
	step_devices_fill(&devices, &step);
	g_autoptr(netproxy_capture) requests = begin_requests(self);
	const struct step_proxy proxy = {.policy = op->v->proxy, .capture = requests};
	step.proxy = op->v->proxy ? &proxy : NULL;
	g_autoptr(step_usage) usage = begin_usage(self);
	step.usage = usage;
	GError *failure = NULL;
	if (!run_logged(op, &step, work, &failure)) {
		if (!cancel_is_set(work->cancel))
			keep_failure(op, mounts, (cache_ref *const *)inputs, n_inputs, work, failure);
		g_propagate_error(error, failure);
		return false;
	}
	exec_mounts_close(mounts);
	if (!exec_mounts_commit(mounts, work, ret_outputs, n_outputs, error))
		return false;
	fingerprint_keep(op, s);
	return true;
}

static void exec_free(void *self)
{
	struct exec *e = self;
	netproxy_capture_unref(e->requests);
	step_usage_unref(e->usage);
	g_mutex_clear(&e->mu);
	op_free(e);
}

static const struct solver_op_class class = {
	.cache_map = exec_cache_map,
	.content_key = exec_content_key,
	.prepare = op_prepare,
	.exec = exec_run,
	.takes_slot = true,
	.free = exec_free,
};

bool op_exec_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	struct exec *e = op_new(sizeof *e, w, v);
	e->op.selectors = exec_selectors;
	g_mutex_init(&e->mu);
	*ret = (struct solver_op){&class, e};
	return true;
}

netproxy_capture *ops_exec_requests(const struct solver_op *op)
{
	if (!op || op->class != &class)
		return NULL;
	struct exec *e = op->self;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&e->mu);
	return e->requests ? netproxy_capture_ref(e->requests) : NULL;
}

step_usage *ops_exec_usage(const struct solver_op *op)
{
	if (!op || op->class != &class)
		return NULL;
	struct exec *e = op->self;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&e->mu);
	return e->usage ? step_usage_ref(e->usage) : NULL;
}

void ops_drop_cache_mounts(worker *w, const llb_definition *d)
{
	size_t n;
	const struct llb_vertex *const *vertices = llb_definition_vertices(d, &n);
	g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < n; i++) {
		if (vertices[i]->type != LLB_EXEC || !vertices[i]->ignore_cache)
			continue;
		const Pb__ExecOp *pb = vertices[i]->op->exec;
		for (size_t k = 0; k < pb->n_mounts; k++) {
			const Pb__Mount *m = pb->mounts[k];
			if (m->mounttype == PB__MOUNT_TYPE__CACHE && m->cacheopt &&
			    g_hash_table_add(done, m->cacheopt->id))
				cache_mounts_drop(w, m->cacheopt->id);
		}
	}
}
