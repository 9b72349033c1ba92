/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/facts.h"
#include "api/message.h"
#include "format/git_address.h"
#include "ops/exec_mounts.h"
#include <string.h>

/* Returns the repository address and the ref, without the subdirectory, which does not affect the fetch. */
static char *git_material_name(const Pb__SourceOp *op, const char *rest)
{
	const char *full = llb_source_attr(op, "git.fullurl");
	g_auto(git_address) of_rest = {0}, of_full = {0};
	g_autofree char *with_scheme = g_strconcat("https://", rest, NULL);
	if (!git_address_parse(rest, &of_rest) && !git_address_parse(with_scheme, &of_rest))
		return g_strdup(rest);
	const char *fragment = of_rest.fragment ? of_rest.fragment : "";
	g_autofree char *ref = g_strndup(fragment, strcspn(fragment, ":"));
	const char *remote = full && git_address_parse(full, &of_full) ? of_full.remote : of_rest.remote;
	return g_strconcat(remote, *ref ? "#" : "", ref, NULL);
}

static void add_git_access(provenance_capture *c, const Pb__SourceOp *op)
{
	const char *token = llb_source_attr(op, "git.authtokensecret"),
		   *header = llb_source_attr(op, "git.authheadersecret");
	const char *agent = llb_source_attr(op, "git.mountsshsock");
	if (token && *token)
		provenance_capture_add_secret(c, token, true);
	if (header && *header)
		provenance_capture_add_secret(c, header, true);
	if (agent && *agent)
		provenance_capture_add_ssh(c, agent, true);
}

/* A source that was not resolved has no digest: the list of materials is incomplete. */
static void add_source(provenance_capture *c, const struct solver_visit *visit)
{
	const Pb__SourceOp *op = visit->vertex->op->source;
	const char *rest;
	const struct source_class *class = source_class_find(op->identifier, &rest);
	if (!class) {
		c->incomplete = true;
		return;
	}
	g_autofree char *pin = ops_source_pin(visit->op);
	g_autofree char *git = class->material == SOURCE_MATERIAL_GIT ? git_material_name(op, rest) : NULL;
	struct provenance_source one = {.name = git ? git : (char *)(class->is_address_whole ? op->identifier : rest),
					.pin = pin,
					.is_local = class->is_layout};
	one.has_platform = class->material == SOURCE_MATERIAL_IMAGE && visit->vertex->op->platform;
	if (one.has_platform)
		message_platform_read(visit->vertex->op->platform, &one.platform);
	if (class->material == SOURCE_MATERIAL_GIT) {
		const char *bundle = llb_source_attr(op, "git.bundle");
		one.bundle = bundle && *bundle ? (char *)(uintptr_t)bundle : NULL;
		add_git_access(c, op);
	}
	c->incomplete |= class->material != SOURCE_MATERIAL_LOCAL && !pin;
	if (pin || class->material == SOURCE_MATERIAL_LOCAL || class->material == SOURCE_MATERIAL_IMAGE)
		provenance_capture_add_source(c, class->material, &one);
}

/* What the step has downloaded, if it ran in this build. */
static void add_requests(provenance_capture *c, const struct solver_visit *visit)
{
	g_autoptr(netproxy_capture) requests = ops_exec_requests(visit->op);
	if (!requests)
		return;
	g_autoptr(GPtrArray) materials = netproxy_capture_materials(requests);
	for (guint i = 0; i < materials->len; i++) {
		struct netproxy_material *m = materials->pdata[i];
		provenance_capture_add_source(c, SOURCE_MATERIAL_HTTP,
					      &(struct provenance_source){.name = m->url, .pin = m->digest.text});
	}
	g_autoptr(GPtrArray) incomplete = netproxy_capture_all_incomplete(requests);
	g_autofree char *name = exec_args_text(visit->vertex->op->exec);
	for (guint i = 0; i < incomplete->len; i++) {
		const struct netproxy_incomplete *in = incomplete->pdata[i];
		const struct provenance_untracked one = {.op = (char *)(uintptr_t)visit->vertex->digest.text,
							 .name = name,
							 .method = in->method,
							 .uri = in->url,
							 .reason = in->reason};
		provenance_capture_add_untracked(c, &one);
		c->incomplete = true;
	}
}

static void add_exec(provenance_capture *c, const struct solver_visit *visit)
{
	const Pb__ExecOp *op = visit->vertex->op->exec;
	for (size_t i = 0; i < op->n_mounts; i++) {
		const Pb__Mount *m = op->mounts[i];
		if (m->mounttype == PB__MOUNT_TYPE__SECRET)
			provenance_capture_add_secret(c, m->secretopt ? m->secretopt->id : "",
						      m->secretopt && m->secretopt->optional);
		if (m->mounttype == PB__MOUNT_TYPE__SSH)
			provenance_capture_add_ssh(c, m->sshopt ? m->sshopt->id : "", m->sshopt && m->sshopt->optional);
	}
	for (size_t i = 0; i < op->n_secretenv; i++)
		provenance_capture_add_secret(c, op->secretenv[i]->id, op->secretenv[i]->optional);
	c->network |= op->network != PB__NET_MODE__NONE;
	c->proxy |= visit->vertex->proxy != NULL;
	add_requests(c, visit);
	g_autoptr(step_usage) usage = ops_exec_usage(visit->op);
	if (usage)
		provenance_capture_add_usage(c, visit->vertex->digest.text, usage);
}

static void add_visit(void *data, const struct solver_visit *visit)
{
	provenance_capture *c = data;
	switch (visit->vertex->type) {
	case LLB_SOURCE:
		add_source(c, visit);
		break;
	case LLB_EXEC:
		add_exec(c, visit);
		break;
	case LLB_BUILD:
		c->incomplete = true; /* the sources of its nested build are not recorded */
		break;
	case LLB_FILE:
	case LLB_MERGE:
	case LLB_DIFF:
	case LLB_PASSTHROUGH:
		break;
	}
}

void provenance_facts_add(provenance_capture *c, solver_job *job, const struct solver_target *targets, size_t n)
{
	solver_job_visit(job, targets, n, add_visit, c);
}
