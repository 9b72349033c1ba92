/* SPDX-License-Identifier: Apache-2.0 */
/* Exec ops: mounts sorted by destination, followed by secrets and ssh; outputs are numbered as in upstream's client. */
#include "llb/graph.h"
#include "api/message_copy.h"
#include <string.h>

static bool is_behind(const struct llb_exec_mount *m)
{
	return m->type == PB__MOUNT_TYPE__SECRET || m->type == PB__MOUNT_TYPE__SSH;
}

static gint mount_compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct llb_exec_mount *x = a, *y = b;
	int kind = (is_behind(x) ? 1 + (x->type == PB__MOUNT_TYPE__SSH) : 0) -
		   (is_behind(y) ? 1 + (y->type == PB__MOUNT_TYPE__SSH) : 0);
	return kind != 0 || is_behind(x) ? kind : strcmp(x->dest, y->dest);
}

static void mount_options(struct llb_op_draft *d, const struct llb_exec_mount *m, Pb__Mount *pm)
{
	if (m->type == PB__MOUNT_TYPE__CACHE) {
		pm->cacheopt = message_new_in(d->graph->arena, Pb__CacheOpt, pb__cache_opt);
		pm->cacheopt->id = (char *)(m->cache_id ? m->cache_id : "");
		pm->cacheopt->sharing = m->sharing;
		llb_op_draft_cap(d, "exec.mount.cache");
		llb_op_draft_cap(d, "exec.mount.cache.sharing");
	} else if (m->type == PB__MOUNT_TYPE__TMPFS) {
		pm->tmpfsopt = message_new_in(d->graph->arena, Pb__TmpfsOpt, pb__tmpfs_opt);
		pm->tmpfsopt->size = m->tmpfs_size;
		llb_op_draft_cap(d, "exec.mount.tmpfs");
		if (m->tmpfs_size > 0)
			llb_op_draft_cap(d, "exec.mount.tmpfs.size");
	} else if (m->type == PB__MOUNT_TYPE__SECRET) {
		pm->secretopt = message_new_in(d->graph->arena, Pb__SecretOpt, pb__secret_opt);
		pm->secretopt->id = (char *)(m->secret_id ? m->secret_id : "");
		pm->secretopt->uid = m->uid;
		pm->secretopt->gid = m->gid;
		pm->secretopt->mode = m->mode;
		pm->secretopt->optional = m->optional;
		llb_op_draft_cap(d, "exec.mount.secret");
	} else if (m->type == PB__MOUNT_TYPE__SSH) {
		pm->sshopt = message_new_in(d->graph->arena, Pb__SSHOpt, pb__sshopt);
		pm->sshopt->id = (char *)(m->secret_id ? m->secret_id : "");
		pm->sshopt->uid = m->uid;
		pm->sshopt->gid = m->gid;
		pm->sshopt->mode = m->mode;
		pm->sshopt->optional = m->optional;
		llb_op_draft_cap(d, "exec.mount.ssh");
	} else if (m->source.node) {
		llb_op_draft_cap(d, "exec.mount.bind");
	}
}

static void add_mount(struct llb_op_draft *d, const struct llb_exec_mount *m, Pb__Mount *pm, struct llb_mount_out *out,
		      int *next_output)
{
	pm->dest = (char *)m->dest;
	pm->mounttype = m->type;
	mount_options(d, m, pm);
	pm->input = llb_op_draft_input(d, m->source);
	out->dest = arena_strdup(d->graph->arena, m->dest);
	out->index = -1;
	if (is_behind(m))
		return; /* these have no output, but 0 on the wire */
	pm->readonly = m->readonly;
	pm->contentcache = (Pb__MountContentCache)m->content_cache;
	if (m->content_cache != PB__MOUNT_CONTENT_CACHE__DEFAULT)
		llb_op_draft_cap(d, "exec.mount.cache.content");
	if (m->selector && *m->selector) {
		pm->selector = (char *)m->selector;
		llb_op_draft_cap(d, "exec.mount.selector");
	}
	bool has_output = m->type == PB__MOUNT_TYPE__BIND && !m->readonly && !m->no_output;
	pm->output = has_output ? *next_output : -1;
	if (has_output)
		out->index = (*next_output)++;
	else if (m->readonly)
		out->source = m->source;
}

static void meta_copy(struct llb_op_draft *d, const struct llb_exec_spec *spec, const char *ssh_socket, Pb__Meta *ret)
{
	*ret = *spec->meta;
	ret->removemountstubsrecursive = true;
	bool has_socket = !ssh_socket;
	for (size_t i = 0; i < ret->n_env; i++)
		has_socket |= g_str_has_prefix(ret->env[i], "SSH_AUTH_SOCK=");
	if (!has_socket) {
		ret->env = llb_op_draft_alloc(d, (ret->n_env + 1) * sizeof *ret->env);
		if (ret->n_env > 0)
			memcpy(ret->env, spec->meta->env, ret->n_env * sizeof *ret->env);
		ret->env[ret->n_env++] = arena_concat(d->graph->arena, "SSH_AUTH_SOCK=", ssh_socket, "");
	}
}

