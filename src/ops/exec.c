/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "base/secret.h"
#include "executor/step_log.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "ops/cache_mount.h"
#include "ops/exec_mounts.h"
#include "ops/secret_mount.h"
#include "ops/fingerprint.h"
#include "os/path.h"
#include <arpa/inet.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- keys */

static bool exec_cache_map(void *self, struct work *work, unsigned phase, struct cache_map *ret, GError **error)
{
	const struct op *op = self;
	if (!ops_cache_map_exec(op->v, ret, error))
		return false;
	ret->last = true;
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_beneath(const char *path, const char *directory)
{
	size_t n = strlen(directory);
	return strncmp(path, directory, n) == 0 && path[n] == '/';
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
	g_ptr_array_sort(all, by_text);
	GPtrArray *kept = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < all->len; i++) {
		const char *path = g_ptr_array_index(all, i);
		bool covered = i > 0 && g_str_equal(path, g_ptr_array_index(all, i - 1));
		for (guint k = 0; !covered && k < kept->len; k++)
			covered = is_beneath(path, g_ptr_array_index(kept, k));
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
	g_autoptr(GArray) selectors = exec_selectors(op, input);
	return op_checksum(op, op_ref(result), (const struct contenthash_selector *)(const void *)selectors->data,
			   selectors->len, work, ret, error);
}

/* ---- struct step of the op */

struct plan {
	GPtrArray *env;  /* of owned strings, NULL-terminated */
	GPtrArray *args; /* of borrowed strings, NULL-terminated */
	GArray *hosts;   /* of struct step_host */
	GPtrArray *ips;  /* of owned strings */
	GArray *limits;  /* of struct step_limit */
};

static void plan_init(struct plan *p)
{
	p->env = g_ptr_array_new_with_free_func(secret_free);
	p->args = g_ptr_array_new();
	p->hosts = g_array_new(FALSE, FALSE, sizeof(struct step_host));
	p->ips = g_ptr_array_new_with_free_func(g_free);
	p->limits = g_array_new(FALSE, FALSE, sizeof(struct step_limit));
}

static void plan_done(struct plan *p)
{
	g_ptr_array_set_size(p->env, (int)p->env->len - (p->env->len > 0 && !p->env->pdata[p->env->len - 1]));
	g_ptr_array_unref(p->env);
	g_ptr_array_unref(p->args);
	g_array_unref(p->hosts);
	g_ptr_array_unref(p->ips);
	g_array_unref(p->limits);
}

static void add_proxy(GPtrArray *env, const char *name, const char *value)
{
	if (!value || *value == '\0')
		return;
	g_autofree char *lower = g_ascii_strdown(name, -1);
	g_ptr_array_add(env, g_strconcat(name, "=", value, NULL));
	g_ptr_array_add(env, g_strconcat(lower, "=", value, NULL));
}

static bool has_path(const GPtrArray *env)
{
	for (guint i = 0; i < env->len; i++)
		if (g_str_has_prefix(g_ptr_array_index(env, i), "PATH="))
			return true;
	return false;
}

static bool add_secret_env(GPtrArray *env, const Pb__SecretEnv *s, struct work *work, GError **error)
{
	if (*s->id == '\0')
		return error_set(error, ERROR_INVALID_ARGUMENT, "secret ID missing for \"%s\" environment variable",
				 s->name);
	g_autoptr(GError) why = NULL;
	g_autoptr(GBytes) value = secret_mount_value(s->id, s->optional, work, &why);
	if (why) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	size_t n = 0, n_name = strlen(s->name);
	const void *bytes = value ? g_bytes_get_data(value, &n) : NULL;
	if (n > 0 && memchr(bytes, 0, n))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "secret %s contains a NUL byte and cannot be an environment variable", s->id);
	char *text = g_malloc(n_name + n + 2);
	memcpy(text, s->name, n_name);
	text[n_name] = '=';
	if (n > 0)
		memcpy(text + n_name + 1, bytes, n);
	text[n_name + 1 + n] = '\0';
	g_ptr_array_add(env, text);
	return true;
}

/* Collects the op's variables, proxies, a default PATH and secrets. */
static bool plan_env(struct plan *p, const struct op *op, struct work *work, GError **error)
{
	const Pb__ExecOp *pb = op->v->op->exec;
	const Pb__ProxyEnv *proxy = pb->meta->proxy_env;
	const Pb__Platform *platform = op->v->op->platform;
	for (size_t i = 0; i < pb->meta->n_env; i++)
		g_ptr_array_add(p->env, g_strdup(pb->meta->env[i]));
	if (proxy) {
		add_proxy(p->env, "HTTP_PROXY", proxy->http_proxy);
		add_proxy(p->env, "HTTPS_PROXY", proxy->https_proxy);
		add_proxy(p->env, "FTP_PROXY", proxy->ftp_proxy);
		add_proxy(p->env, "NO_PROXY", proxy->no_proxy);
		add_proxy(p->env, "ALL_PROXY", proxy->all_proxy);
	}
	if (!has_path(p->env) && !(platform && g_str_equal(platform->os, "windows")))
		g_ptr_array_add(p->env, g_strdup(DEFAULT_PATH));
	for (size_t i = 0; i < pb->n_secretenv; i++)
		if (!add_secret_env(p->env, pb->secretenv[i], work, error))
			return false;
	g_ptr_array_add(p->env, NULL);
	return true;
}

