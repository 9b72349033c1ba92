/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"
#include "base/log.h"
#include "base/scope.h"
#include "provenance/env.h"
#include "collector.h"
#include "control/control.h"
#include "debug_http.h"
#include "drain.h"
#include "format/reference.h"
#include "frontend/dockerfile/dockerfile.h"
#include "listeners.h"
#include "ops/ops.h"
#include "os/mount.h"
#include "os/service.h"
#include "reserve.h"
#include "state_dir.h"
#include "tracing.h"
#include "user_paths.h"
#include "watchdog.h"
#include "workers.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define GRACE_MS 5000

struct forgetting { /* on removal of records of this worker */
	instance *instance;
	const char *worker_id;
};

/* Refused connections are logged at most REFUSALS_LOGGED times in REFUSALS_US. */
#define REFUSALS_LOGGED 20
#define REFUSALS_US (10 * G_USEC_PER_SEC)
struct refusals {
	gint64 since_us;
	unsigned n;
};

struct instance {
	int root_fd, lock_fd;
	session_registry *sessions;
	cdi *cdi; /* NULL: disabled */
	struct workers workers;
	struct forgetting forgetting[WORKERS_MAX];
	solver *solver;
	history *history;
	json_t *provenance_env;                           /* owned */
	char **allowed_repositories, **dockerfile_images; /* owned */
	builder *builder;
	collector *collectors[WORKERS_MAX]; /* NULL: garbage collection is disabled */
	rpc_loop *loop;
	rpc_server *server;
	struct tracing tracing;
	struct refusals refusals; /* used on the loop's thread only */
	struct control control;
	debug_http *debug;
	watchdog *watchdog; /* NULL: not configured */
	int64_t drain_timeout_ns;
};

static void forget_result(void *data, const char *id)
{
	const struct forgetting *f = data;
	g_autofree char *result = g_strdup_printf("%s::%s", f->worker_id, id);
	solver_forget_result(f->instance->solver, result);
}

static bool open_solver(instance *d, GError **error)
{
	struct solver_options options = {
		.resolve = ops_resolve,
		.results = &ops_results,
		.data = d->workers.list[0],
		.root_fd = d->root_fd,
		.max_parallelism = d->workers.list[0]->max_parallelism,
	};
	d->solver = solver_new(&options, error);
	if (!d->solver)
		return false;
	for (size_t i = 0; i < d->workers.n; i++) {
		d->forgetting[i] = (struct forgetting){d, d->workers.list[i]->id};
		cache_set_removed_hook(d->workers.list[i]->cache, forget_result, &d->forgetting[i]);
	}
	return true;
}

static void poke_collector(void *data)
{
	instance *d = data;
	for (size_t i = 0; i < d->workers.n; i++)
		if (d->collectors[i])
			collector_poke(d->collectors[i]);
}

/* Replaces the names of repositories by their normalised form, without tags. */
static bool repositories_normalize(char **names, GError **error)
{
	for (char **name = names; name && *name; name++) {
		g_autoptr(reference) ref = reference_parse_normalized(*name, error);
		if (!ref)
			return error_prefix(error, "repository %s: ", *name);
		g_free(*name);
		*name = reference_name(ref);
	}
	return true;
}

static bool open_builder(instance *d, const struct config *config, GError **error)
{
	struct history_limits limits = {config->history_max_age_ns, config->history_max_entries};
	d->history = history_open(d->root_fd, config->root, &limits, error);
	if (!d->history)
		return false;
	d->allowed_repositories = g_strdupv(config->allowed_repositories);
	d->dockerfile_images =
		g_strdupv(config->dockerfile_images ? config->dockerfile_images : (char **)dockerfile_repositories);
	if (!repositories_normalize(d->allowed_repositories, error) ||
	    !repositories_normalize(d->dockerfile_images, error))
		return false;
	d->provenance_env = provenance_env_load(config->provenance_env_dir, error);
	if (!d->provenance_env)
		return error_prefix(error, "provenanceEnvDir: ");
	struct builder_options options = {
		.workers = d->workers.list,
		.n_workers = d->workers.n,
		.solver = d->solver,
		.history = d->history,
		.allow_network_host = config_allows(config, "network.host"),
		.proxy_network = config->proxy_network,
		.allow_security_insecure = config_allows(config, "security.insecure"),
		.allow_devices = d->cdi || config_allows(config, "device"),
		.dockerfile_enabled = config->dockerfile_enabled,
		.gateway_enabled = config->gateway_enabled,
		.allowed_repositories = (const char *const *)d->allowed_repositories,
		.dockerfile_repositories = (const char *const *)d->dockerfile_images,
		.loop = d->loop,
		.provenance_env = d->provenance_env,
		.on_idle = poke_collector,
		.on_idle_data = d,
	};
	d->builder = builder_new(&options);
	return true;
}

