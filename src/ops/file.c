/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file op is a small graph: values 0..n-1 are the op's inputs, n.. the results of its actions. An action writes into
 * a child of its input. The child is committed as a record only if it is an output or has another user; otherwise the
 * next action continues to write to it.
 */
#include "base/scope.h"
#include "ops/failure.h"
#include "ops/file_action.h"
#include "ops/file_key.h"
#include "ops/op.h"
#include "ops/fingerprint.h"
#include "os/passwd.h"
#include <fcntl.h>

struct value {
	cache_ref *ref;    /* committed, or an input; owned for actions */
	cache_ref *open;   /* owned; the child being written */
	int fd;            /* owned; the tree of open, -1: it is opened again when it is needed */
	file_links *links; /* owned; of open */
	unsigned uses;
	bool is_output, done, busy;
};
struct file_run {
	const struct op *op;
	const Pb__FileOp *pb;
	struct work *work;
	struct value *values;
	size_t n_inputs, n;
};

static void file_run_clear(struct file_run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		fd_close(&r->values[i].fd);
		file_links_free(r->values[i].links);
		cache_ref_unref(r->values[i].open);
		cache_ref_unref(r->values[i].ref);
	}
	g_free(r->values);
}

/* ---- checks */

static bool count_use(struct file_run *r, int64_t index, const char *what, GError **error)
{
	if (index < -1 || index >= (int64_t)r->n)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid %s index %" G_GINT64_FORMAT ", %zu provided",
				 what, index, r->n);
	if (index >= 0)
		r->values[index].uses++;
	return true;
}

static bool check_outputs(struct file_run *r, size_t *ret_n, GError **error)
{
	g_autofree bool *seen = g_new0(bool, r->pb->n_actions + 1);
	size_t n = 0;
	for (size_t i = 0; i < r->pb->n_actions; i++) {
		int64_t output = r->pb->actions[i]->output;
		if (output < 0)
			continue;
		if ((uint64_t)output < r->pb->n_actions && seen[output])
			return error_set(error, ERROR_INVALID_ARGUMENT, "duplicate output %" G_GINT64_FORMAT, output);
		if ((uint64_t)output < r->pb->n_actions)
			seen[output] = true;
		r->values[r->n_inputs + i].is_output = true;
		n++;
	}
	if (n == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "no outputs specified");
	for (size_t i = 0; i < n; i++)
		if (!seen[i])
			return error_set(error, ERROR_INVALID_ARGUMENT, "missing output index %zu", i);
	*ret_n = n;
	return true;
}

static bool file_run_init(struct file_run *r, void *const *inputs, size_t n_inputs, GError **error)
{
	r->n_inputs = n_inputs;
	r->n = n_inputs + r->pb->n_actions;
	r->values = g_new0(struct value, r->n + 1);
	for (size_t i = 0; i < r->n; i++)
		r->values[i].fd = -1;
	for (size_t i = 0; i < n_inputs; i++) {
		cache_ref *input = op_ref(inputs[i]);
		r->values[i].ref = input ? cache_ref_ref(input) : NULL;
		r->values[i].done = true;
	}
	for (size_t i = 0; i < r->pb->n_actions; i++) {
		const Pb__FileAction *a = r->pb->actions[i];
		if (!count_use(r, a->input, "input", error) ||
		    !count_use(r, a->secondaryinput, "secondary input", error))
			return false;
	}
	return true;
}

/* ---- one action */

static const Pb__NamedUserOpt *named(const Pb__UserOpt *u)
{
	return u && u->user_case == PB__USER_OPT__USER_BY_NAME ? u->byname : NULL;
}

static bool ensure_fd(struct file_run *r, struct value *v, GError **error)
{
	if (v->fd < 0)
		v->fd = cache_ref_open_tree(r->op->worker->cache, v->open, CACHE_TREE_WRITE, r->work, error);
	return v->fd >= 0;
}