static bool plan_hosts(struct plan *p, const Pb__Meta *meta, GError **error)
{
	for (size_t i = 0; i < meta->n_extrahosts; i++) {
		const Pb__HostIP *h = meta->extrahosts[i];
		unsigned char address[sizeof(struct in6_addr)];
		char text[INET6_ADDRSTRLEN];
		int family = strchr(h->ip, ':') ? AF_INET6 : AF_INET;
		if (inet_pton(family, h->ip, address) != 1)
			return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse IP %s", h->ip);
		g_ptr_array_add(p->ips, g_strdup(inet_ntop(family, address, text, sizeof text)));
		struct step_host host = {h->host, g_ptr_array_index(p->ips, p->ips->len - 1)};
		g_array_append_val(p->hosts, host);
	}
	return true;
}

static void plan_rest(struct plan *p, const Pb__Meta *meta)
{
	for (size_t i = 0; i < meta->n_args; i++)
		g_ptr_array_add(p->args, meta->args[i]);
	g_ptr_array_add(p->args, NULL);
	for (size_t i = 0; i < meta->n_ulimit; i++) {
		struct step_limit limit = {meta->ulimit[i]->name, meta->ulimit[i]->soft, meta->ulimit[i]->hard};
		g_array_append_val(p->limits, limit);
	}
}

static bool fill_modes(struct step *step, const Pb__ExecOp *pb, GError **error)
{
	/* Unknown values are refused rather than treated as the default. */
	switch (pb->network) {
	case PB__NET_MODE__UNSET:
		step->network = STEP_NETWORK_DEFAULT;
		break;
	case PB__NET_MODE__HOST:
		step->network = STEP_NETWORK_HOST;
		break;
	case PB__NET_MODE__NONE:
		step->network = STEP_NETWORK_NONE;
		break;
	case _PB__NET_MODE_IS_INT_SIZE:
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "unknown network mode %d", (int)pb->network);
	}
	switch (pb->security) {
	case PB__SECURITY_MODE__SANDBOX:
		step->insecure = false;
		break;
	case PB__SECURITY_MODE__INSECURE:
		step->insecure = true;
		break;
	case _PB__SECURITY_MODE_IS_INT_SIZE:
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid security mode %d", (int)pb->security);
	}
	for (size_t i = 0; i < pb->n_cdidevices; i++) {
		if (!pb->cdidevices[i]->optional)
			return error_set(error, ERROR_PERMISSION_DENIED,
					 "device %s is requested by the build but not allowed",
					 pb->cdidevices[i]->name);
	}
	return true;
}

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

static bool fill_step(struct step *step, struct plan *p, const struct op *op, struct work *work, GError **error)
{
	const Pb__ExecOp *pb = op->v->op->exec;
	const Pb__Meta *meta = pb->meta;
	if (!fill_modes(step, pb, error) || !plan_hosts(p, meta, error) || !plan_env(p, op, work, error))
		return false;
	plan_rest(p, meta);
	step->args = (const char *const *)p->args->pdata;
	step->env = (const char *const *)p->env->pdata;
	step->cwd = meta->cwd;
	step->user = meta->user;
	step->hostname = meta->hostname;
	step->cgroup_parent = meta->cgroupparent;
	step->hosts = (const struct step_host *)(const void *)p->hosts->data;
	step->n_hosts = p->hosts->len;
	step->limits = (const struct step_limit *)(const void *)p->limits->data;
	step->n_limits = p->limits->len;
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

static void prefix_process(const Pb__ExecOp *pb, GError **error)
{
	g_autofree char *args = exec_args_text(pb);
	g_autofree char *quoted = go_quote(args);
	g_prefix_error(error, "process %s did not complete successfully: ", quoted);
}

static void add_details(const struct op *op, int code, GError *error)
{
	g_autofree char *exit_json = g_strdup_printf("{\"Code\":%d}", code);
	error_add_detail(error, "gatewayapi.ExitMessage", exit_json);
	g_autofree char *op_json = llb_op_json(op->v->op);
	if (op_json) {
		g_autofree char *solve = g_strdup_printf("{\"op\":%s}", op_json);
		error_add_detail(error, "errdefs.Solve", solve);
	}
}

static void output_to_log(void *data, int stream, const void *bytes, size_t n)
{
	step_log_write(data, stream, bytes, n);
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
	bool ok = executor_run(op->worker->executor, step, work, &result, &local);
	if (ok && !is_valid_exit(pb->meta, result.code)) {
		if (result.oom_killed)
			error_set(&local, ERROR_RESOURCE_EXHAUSTED, "cannot allocate memory");
		else
			error_set(&local, ERROR_UNKNOWN, "exit code: %d", result.code);
		add_details(op, result.code, local);
		ok = false;
	}
	if (!ok) {
		step_log_flush_tail(&log);
		prefix_process(pb, &local);
		g_propagate_error(error, local);
	}
	step_log_done(&log);
	return ok;
}

static bool exec_run(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		     size_t n_outputs, GError **error)
{
	const struct op *op = self;
	g_autoptr(fingerprint) s = fingerprint_begin(op, inputs, n_inputs, work);
	g_autoptr(exec_mounts) mounts = exec_mounts_new(op, inputs, n_inputs, work, error);
	if (!mounts)
		return false;
	__attribute__((cleanup(plan_done))) struct plan plan;
	struct step step = {0};
	plan_init(&plan);
	if (!fill_step(&step, &plan, op, work, error))
		return false;
	exec_mounts_fill(mounts, &step);
	if (!run_logged(op, &step, work, error))
		return false;
	exec_mounts_close(mounts);
	if (!exec_mounts_commit(mounts, work, ret_outputs, n_outputs, error))
		return false;
	fingerprint_keep(op, s);
	return true;
}

static const struct solver_op_class class = {
	.cache_map = exec_cache_map,
	.content_key = exec_content_key,
	.prepare = op_prepare,
	.exec = exec_run,
	.takes_slot = true,
	.free = op_free,
};

bool op_exec_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	struct op *op = op_new(sizeof *op, w, v);
	op->selectors = exec_selectors;
	*ret = (struct solver_op){&class, op};
	return true;
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
