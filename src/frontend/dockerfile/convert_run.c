/* SPDX-License-Identifier: Apache-2.0 */
/* RUN: one exec step with its mounts. */
#include "frontend/dockerfile/devices.h"
#include "frontend/dockerfile/convert_shared.h"
#include "api/message_copy.h"
#include "format/gotype.h"
#include "frontend/dockerfile/mounts.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

/* State of the conversion of one RUN. */
struct run {
	convert *c;
	struct stage *s;
	const struct command *cmd;
	const struct instruction_run *flags;
	struct vec args;
	struct vec mounts;     /* element type: struct llb_exec_mount *: binds, caches, tmpfs */
	struct vec secrets;    /* secret and ssh mounts, in order */
	struct vec secret_env; /* element type: Pb__SecretEnv * */
	struct vec masked;     /* names of variables with secret values */
	const char *name;      /* text for the vertex name */
};

static struct llb_exec_mount *add_mount(struct run *r, struct vec *list, const char *dest)
{
	struct llb_exec_mount *m = arena_make(r->c->arena, struct llb_exec_mount);
	m->dest = dest;
	arena_push(r->c->arena, list, m);
	return m;
}

/* --- here-documents --- */

/* RUN <<EOF: the body is the command or, if it begins with "#!", a script file. */
static void run_body(struct run *r, const struct heredoc *doc)
{
	convert *c = r->c;
	const char *content = doc->chomp ? heredoc_chomp(c->arena, doc->content) : doc->content;
	r->args = (struct vec){0};
	if (strcmp(r->s->image->os, "windows") != 0 && g_str_has_prefix(content, "#!")) {
		struct llb_exec_mount *m = add_mount(r, &r->mounts, "/dev/pipes/");
		m->source = inline_file(c, r->s, doc->name, content, 0755);
		m->selector = "/"; /* as upstream, so that digests are equal */
		m->readonly = true;
		arena_push(c->arena, &r->args,
			   text_path_clean(c->arena, arena_printf(c->arena, "/dev/pipes/%s", doc->name)));
	} else {
		arena_push(c->arena, &r->args, content);
	}
	const char *text = text_trim(c->arena, doc->content); /* the vertex name shows its first line */
	size_t n = strcspn(text, "\n");
	bool more = text[n];
	if (n && more && text[n - 1] == '\r')
		n--;
	r->name = arena_printf(c->arena, "%s (%.*s%s)", r->name, (int)n, text, more ? "..." : "");
}

static bool run_heredocs(struct run *r, GError **error)
{
	const struct vec *heredocs = &r->flags->heredocs;
	if (!heredocs->n)
		return true;
	if (r->args.n != 1 || r->flags->command.json)
		return error_set(error, ERROR_INVALID_ARGUMENT, "parsing produced an invalid run command");
	if (heredoc_parse(r->c->arena, r->args.items[0])) {
		run_body(r, heredocs->items[0]);
		return true;
	}
	/* Otherwise the shell parses the here-documents. */
	g_autoptr(GString) s = g_string_new(r->args.items[0]);
	for (size_t n = 0; n < heredocs->n; n++) {
		const struct heredoc *doc = heredocs->items[n];
		g_string_append_printf(s, "\n%s%s", doc->content, doc->name);
	}
	r->args = (struct vec){0};
	arena_push(r->c->arena, &r->args, arena_strndup(r->c->arena, s->str, s->len));
	return true;
}

/* --- mounts --- */

static void secret_record(struct run *r, struct vec *list, const char *id, bool required)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(vec_at(list, struct secret_info *, i)->id, id) == 0)
			return;
	struct secret_info *info = arena_make(r->c->arena, struct secret_info);
	*info = (struct secret_info){id, required, r->cmd->instruction->span};
	arena_push(r->c->arena, list, info);
}

static void mount_owner(struct llb_exec_mount *to, const struct run_mount *m, uint32_t mode)
{
	to->uid = m->uid.value;
	to->gid = m->gid.value;
	to->mode = m->mode.given ? m->mode.value : mode;
	to->optional = !m->required;
}

