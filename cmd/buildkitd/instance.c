/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"
#include "base/log.h"
#include "base/scope.h"
#include "collector.h"
#include "control/control.h"
#include "debug_http.h"
#include "listeners.h"
#include "ops/ops.h"
#include "os/mount.h"
#include "os/service.h"
#include "reserve.h"
#include "state_dir.h"
#include "watchdog.h"
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define GRACE_MS 5000

struct instance {
	int root_fd, lock_fd;
	session_registry *sessions;
	worker *worker;
	solver *solver;
	history *history;
	builder *builder;
	collector *collector;
	rpc_loop *loop;
	rpc_server *server;
	struct control control;
	debug_http *debug;
	watchdog *watchdog; /* NULL: not asked for */
};

static bool allowed(const struct config *config, const char *entitlement)
{
	return config->entitlements && g_strv_contains((const char *const *)config->entitlements, entitlement);
}

static worker *open_worker(instance *d, const struct config *config, GError **error)
{
	const struct worker_config *w = &config->oci;
	if (config->containerd.enabled == TRISTATE_TRUE) {
		error_set(error, ERROR_UNIMPLEMENTED, "the containerd worker is not supported yet, use the OCI worker");
		return NULL;
	}
	if (w->enabled == TRISTATE_FALSE) {
		error_set(error, ERROR_FAILED_PRECONDITION, "no worker found, rebuild the buildkit daemon?");
		return NULL;
	}
	struct registry_config registry_config = {
		.hosts = config->hosts,
		.n_hosts = config->n_hosts,
		.max_concurrency = (int)config->registry_concurrency,
		.user_agent = "buildkit/v0.1",
	};
	struct worker_options options = {
		.root_fd = d->root_fd,
		.root_path = config->root,
		.sessions = d->sessions,
		.snapshotter = w->snapshotter,
		.binary = w->binary,
		.cgroup_parent = w->cgroup_parent,
		.apparmor_profile = w->apparmor_profile,
		.network_mode = w->network_mode,
		.dns_nameservers = (const char *const *)config->dns_nameservers,
		.dns_options = (const char *const *)config->dns_options,
		.dns_search = (const char *const *)config->dns_search,
		.platforms = (const char *const *)w->platforms,
		.labels = w->labels,
		.registry = &registry_config,
		.gc = w->gc_rules,
		.n_gc = w->n_gc_rules,
		.gc_enabled = w->gc,
		.reserved_bytes = w->reserved_space,
		.max_used_bytes = w->max_used_space,
		.min_free_bytes = w->min_free_space,
		.max_parallelism = (int)w->max_parallelism,
		.explain_misses = config->explain_misses,
		.allow_network_host = allowed(config, "network.host"),
		.allow_security_insecure = allowed(config, "security.insecure"),
	};
	return worker_open(&options, error);
}

static void forget_result(void *data, const char *id)
{
	instance *d = data;
	g_autofree char *result = g_strdup_printf("%s::%s", d->worker->id, id);
	solver_forget_result(d->solver, result);
}

static void log_worker(const worker *w)
{
	g_autoptr(GString) platforms = g_string_new(NULL);
	for (size_t i = 0; i < w->n_platforms; i++) {
		g_autofree char *text = platform_format(&w->platforms[i]);
		g_string_append_printf(platforms, "%s%s", i ? " " : "", text);
	}
	log_info("found worker \"%s\", snapshotter=%s, runtime=%s, platforms=[%s]", w->id, cache_snapshotter_name(w->cache),
		 executor_binary(w->executor), platforms->str);
	log_info("found 1 workers, default=\"%s\"", w->id);
}

static bool open_solver(instance *d, GError **error)
{
	struct solver_options options = {
		.resolve = ops_resolve,
		.results = &ops_results,
		.data = d->worker,
		.root_fd = d->root_fd,
		.max_parallelism = d->worker->max_parallelism,
	};
	d->solver = solver_new(&options, error);
	if (!d->solver)
		return false;
	cache_set_removed_hook(d->worker->cache, forget_result, d);
	return true;
}

static void poke_collector(void *data)
{
	instance *d = data;
	if (d->collector)
		collector_poke(d->collector);
}

static bool open_builder(instance *d, const struct config *config, GError **error)
{
	struct history_limits limits = {config->history_max_age_ns, config->history_max_entries};
	d->history = history_open(d->root_fd, config->root, &limits, error);
	if (!d->history)
		return false;
	struct builder_options options = {
		.worker = d->worker,
		.solver = d->solver,
		.history = d->history,
		.allow_network_host = allowed(config, "network.host"),
		.allow_security_insecure = allowed(config, "security.insecure"),
		.dockerfile_enabled = config->dockerfile_enabled,
		.gateway_enabled = config->gateway_enabled,
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

static bool open_server(instance *d, const struct config *config, GError **error)
{
	d->loop = rpc_loop_new();
	d->server = rpc_server_new(d->loop);
	d->control = (struct control){.builder = d->builder, .sessions = d->sessions};
	control_register(d->server, &d->control);
	rpc_server_set_error_hook(d->server, log_call_error, NULL);
	return listeners_open(d->server, config, error);
}

struct instance_counters instance_get_counters(instance *d)
{
	struct solver_stats stats = solver_get_stats(d->solver);
	return (struct instance_counters){
		.builds = builder_running(d->builder),
		.calls = rpc_server_open_calls(d->server),
		.sessions = session_registry_count(d->sessions),
		.vertices = stats.vertices,
		.running_ops = stats.running,
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
}

static bool open_debug(instance *d, const struct config *config, GError **error)
{
	if (!*config->debug_address)
		return true;
	d->debug = debug_http_start(config->debug_address, debug_counters, d, error);
	return d->debug != NULL;
}

/* Handled by instance_wait; every thread that starts later inherits the mask. */
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

static bool start(instance *d, const struct config *config, GError **error)
{
	umask(0);
	if (!mount_make_private_namespace(error))
		return false;
	d->root_fd = state_dir_open(config->root, &d->lock_fd, error);
	if (d->root_fd < 0)
		return false;
	reserve_release_when_full(d->root_fd);
	d->sessions = session_registry_new();
	d->worker = open_worker(d, config, error);
	if (!d->worker)
		return false;
	log_worker(d->worker);
	if (!open_solver(d, error) || !open_builder(d, config, error) || !open_server(d, config, error) ||
	    !open_debug(d, config, error))
		return false;
	if (d->worker->n_gc > 0)
		d->collector = collector_start(d->worker);
	d->watchdog = watchdog_start(d->loop);
	service_notify("READY=1");
	reserve_make(d->root_fd);
	return true;
}

instance *instance_start(const struct config *config, GError **error)
{
	g_autoptr(instance) d = g_new0(instance, 1);
	d->root_fd = d->lock_fd = -1;
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
	/* A second signal ends the process the default way. */
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
	collector_stop(d->collector);
	g_clear_pointer(&d->builder, builder_free);
	g_clear_pointer(&d->history, history_close);
	if (d->worker)
		cache_set_removed_hook(d->worker->cache, NULL, NULL);
	g_clear_pointer(&d->solver, solver_free);
	g_clear_pointer(&d->worker, worker_close);
	g_clear_pointer(&d->sessions, session_registry_free);
	g_clear_pointer(&d->loop, rpc_loop_free);
	watchdog_free(d->watchdog);
	fd_close(&d->lock_fd);
	fd_close(&d->root_fd);
	g_free(d);
}
