/* SPDX-License-Identifier: Apache-2.0 */
#include "build_options.h"
#include "build_result.h"
#include "api/guard.h"
#include "base/ident.h"
#include "base/scope.h"
#include "client/display.h"
#include "client/solve.h"
#include "command.h"
#include "control.pb-c.h"
#include "os/file.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct flag build_flags[] = {
	{"output", "o", FLAG_STRINGS, NULL, NULL,
	 "export the result: type=image,name=docker.io/user/image,push=true, or type=local, tar, oci or docker "
	 "with dest=PATH"},
	{"progress", NULL, FLAG_STRING, "auto", NULL,
	 "progress display on standard error: auto, plain, tty, rawjson or quiet"},
	{"trace", NULL, FLAG_STRING, NULL, NULL, "append all status messages to this file as JSON, one per line"},
	{"local", NULL, FLAG_STRINGS, NULL, NULL, "NAME=DIR: allow the build to read this directory, e.g. context=."},
	{"oci-layout", NULL, FLAG_STRINGS, NULL, NULL, "ID=DIR: allow the build to read this OCI layout"},
	{"frontend", NULL, FLAG_STRING, NULL, NULL,
	 "frontend to use: dockerfile.v0 or gateway.v0 (default: read LLB from standard input)"},
	{"opt", NULL, FLAG_STRINGS, NULL, NULL,
	 "KEY=VALUE: frontend option, e.g. target=release or build-arg:VERSION=1.2"},
	{"no-cache", NULL, FLAG_BOOL, NULL, NULL, "do not use the build cache"},
	{"export-cache", NULL, FLAG_STRINGS, NULL, NULL,
	 "export the build cache, e.g. type=registry,ref=example.com/user/cache or type=local,dest=DIR"},
	{"import-cache", NULL, FLAG_STRINGS, NULL, NULL,
	 "import a build cache, e.g. type=registry,ref=example.com/user/cache or type=local,src=DIR"},
	{"secret", NULL, FLAG_STRINGS, NULL, NULL,
	 "id=NAME,src=FILE or id=NAME,env=VARIABLE: secret that steps may mount"},
	{"allow", NULL, FLAG_STRINGS, NULL, NULL,
	 "grant an entitlement to the build: network.host, security.insecure or device"},
	{"ssh", NULL, FLAG_STRINGS, NULL, NULL,
	 "default or ID[=SOCKET[,raw=true]|KEYFILE[,KEYFILE...]]: SSH agent, or private keys without a passphrase, "
	 "that steps may use"},
	{"metadata-file", NULL, FLAG_STRING, NULL, NULL, "write result metadata (digests, names) to this file as JSON"},
	{"source-policy-file", NULL, FLAG_STRING, NULL, NULL,
	 "JSON file with a source policy: rules that allow, deny or replace sources"},
	{"proxy-network", NULL, FLAG_BOOL, NULL, NULL,
	 "restrict the network access of steps to a proxy that records requests"},
	{"ref-file", NULL, FLAG_STRING, NULL, NULL, "write the ref of the build to this file"},
	{"registry-auth-tlscontext", NULL, FLAG_STRINGS, NULL, NULL,
	 "host=HOST[,ca=FILE][,cert=FILE,key=FILE][,insecure=BOOL]: TLS settings for a registry's token server"},
	{"debug-json-cache-metrics", NULL, FLAG_STRING, NULL, NULL,
	 "report which steps missed the cache: stdout, stderr or a file"},
};

/* Every client calls ListWorkers first: it proves that a BuildKit daemon answers at this address. */
static bool list_workers(struct context *x, rpc_conn *conn, GError **error)
{
	Control__ListWorkersRequest request = CONTROL__LIST_WORKERS_REQUEST__INIT;
	void *reply = rpc_unary(conn, "/moby.buildkit.v1.Control/ListWorkers", NULL, &request,
				&control__list_workers_response__descriptor, x->cancel, 0, error);
	guard_free(reply);
	return reply != NULL || call_failed("listing workers for Build: failed to list workers", error);
}

/* Leaves ret_fd unchanged without --trace. */
static bool open_trace(const flags *f, display *shown, int *ret_fd, GError **error)
{
	const char *path = flags_string(f, "trace");
	if (!*path)
		return true;
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return error_set_errno(error, errno, "open %s", path);
	display_trace(shown, *ret_fd);
	return true;
}

/*
 * Opens the target of --debug-json-cache-metrics before the build: stdout, stderr or a file. Leaves the fd unchanged
 * without the flag.
 */
static bool open_metrics(const flags *f, int *ret_fd, GError **error)
{
	const char *path = flags_string(f, "debug-json-cache-metrics");
	if (!*path)
		return true;
	if (strcmp(path, "stdout") == 0 || strcmp(path, "stderr") == 0)
		*ret_fd = fcntl(strcmp(path, "stdout") == 0 ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		*ret_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return *ret_fd >= 0 || error_set_errno(error, errno, "open %s", path);
}

static bool run_solve(struct context *x, const flags *f, rpc_conn *conn, struct build_options *o, GError **error)
{
	scoped_fd trace = -1, metrics = -1; /* closed after the display */
	gint64 begin_us = g_get_monotonic_time();
	g_autoptr(display) shown = display_new(flags_string(f, "progress"), STDERR_FILENO, error);
	if (!shown || !open_trace(f, shown, &trace, error) || !open_metrics(f, &metrics, error))
		return false;
	char ref[IDENT_SIZE];
	ident_new(ref);
	struct solve_options solve = {
		.loop = x->loop,
		.ref = ref,
		.frontend = o->frontend,
		.attrs = o->attrs,
		.definition = o->definition,
		.services = o->services,
		.exporters = (const struct solve_target *)(void *)o->exporters->data,
		.n_exporters = o->exporters->len,
		.cache_exports = (const struct solve_target *)(void *)o->cache_exports->data,
		.n_cache_exports = o->cache_exports->len,
		.cache_imports = (const struct solve_target *)(void *)o->cache_imports->data,
		.n_cache_imports = o->cache_imports->len,
		.source_policy = o->source_policy,
		.proxy_network = o->proxy_network,
		.entitlements = flags_strings(f, "allow"),
		.display = shown,
	};
	struct solve_result result = {0};
	bool ok = solve_run(conn, &solve, x->cancel, &result, error);
	display_close(shown);
	if (!ok)
		call_failed("failed to solve", error);
	if (ok && metrics >= 0) {
		g_autofree char *text = display_cache_report(shown, (g_get_monotonic_time() - begin_us) / 1000);
		ok = file_write_all(metrics, text, strlen(text)) ||
		     error_set_errno(error, errno, "write cache metrics");
	}
	ok = ok && build_cache_finish(o, result.response, error) && build_result_write(f, o, ref, &result, error);
	solve_result_clear(&result);
	return ok;
}

static bool run(struct context *x, const flags *f, GError **error)
{
	struct build_options options;
	if (!build_options_read(&options, f, error) || !build_result_check(f, error)) {
		build_options_clear(&options);
		return false;
	}
	rpc_conn *conn = context_connect(x, "listing workers for Build: failed to list workers", error);
	bool ok = conn && list_workers(x, conn, error) && run_solve(x, f, conn, &options, error);
	build_options_clear(&options);
	return ok;
}

const struct command build_command = {
	.name = "build",
	.alias = "b",
	.usage = "run a build",
	.flags = build_flags,
	.n_flags = G_N_ELEMENTS(build_flags),
	.run = run,
	.example = "buildctl build --frontend=dockerfile.v0 --local context=. --local dockerfile=. "
		   "--output type=image,name=docker.io/username/image:tag,push=true"};