static bool mount_secret(struct run *r, const struct run_mount *m, GError **error)
{
	arena *a = r->c->arena;
	const char *id = *m->source ? m->source : *m->id ? m->id : text_path_base(a, m->target);
	secret_record(r, &r->s->secrets, id, m->required);
	if (m->env) {
		Pb__SecretEnv *env = message_new_in(a, Pb__SecretEnv, pb__secret_env);
		env->id = (char *)id;
		env->name = (char *)m->env;
		env->optional = !m->required;
		arena_push(a, &r->secret_env, env);
		arena_push(a, &r->masked, m->env);
	}
	if (m->env && !*m->target)
		return true;
	const char *dest = *m->target ? m->target : arena_printf(a, "/run/secrets/%s", text_path_base(a, id));
	struct llb_exec_mount *to = add_mount(r, &r->secrets, dest);
	to->type = PB__MOUNT_TYPE__SECRET;
	to->secret_id = id;
	mount_owner(to, m, 0400);
	return true;
}

static bool mount_ssh(struct run *r, const struct run_mount *m, GError **error)
{
	if (*m->source)
		return error_set(error, ERROR_INVALID_ARGUMENT, "ssh does not support source");
	secret_record(r, &r->s->ssh, *m->id ? m->id : "default", m->required);
	struct llb_exec_mount *to = add_mount(r, &r->secrets, m->target);
	to->type = PB__MOUNT_TYPE__SSH;
	to->secret_id = m->id;
	mount_owner(to, m, 0600);
	return true;
}

/* A separate directory below the cache, if its owner or mode is given. */
static struct llb_out owned_cache(struct run *r, struct llb_out on, const struct run_mount *m)
{
	Pb__UserOpt user = PB__USER_OPT__INIT, group = PB__USER_OPT__INIT;
	Pb__ChownOpt owner = PB__CHOWN_OPT__INIT;
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	user.user_case = group.user_case = PB__USER_OPT__USER_BY_ID;
	user.byid = m->uid.value;
	group.byid = m->gid.value;
	owner.user = &user;
	owner.group = &group;
	mkdir.path = (char *)"/cache";
	mkdir.mode = m->mode.given ? (int32_t)(m->mode.value & 0777) : 0755;
	mkdir.owner = &owner;
	mkdir.timestamp = -1;
	struct llb_file_action action = {.type = PB__FILE_ACTION__ACTION_MKDIR, .mkdir = &mkdir};
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = "[internal] setting cache mount permissions";
	return llb_file(r->c->graph, on, &action, 1, &meta);
}

static void cache_options(struct run *r, const struct run_mount *m, struct llb_exec_mount *to)
{
	arena *a = r->c->arena;
	const char *id = *m->id ? m->id : text_path_clean(a, m->target);
	to->type = PB__MOUNT_TYPE__CACHE;
	to->cache_id = arena_printf(a, "%s/%s", r->c->options->cache_namespace, id);
	if (m->sharing == RUN_SHARING_PRIVATE)
		to->sharing = PB__CACHE_SHARING_OPT__PRIVATE;
	if (m->sharing == RUN_SHARING_LOCKED)
		to->sharing = PB__CACHE_SHARING_OPT__LOCKED;
}

/* Bind, cache and tmpfs mounts. source: the stage that "from" names. */
static bool mount_tree(struct run *r, const struct run_mount *m, struct stage *source, GError **error)
{
	convert *c = r->c;
	bool from_context = !*m->from && m->type != RUN_MOUNT_CACHE;
	if (!from_context && !source->dispatched) {
		g_autofree char *from = go_quote(*m->from ? m->from : "scratch"), *at = go_quote(m->target);
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "cannot mount from stage %s to %s, stage needs to be defined before current command",
				 from, at);
	}
	const char *target = m->target;
	if (*target != '/')
		target = text_path_rooted(r->c->arena, arena_printf(r->c->arena, "%s/%s", r->s->state.dir, target));
	if (strcmp(target, "/") == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid mount target \"/\"");
	struct llb_exec_mount *to = add_mount(r, &r->mounts, target);
	to->source = from_context ? c->context_placeholder : source->state.out;
	to->readonly = m->readonly;
	if (m->type == RUN_MOUNT_TMPFS) {
		to->source = (struct llb_out){0};
		to->type = PB__MOUNT_TYPE__TMPFS;
		to->tmpfs_size = m->size;
	}
	if (m->type == RUN_MOUNT_BIND)
		to->no_output = !m->readonly && convert_has_cap("exec.mount.bind.readwrite-nooutput");
	if (m->type == RUN_MOUNT_CACHE)
		cache_options(r, m, to);
	const char *selector = text_path_rooted(c->arena, m->source);
	if (strcmp(selector, "/") != 0) {
		to->selector = selector;
	} else if (m->uid.given || m->gid.given || m->mode.given) {
		to->source = owned_cache(r, to->source, m);
		to->selector = "/cache";
	}
	g_hash_table_add(from_context ? c->context_paths : source->paths, (char *)selector);
	return true;
}

