/* SPDX-License-Identifier: Apache-2.0 */
/* Applies source policies to the definitions and lookups of a build: the build's policies and those of a request. */
#include "builder/build_internal.h"
#include "api/guard.h"
#include "builder/policy_session.h"
#include "ops/ops.h"
#include <string.h>

static bool add_all(source_policy *p, Policy__Policy *const *list, size_t n, GError **error)
{
	for (size_t i = 0; i < n; i++)
		if (!source_policy_add(p, list[i], error))
			return false;
	return true;
}

bool build_check_policy(const struct build *b, GError **error)
{
	g_autoptr(source_policy) p = source_policy_new();
	return source_policy_add(p, b->request->source_policy, error);
}

/* ---- requests of steps */

/* The request is checked as an http source. */
static bool check_request(void *data, const char *method, const char *url, cancel *c, char **ret_url, GError **error)
{
	struct build *b = data;
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	op.identifier = (char *)(uintptr_t)url;
	struct llb_source subject = {.op = message_copy(&op)};
	struct work work = {.cancel = c, .sessions = b->sessions};
	g_autoptr(source_policy) p = source_policy_new();
	struct source_check check;
	source_check_init(&check, b, p);
	bool ok = source_policy_add(p, b->request->source_policy, error) &&
		  source_check_run(&check, &subject, &work, error);
	source_check_clear(&check);
	bool changed = ok && (strcmp(subject.op->identifier, url) != 0 || subject.op->n_attrs > 0);
	if (changed && subject.op->n_attrs > 0)
		ok = error_set(
			error, ERROR_UNKNOWN,
			"source policy converted proxy request \"%s\" with attrs, but proxy conversion only supports "
			"URL updates",
			url);
	else if (changed)
		*ret_url = g_strdup(subject.op->identifier);
	guard_free(subject.op);
	return ok;
}

netproxy_policy *build_proxy_policy(struct build *b)
{
	const struct build_request *r = b->request;
	if (!r->proxy_network && !builder_get_options(b->builder)->proxy_network)
		return NULL;
	bool checks = (r->source_policy && r->source_policy->n_rules > 0) || *r->policy_session;
	return netproxy_policy_new(checks ? b->ref : "", checks ? check_request : NULL, b);
}

/* ---- definitions */

struct policy_run {
	struct source_check check;
	struct work *work;
};

static bool rewrite_sources(void *data, struct llb_source *sources, size_t n, GError **error)
{
	struct policy_run *run = data;
	return source_check_run_all(&run->check, sources, n, run->work, error) ||
	       error_prefix(error, "error evaluating the source policy: ");
}

struct device_load {
	const struct build *build;
	cdi_list *list; /* owned; NULL: not read yet, or CDI is disabled */
};

/* The specifications are looked at once per definition. */
static bool allow_devices(void *data, Pb__ExecOp *exec, GError **error)
{
	struct device_load *l = data;
	cdi *host = builder_worker(l->build->builder)->cdi;
	if (!l->list && host)
		l->list = cdi_read(host);
	return device_grants_apply(l->build->devices, l->list, exec, error);
}

llb_definition *build_load(struct build *b, const struct bridge_solve_request *r, struct work *work, GError **error)
{
	g_autoptr(source_policy) p = source_policy_new();
	if (!source_policy_add(p, b->request->source_policy, error) ||
	    !add_all(p, r->source_policies, r->n_source_policies, error))
		return NULL;
	struct policy_run run = {.work = work};
	struct device_load devices = {.build = b};
	source_check_init(&run.check, b, p);
	struct llb_load_options options = {
		.allow_network_host = b->allow_network_host,
		.allow_security_insecure = b->allow_security_insecure,
		.allow_devices = allow_devices,
		.devices_data = &devices,
		.rewrite_sources = source_check_is_needed(b, p) ? rewrite_sources : NULL,
		.rewrite_data = &run,
		.proxy = b->proxy,
	};
	llb_definition *d = llb_load(r->definition, &options, error);
	source_check_clear(&run.check);
	cdi_list_unref(devices.list);
	if (!d)
		g_prefix_error(error, "failed to load LLB: ");
	return d;
}

static void cancel_child(void *data)
{
	cancel_set(data, ERROR_CANCELED, NULL);
}

bool build_load_nested(void *data, const Pb__Definition *definition, struct work *work, llb_definition **ret,
		       GError **error)
{
	struct build *b = data;
	*ret = NULL;
	if (definition->n_def == 0)
		return true;
	/* The step may belong to several builds; loading asks the sessions of this one. */
	cancel *either = cancel_new(work->cancel);
	guint watch = cancel_add(b->cancel, cancel_child, either);
	struct work own = *work;
	own.cancel = either;
	own.sessions = b->sessions;
	struct bridge_solve_request request = {.definition = definition};
	*ret = build_load(b, &request, &own, error);
	if (*ret)
		ops_drop_cache_mounts(builder_worker(b->builder), *ret);
	cancel_remove(b->cancel, watch);
	cancel_unref(either);
	return *ret;
}