static void log_call_error(const char *path, const GError *error, void *data)
{
	log_error("%s returned error: %s", path, error->message);
}

/* Limits log lines about refused connections, so that a client that keeps retrying cannot fill the log. */
static void log_refused(const char *peer, const char *reason, void *data)
{
	struct refusals *r = data;
	gint64 now = g_get_monotonic_time();
	if (now - r->since_us >= REFUSALS_US) {
		if (r->n > REFUSALS_LOGGED)
			log_warn("%u more connections were refused", r->n - REFUSALS_LOGGED);
		*r = (struct refusals){.since_us = now};
	}
	if (r->n++ < REFUSALS_LOGGED)
		log_warn("connection of %s refused: %s", peer, reason);
}

static bool open_server(instance *d, const struct config *config, GError **error)
{
	d->server = rpc_server_new(d->loop);
	d->control = (struct control){.builder = d->builder, .sessions = d->sessions, .tracer = d->tracing.tracer};
	control_register(d->server, &d->control);
	rpc_server_set_error_hook(d->server, log_call_error, NULL);
	rpc_server_set_refused_hook(d->server, log_refused, &d->refusals);
	if (config->user_paths && !user_paths_make_runtime_dir(error))
		return false;
	return listeners_open(d->server, config, error);
}

static struct instance_counters instance_get_counters(instance *d)
{
	struct solver_stats stats = solver_get_stats(d->solver);
	size_t namespaces = 0;
	for (size_t i = 0; i < d->workers.n; i++)
		namespaces += network_get_stats(d->workers.list[i]->network).existing;
	return (struct instance_counters){
		.builds = builder_running(d->builder),
		.calls = rpc_server_open_calls(d->server),
		.sessions = session_registry_count(d->sessions),
		.vertices = stats.vertices,
		.running_ops = stats.running,
		.network_namespaces = namespaces,
	};
}

static void debug_counters(void *data, void (*add)(void *to, const char *name, int64_t value), void *to)
{
	struct instance_counters c = instance_get_counters(data);
	add(to, "builds", (int64_t)c.builds);
	add(to, "calls", (int64_t)c.calls);
	add(to, "sessions", (int64_t)c.sessions);
	add(to, "vertices", (int64_t)c.vertices);
	add(to, "running_ops", (int64_t)c.running_ops);
	add(to, "network_namespaces", (int64_t)c.network_namespaces);
}

static void debug_metrics(void *data, GString *out)
{
	const instance *d = data;
	build_metrics_write(builder_metrics(d->builder), out);
	tracing_write_metrics(&d->tracing, out);
}

static bool is_ready(void *data)
{
	const instance *d = data;
	return rpc_server_is_serving(d->server);
}

static bool open_debug(instance *d, const struct config *config, GError **error)
{
	if (!*config->debug_address)
		return true;
	const struct debug_source pages = {
		.counters = debug_counters,
		.metrics = debug_metrics,
		.ready = is_ready,
		.data = d,
		.builder = d->builder,
		.root_fd = d->root_fd,
	};
	d->debug = debug_http_start(config->debug_address, &pages, error);
	if (d->debug && !g_str_has_prefix(config->debug_address, "unix://"))
		log_info("builds are shown at http://%s, with the token in %s/debug-token",
			 strstr(config->debug_address, "://") ? strstr(config->debug_address, "://") + strlen("://")
							      : config->debug_address,
			 config->root);
	return d->debug != NULL;
}

/* Blocks the signals that instance_wait handles; threads that start later inherit the mask. */
static void block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