static const char *expand_value(void *user, const char *value, GError **error)
{
	struct run *r = user;
	return convert_expand(r->c, r->s, r->cmd, value, error);
}

static bool run_mounts(struct run *r, GError **error)
{
	struct vec parsed = {0};
	for (size_t n = 0; n < r->flags->mounts.n; n++) {
		struct run_mount *m = arena_make(r->c->arena, struct run_mount);
		if (!mount_parse(r->c->arena, r->flags->mounts.items[n], expand_value, r, m, error))
			return false;
		arena_push(r->c->arena, &parsed, m);
	}
	for (size_t n = 0; n < parsed.n; n++) {
		const struct run_mount *m = parsed.items[n];
		bool ok = m->type == RUN_MOUNT_SECRET ? mount_secret(r, m, error)
			  : m->type == RUN_MOUNT_SSH  ? mount_ssh(r, m, error)
						      : mount_tree(r, m, r->cmd->sources.items[n], error);
		if (!ok)
			return false;
	}
	return true;
}

/* --- the step --- */

struct masked_env {
	struct words_env words;
	const struct run *r;
};

static const char *masked_get(const struct words_env *words, const char *name)
{
	const struct run *r = ((const struct masked_env *)words)->r;
	return vec_has(&r->masked, name) ? "****" : env_get(r->s->state.env, name);
}

static const char *vertex_name(struct run *r)
{
	struct masked_env env = {{masked_get}, r};
	const char *text = name_text(r->c, r->name, &env.words, true);
	return name_prefix(r->c, r->s, text, r->s->state.platform, true);
}

/* Returns the values of ARGs for the history: "|2 A=1 B=2 ". */
static const char *args_prefix(struct run *r)
{
	const struct vec *args = &r->s->args;
	if (!args->n)
		return "";
	g_autoptr(GString) s = g_string_new(NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < args->n; i++) {
		const struct pair *arg = args->items[i];
		/* If an ARG is declared several times and not in the environment, its last value is used. */
		for (size_t k = i + 1; !env_get(r->s->state.env, arg->key) && k < args->n; k++)
			if (strcmp(vec_at(args, struct pair *, k)->key, arg->key) == 0)
				arg = args->items[k];
		if (!g_hash_table_add(seen, (char *)arg->key))
			continue;
		const char *value = env_get(r->s->state.env, arg->key);
		g_string_append_printf(s, "%s=%s ", arg->key, value ? value : arg->value ? arg->value : "");
	}
	guint n = g_hash_table_size(seen);
	return n ? arena_printf(r->c->arena, "|%u %s", n, s->str) : "";
}

static bool run_meta(struct run *r, Pb__Meta *meta, GError **error)
{
	const struct options *o = r->c->options;
	pb__meta__init(meta);
	meta->n_args = r->args.n;
	meta->args = (char **)r->args.items;
	meta->env = env_strings(r->s->state.env, &meta->n_env);
	meta->cwd = (char *)r->s->state.dir;
	meta->user = (char *)r->s->state.user;
	meta->hostname = (char *)r->s->state.hostname;
	meta->proxy_env = r->c->proxy;
	meta->n_extrahosts = o->hosts.n;
	meta->extrahosts = (Pb__HostIP **)o->hosts.items;
	if (convert_has_cap("exec.meta.ulimit")) {
		meta->n_ulimit = o->ulimits.n;
		meta->ulimit = (Pb__Ulimit **)o->ulimits.items;
	}
	if (convert_has_cap("exec.meta.cgroup.parent"))
		meta->cgroupparent = (char *)o->cgroup_parent;
	return convert_spend(r->c, r->s->state.env->bytes, error);
}