/* Opens a tree to read names or files from; the caller closes it. */
static int open_value(struct file_run *r, struct value *v, GError **error)
{
	if (v->open) {
		if (!ensure_fd(r, v, error))
			return -1;
		int fd = openat(v->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			error_set_errno(error, errno, "open tree");
		return fd;
	}
	return cache_ref_open_tree(r->op->worker->cache, v->ref, CACHE_TREE_READ, r->work, error);
}

static int open_named_tree(struct file_run *r, const Pb__NamedUserOpt *n, GError **error)
{
	if (n->input < 0 || n->input >= (int64_t)r->n) {
		error_set(error, ERROR_INVALID_ARGUMENT, "invalid user index: %" G_GINT64_FORMAT, n->input);
		return -1;
	}
	return open_value(r, &r->values[n->input], error);
}

/* By id without a group: the group of the same number; by name: the user's primary group. Unknown names are 0. */
static bool find_owner(struct file_run *r, const Pb__ChownOpt *o, struct file_owner *ret, GError **error)
{
	*ret = (struct file_owner){.set = o != NULL};
	if (!o)
		return true;
	if (named(o->user)) {
		scoped_fd fd = open_named_tree(r, named(o->user), error);
		if (fd < 0 || !passwd_lookup_uid(fd, named(o->user)->name, &ret->uid, &ret->gid, error))
			return false;
	} else if (o->user && o->user->user_case == PB__USER_OPT__USER_BY_ID) {
		ret->uid = o->user->byid;
		ret->gid = o->user->byid;
	}
	if (named(o->group)) {
		scoped_fd fd = open_named_tree(r, named(o->group), error);
		if (fd < 0 || !passwd_lookup_gid(fd, named(o->group)->name, &ret->gid, error))
			return false;
	} else if (o->group && o->group->user_case == PB__USER_OPT__USER_BY_ID) {
		ret->gid = o->group->byid;
	}
	return true;
}

/* Opens the tree that an action writes to: a new child, or the one that the preceding action left open. */
static bool open_target(struct file_run *r, const Pb__FileAction *a, struct value *v, GError **error)
{
	struct value *base = a->input >= 0 ? &r->values[a->input] : NULL;
	cache *c = r->op->worker->cache;
	if (base && base->open) {
		v->open = g_steal_pointer(&base->open);
		v->links = g_steal_pointer(&base->links);
		v->fd = fd_steal(&base->fd);
		return ensure_fd(r, v, error);
	}
	const char *name = r->op->v->name;
	const struct cache_record_options options = {
		.description = name && *name != '\0' ? name : "fileop target",
	};
	v->open = cache_new_mutable(c, base ? base->ref : NULL, &options, r->work, error);
	if (!v->open)
		return false;
	if (!ensure_fd(r, v, error))
		return false;
	v->links = file_links_new(v->open);
	return true;
}

/* Makes the links that could not be made while the tree was mounted. */
static bool settle_links(struct file_run *r, struct value *v, GError **error)
{
	if (!file_links_is_pending(v->links))
		return true;
	fd_close(&v->fd);
	return file_links_settle(v->links, r->work->cancel, error);
}

static bool finish_value(struct file_run *r, struct value *v, GError **error)
{
	v->done = true;
	if (!v->is_output && v->uses <= 1)
		return true;
	fd_close(&v->fd);
	g_clear_pointer(&v->links, file_links_free);
	v->ref = cache_commit(g_steal_pointer(&v->open), r->work, error);
	return v->ref != NULL;
}

static bool run_action(struct file_run *r, size_t index, GError **error)
{
	const Pb__FileAction *a = r->pb->actions[index - r->n_inputs];
	struct value *v = &r->values[index];
	struct file_owner owner;
	scoped_fd from = -1;
	struct value none = {.fd = -1}, *from_value = &none;
	if (a->action_case == PB__FILE_ACTION__ACTION_COPY) {
		from_value = a->secondaryinput >= 0 ? &r->values[a->secondaryinput] : &none;
		from = open_value(r, from_value, error);
		if (from < 0)
			return false;
	}
	if (!find_owner(r, file_action_owner(a), &owner, error) || !open_target(r, a, v, error))
		return false;
	file_links_begin(v->links, from_value->open ? NULL : from_value->ref, from);
	if (!file_action_run(a, v->fd, from, owner, v->links, r->work->cancel, error))
		return false;
	fd_close(&from);
	return settle_links(r, v, error) && finish_value(r, v, error);
}

/* Returns the tree of an action's value as it is, owned; NULL: it has none, or it cannot be committed. */
static cache_ref *take_tree(struct file_run *r, struct value *v)
{
	if (!v->open)
		return v->ref ? cache_ref_ref(v->ref) : NULL;
	fd_close(&v->fd);
	g_clear_pointer(&v->links, file_links_free);
	cache_ref *tree = cache_commit(g_steal_pointer(&v->open), r->work, NULL);
	cache_ref_set_temporary(tree);
	return tree;
}

/* Keeps the inputs, and what the action, those before it and that of its source have written, by action. */
static void keep_failure(struct file_run *r, size_t index, GError *error)
{
	op_failure *f = op_failure_new(r->n_inputs, r->pb->n_actions);
	size_t secondary = (size_t)r->pb->actions[index - r->n_inputs]->secondaryinput;
	for (size_t i = 0; i < r->n_inputs; i++)
		f->inputs[i] = r->values[i].ref ? cache_ref_ref(r->values[i].ref) : NULL;
	f->mounts[index - r->n_inputs] = take_tree(r, &r->values[index]);
	if (secondary >= r->n_inputs && secondary < r->n && secondary != index)
		f->mounts[secondary - r->n_inputs] = take_tree(r, &r->values[secondary]);
	g_autofree char *subject = g_strdup_printf("\"file\":{\"index\":\"%zu\"}", index - r->n_inputs);
	op_failure_attach(f, r->op, subject, error);
}

/* ---- all actions */

/* Returns the next unresolved input of an action; -1 if there is none. */
static int64_t next_missing(const struct file_run *r, const Pb__FileAction *a)
{
	const Pb__ChownOpt *o = file_action_owner(a);
	const Pb__NamedUserOpt *user = o ? named(o->user) : NULL;
	const Pb__NamedUserOpt *group = o ? named(o->group) : NULL;
	const int64_t needs[] = {a->input, a->secondaryinput, user ? user->input : -1, group ? group->input : -1};
	for (size_t i = 0; i < G_N_ELEMENTS(needs); i++)
		if (needs[i] >= 0 && needs[i] < (int64_t)r->n && !r->values[needs[i]].done)
			return needs[i];
	return -1;
}

/* Depth first with an explicit stack. */
static bool evaluate(struct file_run *r, size_t index, GError **error)
{
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(size_t));
	g_array_append_val(stack, index);
	while (stack->len > 0) {
		size_t at = g_array_index(stack, size_t, stack->len - 1);
		struct value *v = &r->values[at];
		int64_t missing = v->done ? -1 : next_missing(r, r->pb->actions[at - r->n_inputs]);
		v->busy = true;
		if (missing >= 0) {
			size_t next = (size_t)missing;
			if (r->values[next].busy)
				return error_set(error, ERROR_INVALID_ARGUMENT, "loop from index %zu", next);
			g_array_append_val(stack, next);
			continue;
		}
		GError *failure = NULL;
		if (!v->done && !run_action(r, at, &failure)) {
			if (!cancel_is_set(r->work->cancel))
				keep_failure(r, at, failure);
			g_propagate_error(error, failure);
			return false;
		}
		v->busy = false;
		g_array_set_size(stack, stack->len - 1);
	}
	return true;
}