/* On old kernels, mounts that are not at their place yet are below a directory that no other program removes. */
static bool use_detached(int root_fd, GError **error)
{
	if (mkdirat(root_fd, "detached", 0700) < 0 && errno != EEXIST)
		return error_set_errno(error, errno, "mkdir detached");
	scoped_fd fd = openat(root_fd, "detached", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open detached");
	return mount_use_directory(fd, error);
}

/* Mounts the state directory nodev in the daemon's mount namespace, because it holds files that steps wrote. */
static bool open_state(instance *d, const struct config *config, GError **error)
{
	bool private_mounts = workers_want_private_mounts(config);
	g_autoptr(GError) no_proc = NULL;
	if (private_mounts && !mount_make_private_namespace(error))
		return false;
	if (!private_mounts && mount_is_old())
		return error_set(error, ERROR_UNIMPLEMENTED, "the containerd worker needs Linux 5.12 or later");
	if (private_mounts && !mount_own_proc(&no_proc))
		log_warn("/proc shows another pid namespace: %s", no_proc->message);
	d->root_fd = state_dir_open(config->root, &d->lock_fd, error);
	if (d->root_fd < 0 || !private_mounts)
		return d->root_fd >= 0;
	scoped_fd plain = fd_steal(&d->root_fd);
	d->root_fd = mount_over_without_devices(plain, error);
	return d->root_fd >= 0 && (!mount_is_old() || use_detached(d->root_fd, error));
}

static cdi *open_cdi(const struct config *config)
{
	static const char *const usual[] = {"/etc/cdi", "/var/run/cdi", "/etc/buildkit/cdi", NULL};
	return config->cdi_disabled ? NULL
				    : cdi_new(config->cdi_dirs ? (const char *const *)config->cdi_dirs : usual,
					      (const char *const *)config->cdi_auto_allowed);
}

/* Before the server: a build that ends wakes them. */
static bool start_collectors(instance *d, GError **error)
{
	for (size_t i = 0; i < d->workers.n; i++)
		if (d->workers.list[i]->n_gc > 0 && !(d->collectors[i] = collector_start(d->workers.list[i], error)))
			return false;
	return true;
}

static bool start(instance *d, const struct config *config, GError **error)
{
	umask(0);
	if (!open_state(d, config, error))
		return false;
	reserve_release_when_full(d->root_fd);
	d->sessions = session_registry_new();
	d->loop = rpc_loop_new(error);
	if (!d->loop)
		return false;
	d->cdi = open_cdi(config);
	if (!tracing_open(&d->tracing, config, d->loop, d->root_fd, error))
		return false;
	const struct workers_input input = {config, d->root_fd, d->sessions, d->loop, d->cdi, d->tracing.socket_fd};
	if (!workers_open(&d->workers, &input, error) || !open_solver(d, error) || !open_builder(d, config, error) ||
	    !start_collectors(d, error) || !open_server(d, config, error) || !open_debug(d, config, error))
		return false;
	d->watchdog = watchdog_start(d->loop);
	service_notify("READY=1");
	reserve_make(d->root_fd);
	return true;
}

instance *instance_start(const struct config *config, GError **error)
{
	g_autoptr(instance) d = g_new0(instance, 1);
	d->root_fd = d->lock_fd = -1;
	d->drain_timeout_ns = config->drain_timeout_ns;
	block_signals();
	return start(d, config, error) ? g_steal_pointer(&d) : NULL;
}

void instance_wait(instance *d)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	int signal_number = 0;
	while (sigwait(&set, &signal_number) != 0)
		;
	log_info("stopping server");
	service_notify("STOPPING=1");
	if (signal_number == SIGTERM && d->drain_timeout_ns > 0)
		drain_builds(d->builder, d->server, d->drain_timeout_ns);
	/* A second signal kills the process. */
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void instance_free(instance *d)
{
	if (!d)
		return;
	debug_http_stop(d->debug);
	if (d->history)
		history_stop(d->history);
	if (d->builder)
		builder_cancel_all(d->builder);
	if (d->server) {
		rpc_server_stop(d->server, GRACE_MS);
		rpc_server_free(d->server);
	}
	tracing_stop_server(&d->tracing);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		collector_stop(d->collectors[i]);
	g_clear_pointer(&d->builder, builder_free);
	g_clear_pointer(&d->history, history_close);
	tracing_close(&d->tracing);
	g_clear_pointer(&d->provenance_env, json_decref);
	g_strfreev(d->allowed_repositories);
	g_strfreev(d->dockerfile_images);
	for (size_t i = 0; i < d->workers.n; i++)
		cache_set_removed_hook(d->workers.list[i]->cache, NULL, NULL);
	g_clear_pointer(&d->solver, solver_free);
	workers_close(&d->workers);
	g_clear_pointer(&d->cdi, cdi_free);
	g_clear_pointer(&d->sessions, session_registry_free);
	g_clear_pointer(&d->loop, rpc_loop_free);
	watchdog_free(d->watchdog);
	fd_close(&d->lock_fd);
	fd_close(&d->root_fd);
	g_free(d);
}