static struct llb_exec_mount *all_mounts(struct run *r, size_t *ret_n)
{
	const struct options *o = r->c->options;
	struct llb_exec_mount *root = add_mount(r, &r->mounts, "/");
	root->source = r->s->state.out;
	if (o->shm_size > 0 && convert_has_cap("exec.mount.tmpfs.size")) {
		struct llb_exec_mount *shm = add_mount(r, &r->mounts, "/dev/shm");
		shm->type = PB__MOUNT_TYPE__TMPFS;
		shm->tmpfs_size = o->shm_size;
	}
	*ret_n = r->mounts.n + r->secrets.n;
	struct llb_exec_mount *list = arena_alloc(r->c->arena, *ret_n * sizeof *list);
	for (size_t i = 0; i < r->mounts.n; i++)
		list[i] = *vec_at(&r->mounts, struct llb_exec_mount *, i);
	for (size_t i = 0; i < r->secrets.n; i++)
		list[r->mounts.n + i] = *vec_at(&r->secrets, struct llb_exec_mount *, i);
	return list;
}

static bool run_step(struct run *r, GError **error)
{
	convert *c = r->c;
	const struct instruction *i = r->cmd->instruction;
	Pb__Meta process;
	if (!run_meta(r, &process, error))
		return false;
	const char *description[] = {"com.docker.dockerfile.v1.command", i->code, NULL};
	struct llb_meta meta = convert_meta(c, vertex_name(r), i->span);
	meta.description = description;
	meta.ignore_cache = r->s->no_cache;
	meta.platform = r->s->state.platform;
	if (convert_has_cap("exec.meta.linux.resources"))
		meta.resources = c->options->resources;
	struct llb_exec_spec spec = {.meta = &process, .network = r->s->state.network};
	if (g_strcmp0(r->flags->network, "none") == 0)
		spec.network = PB__NET_MODE__NONE;
	if (g_strcmp0(r->flags->network, "host") == 0)
		spec.network = PB__NET_MODE__HOST;
	if (g_strcmp0(r->flags->security, "insecure") == 0)
		spec.security = PB__SECURITY_MODE__INSECURE;
	if (r->flags->devices.n > 0 && convert_has_cap("exec.meta.cdi")) {
		spec.devices = devices_new(c->arena, &r->flags->devices);
		spec.n_devices = r->flags->devices.n;
	}
	spec.mounts = all_mounts(r, &spec.n_mounts);
	spec.secret_env = (Pb__SecretEnv **)r->secret_env.items;
	spec.n_secret_env = r->secret_env.n;
	/* Upstream reports these errors at marshalling, without lines. */
	if (!r->args.n)
		c->marshal_error = "arguments are required";
	for (size_t k = 0; k < r->args.n; k++)
		if (!g_utf8_validate(r->args.items[k], -1, NULL))
			c->marshal_error = "string field contains invalid UTF-8";
	if (c->marshal_error)
		return true;
	r->s->state.out = llb_exec(c->graph, &spec, &meta);
	return true;
}

bool convert_run(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	const struct instruction_run *flags = &cmd->instruction->run;
	struct run r = {.c = c,
			.s = s,
			.cmd = cmd,
			.flags = flags,
			.args = flags->command.args,
			.name = cmd->instruction->code};
	g_hash_table_add(s->paths, (char *)"/"); /* the process can read all files */
	if (!run_heredocs(&r, error))
		return false;
	if (!flags->command.json)
		command_with_shell(c, s, &r.args);
	if (!run_mounts(&r, error))
		return false;
	if (flags->devices.n && !c->options->labs)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "device feature is only supported in Dockerfile frontend 1.14.0-labs or later");
	if (!run_step(&r, error))
		return false;
	g_autofree char *args = vec_join(&r.args, " ");
	convert_commit(c, s, arena_printf(c->arena, "RUN %s%s # buildkit", args_prefix(&r), args), true);
	return true;
}
