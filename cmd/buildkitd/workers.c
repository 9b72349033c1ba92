/* SPDX-License-Identifier: Apache-2.0 */
#include "workers.h"
#include "base/log.h"
#include "base/scope.h"
#include "containerd/ctd_server.h"
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

bool config_allows(const struct config *config, const char *entitlement)
{
	return config->entitlements && g_strv_contains((const char *const *)config->entitlements, entitlement);
}

/* ---- selection */
static bool wants_oci(const struct config *config)
{
	const struct worker_config *w = &config->oci;
	/* A program that is configured explicitly but missing is an error. */
	g_autofree char *found = executor_find_binary(NULL);
	bool usable = *w->options.executor.binary || found;
	return w->enabled == TRISTATE_TRUE || (w->enabled == TRISTATE_AUTO && usable);
}

/* Reports whether a process listens at the unix socket. tcp addresses are assumed to be reachable. */
static bool listens(const char *address)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	if (g_str_has_prefix(address, "tcp://"))
		return true;
	const char *path = g_str_has_prefix(address, "unix://") ? address + strlen("unix://") : address;
	if (strlen(path) >= sizeof sun.sun_path)
		return false;
	g_strlcpy(sun.sun_path, path, sizeof sun.sun_path);
	scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof sun) == 0;
}

bool workers_want_private_mounts(const struct config *config)
{
	const struct worker_config *w = &config->containerd;
	bool containerd =
		w->enabled == TRISTATE_TRUE || (w->enabled == TRISTATE_AUTO && listens(w->options.containerd.address));
	if (wants_oci(config))
		return !*config->oci.options.proxy_snapshotter;
	return !containerd;
}

static bool wants_containerd(const struct workers_input *input)
{
	const struct worker_config *w = &input->config->containerd;
	g_autoptr(GError) failure = NULL;
	if (w->enabled != TRISTATE_AUTO)
		return w->enabled == TRISTATE_TRUE;
	if (!listens(w->options.containerd.address)) {
		log_debug("skipping containerd worker: no process listens on \"%s\"", w->options.containerd.address);
		return false;
	}
	if (ctd_server_answers(input->loop, w->options.containerd.address, w->options.containerd.namespace, &failure))
		return true;
	log_warn("skipping containerd worker: %s", failure->message);
	return false;
}

/* ---- opening */
static struct worker_options options_of(const struct workers_input *input, const struct worker_config *w,
					const struct registry_config *hosts)
{
	const struct config *config = input->config;
	struct worker_options o = w->options;
	o.root_fd = input->root_fd;
	o.root_path = config->root;
	o.sessions = input->sessions;
	o.registry = hosts;
	o.explain_misses = config->explain_misses;
	o.cdi = input->cdi;
	o.platforms_max_age_ns = config->platforms_max_age_ns;
	o.executor.dns_nameservers = (const char *const *)config->dns_nameservers;
	o.executor.dns_options = (const char *const *)config->dns_options;
	o.executor.dns_search = (const char *const *)config->dns_search;
	o.executor.allow_network_host = config_allows(config, "network.host");
	o.executor.allow_security_insecure = config_allows(config, "security.insecure");
	o.executor.trace_fd = input->trace_fd;
	o.loop = input->loop;
	return o;
}

static void log_worker(const worker *w)
{
	g_autoptr(GString) platforms = g_string_new(NULL);
	size_t n;
	const struct platform *list = worker_platforms(w, &n);
	for (size_t i = 0; i < n; i++) {
		g_autofree char *text = platform_format(&list[i]);
		g_string_append_printf(platforms, "%s%s", i ? " " : "", text);
	}
	log_info("found worker \"%s\", snapshotter=%s, runtime=%s, platforms=[%s]", w->id,
		 cache_snapshotter_name(w->cache), executor_binary(w->executor), platforms->str);
}

static bool add(struct workers *ws, worker *w)
{
	if (!w)
		return false;
	log_worker(w);
	ws->list[ws->n++] = w;
	return true;
}

bool workers_open(struct workers *ws, const struct workers_input *input, GError **error)
{
	const struct config *config = input->config;
	const struct registry_config hosts = {
		.hosts = config->hosts,
		.n_hosts = config->n_hosts,
		.max_concurrency = (int)config->registry_concurrency,
		.user_agent = "buildkit/v0.1",
	};
	const struct worker_options oci = options_of(input, &config->oci, &hosts);
	const struct worker_options containerd = options_of(input, &config->containerd, &hosts);
	if (wants_oci(config) && !add(ws, worker_open(&oci, error)))
		return false;
	if (wants_containerd(input) && !add(ws, worker_open_containerd(&containerd, error)))
		return false;
	if (ws->n == 0)
		return error_set(error, ERROR_FAILED_PRECONDITION, "no worker found, rebuild the buildkit daemon?");
	log_info("found %zu workers, default=\"%s\"", ws->n, ws->list[0]->id);
	return true;
}

void workers_close(struct workers *ws)
{
	while (ws->n > 0)
		worker_close(ws->list[--ws->n]);
}