static void exec_caps(struct llb_op_draft *d, const struct llb_exec_spec *spec)
{
	llb_op_draft_cap(d, "exec.meta.base");
	llb_op_draft_cap(d, "exec.meta.setsdefaultpath");
	const struct {
		bool wanted;
		const char *cap;
	} rows[] = {
		{spec->meta->n_validexitcodes > 0, "exec.validexitcode"},
		{spec->meta->n_ulimit > 0, "exec.meta.ulimit"},
		{d->meta->resources != NULL, "exec.meta.linux.resources"},
		{spec->network != PB__NET_MODE__UNSET, "exec.meta.network"},
		{spec->security != PB__SECURITY_MODE__SANDBOX, "exec.meta.security"},
		{spec->meta->proxy_env != NULL, "exec.meta.proxyenv"},
		{spec->n_secret_env > 0, "exec.mount.secret"},
		{spec->n_secret_env > 0, "exec.secretenv"},
		{spec->n_devices > 0, "exec.meta.cdi"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (rows[i].wanted)
			llb_op_draft_cap(d, rows[i].cap);
}

static struct llb_exec_mount *mounts_sorted(struct llb_op_draft *d, const struct llb_exec_spec *spec,
					    const char **ret_ssh_socket)
{
	size_t n = spec->n_mounts;
	struct llb_exec_mount *mounts = llb_op_draft_alloc(d, n * sizeof *mounts);
	memcpy(mounts, spec->mounts, n * sizeof *mounts);
	unsigned n_ssh = 0;
	*ret_ssh_socket = NULL;
	for (size_t i = 0; i < n; i++) {
		if (mounts[i].type != PB__MOUNT_TYPE__SSH)
			continue;
		if (!mounts[i].dest || !*mounts[i].dest)
			mounts[i].dest = arena_printf(d->graph->arena, "/run/buildkit/ssh_agent.%u", n_ssh);
		n_ssh++;
		if (!*ret_ssh_socket)
			*ret_ssh_socket = mounts[i].dest;
	}
	g_qsort_with_data(mounts, (gint)n, sizeof *mounts, mount_compare, NULL); /* stable sort */
	return mounts;
}

struct llb_out llb_exec(llb_graph *g, const struct llb_exec_spec *spec, const struct llb_meta *meta)
{
	struct llb_op_draft d;
	llb_op_draft_init(&d, g, meta, true);
	exec_caps(&d, spec);
	const char *ssh_socket;
	struct llb_exec_mount *mounts = mounts_sorted(&d, spec, &ssh_socket);
	Pb__Meta pmeta;
	meta_copy(&d, spec, ssh_socket, &pmeta);
	Pb__ExecOp exec = PB__EXEC_OP__INIT;
	exec.meta = &pmeta;
	exec.network = spec->network;
	exec.security = spec->security;
	exec.secretenv = spec->secret_env;
	exec.n_secretenv = spec->n_secret_env;
	exec.cdidevices = spec->devices;
	exec.n_cdidevices = spec->n_devices;
	exec.mounts = llb_op_draft_alloc(&d, spec->n_mounts * sizeof *exec.mounts);
	struct llb_mount_out *outs = llb_op_draft_alloc(&d, spec->n_mounts * sizeof *outs);
	struct llb_out result = {.index = LLB_ROOT_READONLY};
	int next_output = 0;
	for (size_t i = 0; i < spec->n_mounts; i++) {
		Pb__Mount *pm = message_new_in(d.graph->arena, Pb__Mount, pb__mount);
		add_mount(&d, &mounts[i], pm, &outs[i], &next_output);
		exec.mounts[exec.n_mounts++] = pm;
		if (strcmp(mounts[i].dest, "/") == 0)
			result.index = outs[i].index;
	}
	d.op.op_case = PB__OP__OP_EXEC;
	d.op.exec = &exec;
	struct llb_node *node = llb_op_draft_finish(&d);
	node->mounts = outs;
	node->n_mounts = spec->n_mounts;
	result.node = node;
	return result;
}

struct llb_out llb_exec_mount_out(struct llb_out exec, const char *dest)
{
	for (size_t i = 0; exec.node && i < exec.node->n_mounts; i++) {
		const struct llb_mount_out *m = &exec.node->mounts[i];
		if (strcmp(m->dest, dest) != 0)
			continue;
		return m->index < 0 ? m->source : (struct llb_out){.node = exec.node, .index = m->index};
	}
	return (struct llb_out){0};
}
