/* SPDX-License-Identifier: Apache-2.0 */
#include "build_options.h"
#include "build_result.h"
#include "api/guard.h"
#include "base/ident.h"
#include "client/display.h"
#include "client/solve.h"
#include "command.h"
#include "control.pb-c.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct flag build_flags[] = {
	{"output", "o", FLAG_STRINGS, NULL, NULL, "Define exports for build result, e.g. --output type=image,name=docker.io/username/image,push=true"},
	{"progress", NULL, FLAG_STRING, "auto", NULL, "Set type of progress (auto, plain, tty, rawjson, quiet). Use plain to show container output"},
	{"trace", NULL, FLAG_STRING, NULL, NULL, NULL},
	{"local", NULL, FLAG_STRINGS, NULL, NULL, "Allow build access to the local directory"},
	{"oci-layout", NULL, FLAG_STRINGS, NULL, NULL, "Allow build access to the local OCI layout"},
	{"frontend", NULL, FLAG_STRING, NULL, NULL, "Define frontend used for build"},
	{"opt", NULL, FLAG_STRINGS, NULL, NULL, "Define custom options for frontend, e.g. --opt target=foo --opt build-arg:foo=bar"},
	{"no-cache", NULL, FLAG_BOOL, NULL, NULL, "Disable cache for all the vertices"},
	{"export-cache", NULL, FLAG_STRINGS, NULL, NULL, "Export build cache, e.g. --export-cache type=registry,ref=example.com/foo/bar"},
	{"import-cache", NULL, FLAG_STRINGS, NULL, NULL, "Import build cache, e.g. --import-cache type=registry,ref=example.com/foo/bar"},
	{"secret", NULL, FLAG_STRINGS, NULL, NULL, "Secret value exposed to the build. Format id=secretname,src=filepath"},
	{"allow", NULL, FLAG_STRINGS, NULL, NULL, "Allow extra privileged entitlement, e.g. network.host, security.insecure, device"},
	{"ssh", NULL, FLAG_STRINGS, NULL, NULL, "Allow forwarding SSH agent to the builder. Format default|<id>[=<socket>[,raw=false]|<key>[,<key>]]"},
	{"metadata-file", NULL, FLAG_STRING, NULL, NULL, "Output build metadata (e.g., image digest) to a file as JSON"},
	{"source-policy-file", NULL, FLAG_STRING, NULL, NULL, "Read source policy file from a JSON file"},
	{"proxy-network", NULL, FLAG_BOOL, NULL, NULL, "Capture network requests through a proxy"},
	{"ref-file", NULL, FLAG_STRING, NULL, NULL, "Write build ref to a file"},
	{"registry-auth-tlscontext", NULL, FLAG_STRINGS, NULL, NULL, "Overwrite TLS configuration when authenticating with registries, e.g. host=https://myserver:2376,insecure=false,ca=/path/to/my/ca.crt,cert=/path/to/my/cert.crt,key=/path/to/my/key.crt"},
	{"debug-json-cache-metrics", NULL, FLAG_STRING, NULL, NULL, "Where to output json cache metrics, use 'stdout' or 'stderr' for standard (error) output"},
};

/* The first call of every client: somebody speaks BuildKit there. */
static bool list_workers(struct context *x, rpc_conn *conn, GError **error)
{
	Control__ListWorkersRequest request;
	control__list_workers_request__init(&request);
	void *reply = rpc_unary(conn, "/moby.buildkit.v1.Control/ListWorkers", NULL, &request,
				&control__list_workers_response__descriptor, x->cancel, 0, error);
	guard_free(reply);
	return reply != NULL || call_failed("listing workers for Build: failed to list workers", error);
}

static bool run_solve(struct context *x, const flags *f, rpc_conn *conn, struct build_options *o, GError **error)
{
	g_autoptr(display) shown = display_new(flags_string(f, "progress"), STDERR_FILENO, error);
	if (!shown)
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
		.entitlements = flags_strings(f, "allow"),
		.display = shown,
	};
	struct solve_result result = {0};
	bool ok = solve_run(conn, &solve, x->cancel, &result, error);
	display_close(shown);
	if (!ok)
		call_failed("failed to solve", error);
	ok = ok && build_cache_finish(o, result.response, error) && build_result_write(f, o, ref, &result, error);
	solve_result_clear(&result);
	return ok;
}

static bool run(struct context *x, const flags *f, GError **error)
{
	struct build_options options;
	if (!build_options_read(&options, f, error)) {
		build_options_clear(&options);
		return false;
	}
	rpc_conn *conn = context_connect(x, error);
	bool ok = conn && list_workers(x, conn, error) && run_solve(x, f, conn, &options, error);
	build_options_clear(&options);
	return ok;
}

const struct command build_command = {
	.name = "build", .alias = "b", .usage = "build", .flags = build_flags, .n_flags = G_N_ELEMENTS(build_flags), .run = run,
	.arguments = "\n   To build and push an image using Dockerfile:\n"
		     "     $ buildctl build --frontend dockerfile.v0 --opt target=foo --opt build-arg:foo=bar --local context=. "
		     "--local dockerfile=. --output type=image,name=docker.io/username/image,push=true"};
