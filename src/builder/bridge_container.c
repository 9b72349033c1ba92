/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that a client or a frontend starts in its build. */
#include "builder/build_internal.h"
#include "container/container.h"
#include "ops.pb-c.h"

/* Evaluates the ref of each mount. Returns the mounts with their inputs, whose messages are borrowed from copies. */
static bool fill_inputs(bridge *b, const struct bridge_container_request *r, struct work *work, Pb__Mount *copies,
			Pb__Mount **mounts, cache_ref **inputs, GError **error)
{
	for (size_t i = 0; i < r->n_mounts; i++) {
		copies[i] = *r->mounts[i];
		copies[i].input = -1;
		copies[i].output = 0; /* what is writable is a copy of the input */
		mounts[i] = &copies[i];
		inputs[i] = r->results[i];
		if (r->refs[i] && !build_ref_result(b, r->refs[i], work, &inputs[i], error))
			return false;
		if (inputs[i])
			copies[i].input = (int64_t)i;
	}
	return true;
}

container *build_new_container(bridge *b, const struct bridge_container_request *r, struct work *work, GError **error)
{
	struct build *build = build_of_bridge(b);
	const struct work of_build = {.cancel = build->cancel, .sessions = build->sessions};
	g_autofree Pb__Mount *copies = g_new0(Pb__Mount, r->n_mounts + 1);
	g_autofree Pb__Mount **mounts = g_new0(Pb__Mount *, r->n_mounts + 1);
	g_autofree cache_ref **inputs = g_new0(cache_ref *, r->n_mounts + 1); /* borrowed from the refs */
	if (!fill_inputs(b, r, work, copies, mounts, inputs, error))
		return NULL;
	const struct container_options options = {
		.worker = builder_worker(build->builder),
		.id = r->id,
		.work = &of_build,
		.mounts = mounts,
		.n_mounts = r->n_mounts,
		.inputs = inputs,
		.n_inputs = r->n_mounts,
		.network = (Pb__NetMode)r->network,
		.hostname = r->hostname,
		.hosts = r->hosts,
		.n_hosts = r->n_hosts,
		.windows = r->platform && g_str_equal(r->platform->os, "windows"),
		.allow_network_host = build->allow_network_host,
		.allow_security_insecure = build->allow_security_insecure,
		.proxy = build->proxy,
	};
	return container_new(&options, work->cancel, error);
}
