/* SPDX-License-Identifier: Apache-2.0 */
/* Cache digests of ops: the members that decide the result, encoded as the JSON that upstream hashes. */
#include "format/gorune.h"
#include "base/path_text.h"
#include "llb/op_json.h"
#include "ops/ops.h"
#include <string.h>

static void digest_json(json_writer *w, struct cache_map *ret)
{
	size_t n;
	g_autofree char *json = json_writer_take(&w, &n);
	struct digest d;
	digest_of(json, n, &d);
	g_strlcpy(ret->digest, d.text, sizeof ret->digest);
}

static void inputs_init(const struct llb_vertex *v, struct cache_map *ret)
{
	ret->inputs = g_new0(struct cache_map_input, v->n_inputs + 1);
	ret->last = true;
}

/* Joins texts with NUL. */
static char *digest_list(const GPtrArray *texts)
{
	g_autoptr(hasher) h = hasher_new_sha256();
	for (guint i = 0; i < texts->len; i++) {
		if (i > 0)
			hasher_update(h, "", 1);
		hasher_update(h, texts->pdata[i], strlen(texts->pdata[i]));
	}
	struct digest d;
	hasher_finish(h, &d);
	return g_strdup(d.text);
}

static GPtrArray *text_list(void)
{
	return g_ptr_array_new_with_free_func(g_free);
}

/* ---- exec */

/* The id of a cache mount is kept only in the form that a Dockerfile gives it: "[namespace/]<dest>", shared. */
static bool cache_id_counts(const Pb__Mount *m)
{
	if (m->cacheopt->sharing != PB__CACHE_SHARING_OPT__SHARED)
		return false;
	const char *slash = strchr(m->cacheopt->id, '/');
	return strcmp(m->cacheopt->id, m->dest) == 0 || (slash && strcmp(slash + 1, m->dest) == 0);
}

/* A single plain writable root is left out: older versions never included mounts, and their keys stay valid. */
static bool only_plain_root(const Pb__ExecOp *exec)
{
	if (exec->n_mounts != 1)
		return false;
	const Pb__Mount *m = exec->mounts[0];
	return strcmp(m->dest, "/") == 0 && !m->readonly && m->mounttype == PB__MOUNT_TYPE__BIND && !m->cacheopt &&
	       !m->sshopt && !m->secretopt && !*m->resultid;
}

struct exec_copy {
	Pb__ExecOp exec;
	Pb__Meta meta;
	Pb__Mount *mount_values, **mounts;
	Pb__HostIP *host_values, **hosts;
};

/* Clears the members that do not affect the result, in a copy that borrows everything else. */
static void exec_normalize(const Pb__ExecOp *from, struct exec_copy *c)
{
	static Pb__CacheOpt no_cache = PB__CACHE_OPT__INIT;
	c->exec = *from;
	c->meta = *from->meta;
	c->exec.meta = &c->meta;
	c->meta.proxy_env = NULL;
	c->host_values = g_new0(Pb__HostIP, c->meta.n_extrahosts + 1);
	c->hosts = g_new0(Pb__HostIP *, c->meta.n_extrahosts + 1);
	for (size_t i = 0; i < c->meta.n_extrahosts; i++) {
		c->host_values[i] = *from->meta->extrahosts[i];
		c->host_values[i].ip = (char *)"";
		c->hosts[i] = &c->host_values[i];
	}
	c->meta.extrahosts = c->hosts;
	c->mount_values = g_new0(Pb__Mount, from->n_mounts + 1);
	c->mounts = g_new0(Pb__Mount *, from->n_mounts + 1);
	for (size_t i = 0; i < from->n_mounts; i++) {
		c->mount_values[i] = *from->mounts[i];
		c->mount_values[i].selector = (char *)"";
		if (c->mount_values[i].cacheopt && !cache_id_counts(from->mounts[i]))
			c->mount_values[i].cacheopt = &no_cache;
		c->mounts[i] = &c->mount_values[i];
	}
	c->exec.mounts = c->mounts;
	if (only_plain_root(&c->exec))
		c->exec.n_mounts = 0;
}