/* ---- lookups */

/* Policies of the request come before those of the build. ret: NULL if there are none. */
static bool lookup_policy(const struct build *b, Policy__Policy *const *list, size_t n, source_policy **ret,
			  GError **error)
{
	g_autoptr(source_policy) p = source_policy_new();
	if (!add_all(p, list, n, error) || !source_policy_add(p, b->request->source_policy, error))
		return false;
	*ret = source_check_is_needed(b, p) ? g_steal_pointer(&p) : NULL;
	return true;
}

static bool judge(struct build *b, source_policy *p, Pb__SourceOp *op, const Pb__Platform *platform, struct work *work,
		  bool *ret_changed, GError **error)
{
	struct source_check check;
	struct llb_source subject = {.op = op, .platform = platform};
	source_check_init(&check, b, p);
	bool ok = source_check_run(&check, &subject, work, error);
	source_check_clear(&check);
	*ret_changed = subject.changed;
	if (!ok)
		g_prefix_error(error, "could not resolve image due to policy: ");
	return ok;
}

static Pb__SourceOp *image_source(const struct bridge_image_request *r)
{
	Pb__SourceOp__AttrsEntry id = PB__SOURCE_OP__ATTRS_ENTRY__INIT, store = PB__SOURCE_OP__ATTRS_ENTRY__INIT;
	Pb__SourceOp__AttrsEntry *attrs[] = {&id, &store};
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	g_autofree char *identifier = g_strconcat(r->oci_layout ? "oci-layout://" : "docker-image://", r->ref, NULL);
	op.identifier = identifier;
	if (r->oci_layout) {
		id.key = (char *)"oci.session";
		id.value = (char *)(r->session_id ? r->session_id : "");
		store.key = (char *)"oci.store";
		store.value = (char *)(r->store_id ? r->store_id : "");
		op.attrs = attrs;
		op.n_attrs = G_N_ELEMENTS(attrs);
	}
	return message_copy(&op);
}

/* Returns the attributes of a checked source, borrowed from it. */
static bool take_image(const Pb__SourceOp *op, const char *asked, struct bridge_image_request *r, char **ret_other,
		       GError **error)
{
	r->oci_layout = g_str_has_prefix(op->identifier, "oci-layout://");
	if (!r->oci_layout && !g_str_has_prefix(op->identifier, "docker-image://")) {
		*ret_other = g_strdup(op->identifier);
		return error_set(error, ERROR_UNKNOWN, "ref mutated by policy to non-image: docker-image://%s -> %s",
				 asked, op->identifier);
	}
	r->ref = strstr(op->identifier, "://") + 3;
	r->session_id = llb_source_attr(op, "oci.session");
	r->store_id = llb_source_attr(op, "oci.store");
	return true;
}

bool build_policy_image(struct build *b, struct bridge_image_request *r, struct work *work, Pb__SourceOp **ret_owner,
			char **ret_other, GError **error)
{
	g_autoptr(source_policy) p = NULL;
	if (!lookup_policy(b, r->source_policies, r->n_source_policies, &p, error))
		return false;
	if (!p)
		return true;
	bool changed = false;
	Pb__SourceOp *op = image_source(r);
	Pb__Platform platform = PB__PLATFORM__INIT;
	if (r->platform) {
		platform.os = (char *)(uintptr_t)r->platform->os;
		platform.architecture = (char *)(uintptr_t)r->platform->architecture;
		platform.variant = (char *)(uintptr_t)r->platform->variant;
		platform.osversion = (char *)(uintptr_t)r->platform->os_version;
	}
	bool ok = judge(b, p, op, r->platform ? &platform : NULL, work, &changed, error);
	if (!ok)
		g_prefix_error(error, "failed to resolve source metadata for %s: ", r->ref);
	ok = ok && (!changed || take_image(op, r->ref, r, ret_other, error));
	if (ok && changed)
		*ret_owner = op;
	else
		guard_free(op);
	return ok;
}

bool build_policy_source(struct build *b, const struct bridge_source_request *r, struct work *work, Pb__SourceOp **ret,
			 GError **error)
{
	g_autoptr(source_policy) p = NULL;
	if (!lookup_policy(b, r->source_policies, r->n_source_policies, &p, error))
		return false;
	if (!p)
		return true;
	bool changed = false;
	Pb__SourceOp *op = message_copy(r->source);
	bool ok = judge(b, p, op, r->platform, work, &changed, error);
	if (ok && changed)
		*ret = op;
	else
		guard_free(op);
	return ok;
}
