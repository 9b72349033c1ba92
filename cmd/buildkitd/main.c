/* SPDX-License-Identifier: Apache-2.0 */
/* buildkitd: the build daemon. */
#include "base/log.h"
#include "check.h"
#include "executor/cgroup.h"
#include "executor/cgroup_root.h"
#include "format/gotype.h"
#include "instance.h"
#include "os/user_namespace.h"
#include "os/service.h"
#include "state_dir.h"
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static enum log_level log_level_of(const struct config *config)
{
	if (config->trace)
		return LOG_LEVEL_TRACE;
	if (config->debug)
		return LOG_LEVEL_DEBUG;
	int level = config_log_level(config); /* indexed by the log level enum */
	return level < 0 ? LOG_LEVEL_INFO : (enum log_level)level;
}

/* Disables core files, because memory contains secrets, and raises the descriptor limit to its maximum. */
static void set_process_limits(void)
{
	struct rlimit limit = {0, 0};
	setrlimit(RLIMIT_CORE, &limit);
	prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * With BUILDKIT_SETUP_CGROUPV2_ROOT, the daemon moves itself to a child of its cgroup, so that its steps can have limits in
 * other children. In a container the cgroup is the root of /sys/fs/cgroup. In rootless mode it is the delegated one, which
 * becomes the default parent of the cgroups of steps.
 */
static void prepare_cgroup(struct config *config)
{
	const char *text = g_getenv("BUILDKIT_SETUP_CGROUPV2_ROOT");
	bool wanted = false;
	g_autoptr(GError) error = NULL;
	if (!text || !bool_parse(text, &wanted, NULL) || !wanted)
		return;
	bool unified = access(CGROUP_ROOT "/cgroup.controllers", F_OK) == 0;
	g_autofree char *own =
		unified && user_namespace_is_limited() ? cgroup_root_delegated(CGROUP_ROOT, "/proc/self/cgroup") : NULL;
	g_autofree char *root = g_strconcat(CGROUP_ROOT, own, NULL);
	if (!cgroup_root_prepare(root, own ? NULL : "/proc/self/cgroup", &error)) {
		log_warn("steps have no cgroup controllers: %s", error->message);
	} else if (own && *config->oci.options.executor.cgroup_parent == '\0') {
		g_free((char *)(uintptr_t)config->oci.options.executor.cgroup_parent);
		config->oci.options.executor.cgroup_parent = g_steal_pointer(&own);
	}
}

static int fail(const GError *error)
{
	fprintf(stderr, "buildkitd: %s\n", error->message);
	return 1;
}

/*
 * Vertices and calls pass from thread to thread. With the default of eight malloc arenas per processor, much of each
 * stays allocated but unused.
 */
static void limit_arenas(void)
{
	mallopt(M_ARENA_MAX, MAX(2, (int)g_get_num_processors()));
}

static int run(struct config *config)
{
	limit_arenas();
	g_autoptr(GError) error = NULL;
	if (geteuid() != 0) {
		error_set(&error, ERROR_PERMISSION_DENIED, CONFIG_NEEDS_USER_NAMESPACE);
		return fail(error);
	}
	log_setup(log_level_of(config), strcmp(config->log_format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
	for (guint i = 0; i < config->warnings->len; i++)
		log_warn("%s", (char *)config->warnings->pdata[i]);
	for (guint i = 0; i < config->inactive->len; i++)
		log_warn("option %s is accepted but has no effect yet", (char *)config->inactive->pdata[i]);
	set_process_limits();
	prepare_cgroup(config);
	service_begin();
	g_autoptr(instance) d = instance_start(config, &error);
	if (!d)
		return fail(error);
	instance_wait(d);
	return 0;
}

int main(int argc, char **argv)
{
	struct config config;
	bool done = false;
	g_autoptr(GError) error = NULL;
	int status = 0;
	bool loaded = config_load(&config, argc, argv, &done, &error);
	if (loaded && !done) {
		char *root = state_dir_path(config.root);
		g_free(config.root);
		config.root = root;
	}
	if (config.check && !done)
		status = check_run(&config, argc, argv, error);
	else if (!loaded)
		status = fail(error);
	else if (!done)
		status = run(&config);
	config_clear(&config);
	return status;
}