static void digest_exec(const struct llb_vertex *v, struct cache_map *ret)
{
	struct exec_copy copy;
	exec_normalize(v->op->exec, &copy);
	const Pb__Platform *p = v->op->platform;
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "Type", "buildkit.exec.v0");
	json_key(w, "Exec");
	op_json_message(w, &copy.exec.base);
	json_put_string_member(w, "OS", p->os);
	json_put_string_member(w, "Arch", p->architecture);
	json_put_string_member_nonempty(w, "Variant", p->variant);
	json_put_string_member_nonempty(w, "OSVersion", p->osversion);
	json_put_strings_member_nonempty(w, "OSFeatures", p->osfeatures, p->n_osfeatures);
	json_object_end(w);
	digest_json(w, ret);
	g_free(copy.mount_values);
	g_free(copy.mounts);
	g_free(copy.host_values);
	g_free(copy.hosts);
}

/*
 * The content of an input may identify it if nothing outside the mounted part can affect the result. For the root this
 * is done only on request, because hashing it costs more than it saves.
 */
static bool mount_content(const Pb__Mount *m, const char *selector, bool *ret, GError **error)
{
	bool safe = m->output == -1 || m->readonly || strcmp(selector, "/") == 0;
	if (m->contentcache == PB__MOUNT_CONTENT_CACHE__ON && !safe)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid mount cache content %s", m->dest);
	*ret = safe && m->contentcache != PB__MOUNT_CONTENT_CACHE__OFF;
	if (m->contentcache == PB__MOUNT_CONTENT_CACHE__DEFAULT && strcmp(m->dest, "/") == 0)
		*ret = false;
	return true;
}

static bool exec_selectors(const struct llb_vertex *v, struct cache_map *ret, GError **error)
{
	g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	for (size_t i = 0; i < v->n_inputs; i++)
		g_ptr_array_add(lists, text_list());
	const Pb__ExecOp *exec = v->op->exec;
	for (size_t i = 0; i < exec->n_mounts; i++) {
		const Pb__Mount *m = exec->mounts[i];
		bool is_tree = m->mounttype == PB__MOUNT_TYPE__BIND || m->mounttype == PB__MOUNT_TYPE__CACHE;
		if (!is_tree || m->input < 0)
			continue;
		g_autofree char *rooted = g_strconcat("/", m->selector, NULL);
		char *selector = path_clean(rooted);
		g_ptr_array_add(lists->pdata[m->input], selector);
		if (!mount_content(m, selector, &ret->inputs[m->input].content, error))
			return false;
	}
	for (size_t i = 0; i < v->n_inputs; i++)
		if (((GPtrArray *)lists->pdata[i])->len > 0)
			ret->inputs[i].selector = digest_list(lists->pdata[i]);
	return true;
}

bool ops_cache_map_exec(const struct llb_vertex *v, struct cache_map *ret, GError **error)
{
	digest_exec(v, ret);
	inputs_init(v, ret);
	if (exec_selectors(v, ret, error))
		return true;
	for (size_t i = 0; i < v->n_inputs; i++)
		g_free(ret->inputs[i].selector);
	g_clear_pointer(&ret->inputs, g_free);
	return false;
}

/* ---- file */

/* Collects the paths that the actions read of each input, and the inputs that actions modify. */
struct file_inputs {
	GPtrArray **paths; /* one list per input */
	bool *is_base;
	size_t n;
};

static void add_path(struct file_inputs *in, int64_t input, const char *path)
{
	if (input >= 0 && (size_t)input < in->n)
		g_ptr_array_add(in->paths[input], g_strdup(path));
}

/* As upstream: a user without an input keeps the group from being examined. */
static void add_owner(struct file_inputs *in, const Pb__ChownOpt *owner)
{
	if (!owner)
		return;
	if (owner->user && owner->user->user_case == PB__USER_OPT__USER_BY_NAME && owner->user->byname) {
		if (owner->user->byname->input < 0)
			return;
		add_path(in, owner->user->byname->input, "/etc/passwd");
	}
	if (owner->group && owner->group->user_case == PB__USER_OPT__USER_BY_NAME && owner->group->byname)
		add_path(in, owner->group->byname->input, "/etc/group");
}

/* Behaves like Go's path.Base. */
static char *base_name(const char *path)
{
	size_t end = strlen(path);
	while (end > 0 && path[end - 1] == '/')
		end--;
	if (end == 0)
		return g_strdup(*path ? "/" : ".");
	size_t start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	return g_strndup(path + start, end - start);
}