static bool file_run(const struct op *op, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		     size_t n_outputs, GError **error)
{
	__attribute__((cleanup(file_run_clear))) struct file_run r = {.op = op, .pb = op->v->op->file, .work = work};
	size_t n;
	if (!file_run_init(&r, inputs, n_inputs, error) || !check_outputs(&r, &n, error))
		return false;
	for (size_t i = r.n_inputs; i < r.n; i++)
		if (r.values[i].is_output && !evaluate(&r, i, error))
			return false;
	for (size_t i = 0; i < n_outputs; i++)
		ret_outputs[i] = NULL;
	for (size_t i = 0; i < r.pb->n_actions; i++) {
		int64_t output = r.pb->actions[i]->output;
		if (output >= 0 && (uint64_t)output < n_outputs)
			ret_outputs[output] = g_steal_pointer(&r.values[r.n_inputs + i].ref);
	}
	return true;
}

static bool file_exec(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		      size_t n_outputs, GError **error)
{
	g_autoptr(fingerprint) s = fingerprint_begin(self, inputs, n_inputs, work);
	if (!file_run(self, work, inputs, n_inputs, ret_outputs, n_outputs, error))
		return false;
	fingerprint_keep(self, s);
	return true;
}

static bool file_cache_map(void *self, struct work *work, unsigned phase, struct cache_map *ret, GError **error)
{
	const struct op *op = self;
	if (!ops_cache_map_file(op->v, ret, error))
		return false;
	ret->last = true;
	return true;
}

static GArray *file_selectors(const struct op *op, unsigned input)
{
	return file_key_selectors(op->v->op->file, input);
}

static bool file_content_key(void *self, struct work *work, unsigned input, void *result, struct digest *ret,
			     GError **error)
{
	const struct op *op = self;
	g_autoptr(GArray) selectors = file_selectors(op, input);
	return op_checksum(op, op_ref(result), (const struct contenthash_selector *)(const void *)selectors->data,
			   selectors->len, work, ret, error);
}

static const struct solver_op_class class = {
	.cache_map = file_cache_map,
	.content_key = file_content_key,
	.prepare = op_prepare,
	.exec = file_exec,
	.takes_slot = true,
	.free = op_free,
};

bool op_file_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	struct op *op = op_new(sizeof *op, w, v);
	op->selectors = file_selectors;
	*ret = (struct solver_op){&class, op};
	return true;
}