/* Writes the body of an action as JSON; for a copy from an input only the last name of the source is included. */
static char *action_json(const Pb__FileAction *a, struct file_inputs *in)
{
	json_writer *w = json_writer_new(0);
	if (a->action_case == PB__FILE_ACTION__ACTION_COPY) {
		Pb__FileActionCopy copy = *a->copy;
		g_autofree char *base = base_name(copy.src);
		add_owner(in, copy.owner);
		if (a->secondaryinput != -1 && a->secondaryinput < (int64_t)in->n) {
			add_path(in, a->secondaryinput, copy.src);
			copy.src = base;
		}
		op_json_message(w, &copy.base);
	} else {
		if (a->action_case == PB__FILE_ACTION__ACTION_MKDIR)
			add_owner(in, a->mkdir->owner);
		else if (a->action_case == PB__FILE_ACTION__ACTION_MKFILE)
			add_owner(in, a->mkfile->owner);
		op_json_message(w, (const ProtobufCMessage *)a->mkdir); /* every member is a message */
	}
	return json_writer_take(&w, NULL);
}

/* Recognizes a chain of actions on the first input; its indices are left out, as older versions did. */
static bool default_indices(const Pb__FileOp *file)
{
	for (size_t i = 0; i < file->n_actions; i++) {
		const Pb__FileAction *a = file->actions[i];
		bool last = i == file->n_actions - 1;
		if (a->input != (i == 0 ? 0 : (int64_t)(file->n_actions + i - 1)) ||
		    (a->secondaryinput != -1 && a->secondaryinput != 1) || a->output != (last ? 0 : -1))
			return false;
	}
	return true;
}

static void put_indices(json_writer *w, const Pb__FileOp *file)
{
	json_array_member_begin(w, "indexes");
	for (size_t i = 0; i < file->n_actions; i++) {
		json_array_begin(w);
		json_put_int(w, file->actions[i]->input);
		json_put_int(w, file->actions[i]->secondaryinput);
		json_put_int(w, file->actions[i]->output);
		json_array_end(w);
	}
	json_array_end(w);
}

static void digest_file(const Pb__FileOp *file, struct file_inputs *in, struct cache_map *ret)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "Type", "buildkit.file.v0");
	json_array_member_begin(w, "Actions");
	for (size_t i = 0; i < file->n_actions; i++) {
		g_autofree char *json = action_json(file->actions[i], in);
		json_put_base64(w, json, strlen(json));
		if (file->actions[i]->input >= 0 && file->actions[i]->input < (int64_t)in->n)
			in->is_base[file->actions[i]->input] = true;
	}
	json_array_end(w);
	if (!default_indices(file))
		put_indices(w, file);
	json_object_end(w);
	digest_json(w, ret);
}

static int descending(const void *a, const void *b)
{
	return strcmp(*(const char *const *)b, *(const char *const *)a);
}

bool ops_cache_map_file(const struct llb_vertex *v, struct cache_map *ret, GError **error)
{
	inputs_init(v, ret);
	struct file_inputs in = {.n = v->n_inputs};
	in.paths = g_new0(GPtrArray *, in.n + 1);
	in.is_base = g_new0(bool, in.n + 1);
	for (size_t i = 0; i < in.n; i++)
		in.paths[i] = text_list();
	digest_file(v->op->file, &in, ret);
	for (size_t i = 0; i < in.n; i++) {
		if (in.paths[i]->len > 0 && !in.is_base[i]) {
			g_ptr_array_sort(in.paths[i], descending);
			ret->inputs[i].selector = digest_list(in.paths[i]);
			ret->inputs[i].content = true;
		}
		g_ptr_array_unref(in.paths[i]);
	}
	g_free(in.paths);
	g_free(in.is_base);
	return true;
}

/* ---- merge, diff, build, passthrough: the op message */

bool ops_cache_map_other(const struct llb_vertex *v, struct cache_map *ret, GError **error)
{
	static const struct {
		enum llb_op_type type;
		const char *name, *member;
	} rows[] = {
		{LLB_MERGE, "buildkit.merge.v0", "Merge"},
		{LLB_DIFF, "buildkit.diff.v0", "Diff"},
		{LLB_BUILD, "buildkit.build.v0", "Exec"},
		{LLB_PASSTHROUGH, "buildkit.passthrough.v0", "Passthrough"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (rows[i].type != v->type)
			continue;
		json_writer *w = json_writer_new(0);
		json_object_begin(w);
		json_put_string_member(w, "Type", rows[i].name);
		json_key(w, rows[i].member);
		op_json_message(w, (const ProtobufCMessage *)v->op->merge); /* every member is a message */
		json_object_end(w);
		digest_json(w, ret);
		inputs_init(v, ret);
		return true;
	}
	return error_set(error, ERROR_INTERNAL, "internal error: no cache digest is defined for the op of %s", v->name);
}
