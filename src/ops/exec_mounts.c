/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/exec_mounts.h"
#include "os/mount.h"
#include "base/scope.h"
#include "ops/cache_mount.h"
#include "ops/secret_mount.h"
#include "ops/ssh_mount.h"
#include "os/path.h"

struct output {
	int64_t index;  /* -1: not an output, but writable */
	size_t mount;   /* of the input */
	cache_ref *ref; /* owned; mutable ones are committed, others returned unchanged */
};
struct exec_mounts {
	const struct exec_mounts_input *in; /* borrowed by exec_mounts_new */
	worker *worker;
	GArray *trees; /* of int, borrowed from the following members: by mount of the input */
	int root_fd;   /* owned */
	bool root_readonly;
	GArray *mounts;       /* of struct step_mount */
	GPtrArray *strings;   /* of owned dests and selectors */
	GArray *fds;          /* of int, owned */
	GArray *outputs;      /* of struct output */
	GPtrArray *agents;    /* of ssh_mount * */
	cache_mounts *caches; /* owned; NULL until needed */
};

char *exec_args_text(const Pb__ExecOp *pb)
{
	GString *text = g_string_new(NULL);
	for (size_t i = 0; i < pb->meta->n_args; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? " " : "", pb->meta->args[i]);
	return g_string_free(text, FALSE);
}

static void output_clear(void *data)
{
	cache_ref_unref(((struct output *)data)->ref);
}

static void fd_clear(void *data)
{
	fd_close(data);
}

/* ---- one mount */

static int keep_fd(exec_mounts *m, int fd)
{
	g_array_append_val(m->fds, fd);
	return fd;
}

static const char *keep_string(exec_mounts *m, const char *text)
{
	char *copy = g_strdup(text);
	g_ptr_array_add(m->strings, copy);
	return copy;
}

static bool is_root(const Pb__Mount *pb)
{
	return g_str_equal(pb->dest, "/");
}

static void add_output(exec_mounts *m, const Pb__Mount *pb, cache_ref *ref)
{
	struct output o = {pb->output, m->trees->len, ref};
	g_array_append_val(m->outputs, o);
}

/*
 * Opens the tree that a bind mount shows and adds what must be kept for it to outputs. -1 and error on
 * failure.
 */
static int open_bind(exec_mounts *m, const Pb__Mount *pb, cache_ref *input, struct work *work, GError **error)
{
	cache *c = m->worker->cache;
	bool has_output = pb->output >= 0;
	bool unchanged = pb->readonly && input && !is_root(pb);
	/* A root that is neither an output nor marked read-only still uses the input itself. */
	bool plain_root = is_root(pb) && !has_output && !pb->readonly;
	if (plain_root && !input) {
		error_set(error, ERROR_INVALID_ARGUMENT, "mount %s has no input", pb->dest);
		return -1;
	}
	if (unchanged || plain_root) {
		if (has_output)
			add_output(m, pb, cache_ref_ref(input));
		return cache_ref_open_tree(c, input, CACHE_TREE_READ | CACHE_TREE_MOUNT, work, error);
	}
	/* A read-only root needs its own child, because mount points are created in it. */
	g_autofree char *description = g_strdup_printf("mount %s from %s", pb->dest, m->in->owner);
	const struct cache_record_options options = {.description = description};
	cache_ref *child = cache_new_mutable(c, input, &options, work, error);
	if (!child)
		return -1;
	add_output(m, pb, child);
	return cache_ref_open_tree(c, child, CACHE_TREE_WRITE | CACHE_TREE_MOUNT, work, error);
}

static bool fill_cache(exec_mounts *m, const Pb__Mount *pb, cache_ref *input, struct work *work, struct step_mount *ret,
		       GError **error)
{
	if (!m->caches)
		m->caches = cache_mounts_new(m->worker, m->in->owner);
	if (pb->output >= 0 && input)
		add_output(m, pb, cache_ref_ref(input));
	ret->selector = keep_string(m, pb->selector);
	return cache_mounts_get(m->caches, pb, input, work, ret, error);
}

/* ret->fd stays -1 if an optional secret or agent does not exist. */
static bool fill_secret(exec_mounts *m, const Pb__Mount *pb, struct work *work, struct step_mount *ret, GError **error)
{
	if (!pb->secretopt)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid secret mount options");
	g_autoptr(GError) why = NULL;
	int fd = secret_mount_open(pb->secretopt, work, &why);
	if (fd < 0) {
		if (!why)
			return true;
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	ret->fd = keep_fd(m, fd);
	ret->selector = SECRET_MOUNT_NAME;
	ret->readonly = ret->nosuid = ret->nodev = true;
	ret->noexec = (pb->secretopt->mode & 0111) == 0;
	return true;
}

static bool fill_ssh(exec_mounts *m, const Pb__Mount *pb, struct work *work, struct step_mount *ret, GError **error)
{
	const Pb__SSHOpt none = PB__SSHOPT__INIT;
	g_autoptr(GError) why = NULL;
	ssh_mount *agent = ssh_mount_new(pb->sshopt ? pb->sshopt : &none, work, &why);
	if (!agent) {
		if (!why)
			return true;
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	g_ptr_array_add(m->agents, agent);
	ret->fd = ssh_mount_fd(agent);
	ret->selector = SSH_MOUNT_NAME;
	return true;
}

static bool find_input(const exec_mounts *m, const Pb__Mount *pb, cache_ref **ret, GError **error)
{
	*ret = NULL;
	if (pb->input < 0)
		return true;
	if ((uint64_t)pb->input >= m->in->n_inputs)
		return error_set(error, ERROR_INVALID_ARGUMENT, "missing input %" G_GINT64_FORMAT, pb->input);
	*ret = m->in->inputs[pb->input];
	return true;
}

static bool add_root(exec_mounts *m, const Pb__Mount *pb, cache_ref *input, struct work *work, GError **error)
{
	if (pb->mounttype != PB__MOUNT_TYPE__BIND) {
		const ProtobufCEnumValue *type =
			protobuf_c_enum_descriptor_get_value(&pb__mount_type__descriptor, (int)pb->mounttype);
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid mount type %s for %s", type ? type->name : "?",
				 pb->dest);
	}
	fd_close(&m->root_fd);
	m->root_fd = open_bind(m, pb, input, work, error);
	m->root_readonly = pb->readonly;
	g_array_append_val(m->trees, m->root_fd);
	return m->root_fd >= 0;
}

static const char *clean_dest(exec_mounts *m, const Pb__Mount *pb)
{
	g_autofree char *joined =
		pb->dest[0] == '/' ? g_strdup(pb->dest) : g_strconcat("/", m->in->cwd, "/", pb->dest, NULL);
	char *dest = path_clean(joined);
	g_ptr_array_add(m->strings, dest);
	return dest;
}

static bool add_mount(exec_mounts *m, const Pb__Mount *pb, struct work *work, GError **error)
{
	struct step_mount mount = {.type = STEP_MOUNT_TREE, .fd = -1, .readonly = pb->readonly};
	cache_ref *input;
	bool ok;
	if (!find_input(m, pb, &input, error))
		return false;
	if (is_root(pb))
		return add_root(m, pb, input, work, error);
	mount.dest = clean_dest(m, pb);
	switch (pb->mounttype) {
	case PB__MOUNT_TYPE__BIND:
		mount.fd = open_bind(m, pb, input, work, error);
		ok = mount.fd >= 0;
		if (ok)
			keep_fd(m, mount.fd);
		mount.selector = keep_string(m, pb->selector);
		break;
	case PB__MOUNT_TYPE__CACHE:
		ok = fill_cache(m, pb, input, work, &mount, error);
		break;
	case PB__MOUNT_TYPE__TMPFS:
		mount.type = STEP_MOUNT_TMPFS;
		mount.tmpfs_size = pb->tmpfsopt ? pb->tmpfsopt->size : 0;
		ok = true;
		break;
	case PB__MOUNT_TYPE__SECRET:
		ok = fill_secret(m, pb, work, &mount, error);
		break;
	case PB__MOUNT_TYPE__SSH:
		ok = fill_ssh(m, pb, work, &mount, error);
		break;
	case _PB__MOUNT_TYPE_IS_INT_SIZE:
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "mount type %d not implemented", (int)pb->mounttype);
	}
	if (ok && (mount.fd >= 0 || mount.type == STEP_MOUNT_TMPFS))
		g_array_append_val(m->mounts, mount);
	g_array_append_val(m->trees, mount.fd);
	return ok;
}

/* ---- all mounts */

static int by_dest(const void *a, const void *b)
{
	return strcmp(((const struct step_mount *)a)->dest, ((const struct step_mount *)b)->dest);
}

/* Parents before children; equal ones in the given order (insertion sort, because there are few mounts). */
static void sort_mounts(GArray *mounts)
{
	struct step_mount *m = (struct step_mount *)(void *)mounts->data;
	for (guint i = 1; i < mounts->len; i++) {
		for (guint k = i; k > 0 && by_dest(&m[k - 1], &m[k]) > 0; k--) {
			struct step_mount swap = m[k];
			m[k] = m[k - 1];
			m[k - 1] = swap;
		}
	}
}

exec_mounts *exec_mounts_new(const struct exec_mounts_input *in, struct work *work, GError **error)
{
	g_autoptr(exec_mounts) m = g_new0(exec_mounts, 1);
	m->in = in;
	m->worker = in->worker;
	m->root_fd = -1;
	m->trees = g_array_new(FALSE, FALSE, sizeof(int));
	m->mounts = g_array_new(FALSE, FALSE, sizeof(struct step_mount));
	m->strings = g_ptr_array_new_with_free_func(g_free);
	m->fds = g_array_new(FALSE, FALSE, sizeof(int));
	g_array_set_clear_func(m->fds, fd_clear);
	m->outputs = g_array_new(FALSE, FALSE, sizeof(struct output));
	g_array_set_clear_func(m->outputs, output_clear);
	m->agents = g_ptr_array_new_with_free_func((GDestroyNotify)ssh_mount_free);
	for (size_t i = 0; i < in->n_mounts; i++)
		if (!add_mount(m, in->mounts[i], work, error))
			return NULL;
	if (m->root_fd < 0) {
		error_set(error, ERROR_INVALID_ARGUMENT, "invalid exec op with no rootfs");
		return NULL;
	}
	sort_mounts(m->mounts);
	m->in = NULL;
	return g_steal_pointer(&m);
}

void exec_mounts_fill(const exec_mounts *m, struct step *step)
{
	step->root_fd = m->root_fd;
	step->root_readonly = m->root_readonly;
	step->mounts = (const struct step_mount *)(const void *)m->mounts->data;
	step->n_mounts = m->mounts->len;
}

size_t exec_mounts_count(const exec_mounts *m)
{
	return m->trees->len;
}

int exec_mounts_tree(const exec_mounts *m, size_t i)
{
	return i < m->trees->len ? g_array_index(m->trees, int, i) : -1;
}

void exec_mounts_close(exec_mounts *m)
{
	g_array_set_size(m->trees, 0);
	g_ptr_array_set_size(m->agents, 0);
	g_array_set_size(m->fds, 0);
	fd_close(&m->root_fd);
	mount_collect();
	g_clear_pointer(&m->caches, cache_mounts_free);
}

bool exec_mounts_commit(exec_mounts *m, struct work *work, void **ret_outputs, size_t n, GError **error)
{
	g_autofree void **results = g_new0(void *, n + 1);
	bool ok = true;
	for (guint i = 0; ok && i < m->outputs->len; i++) {
		struct output *o = &g_array_index(m->outputs, struct output, i);
		if (o->index < 0 || (uint64_t)o->index >= n || results[o->index])
			continue;
		cache_ref *r = g_steal_pointer(&o->ref);
		if (cache_ref_is_mutable(r))
			r = cache_commit(r, work, error);
		results[o->index] = r;
		ok = r != NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (ok)
			ret_outputs[i] = results[i];
		else
			cache_ref_unref(results[i]);
	return ok;
}

void exec_mounts_commit_failed(exec_mounts *m, struct work *work, cache_ref **ret)
{
	for (guint i = 0; i < m->outputs->len; i++) {
		struct output *o = &g_array_index(m->outputs, struct output, i);
		cache_ref *r = g_steal_pointer(&o->ref);
		if (cache_ref_is_mutable(r))
			cache_ref_set_temporary(r = cache_commit(r, work, NULL));
		ret[o->mount] = r;
	}
}

void exec_mounts_free(exec_mounts *m)
{
	exec_mounts_close(m);
	g_array_unref(m->outputs);
	g_ptr_array_unref(m->agents);
	g_array_unref(m->fds);
	g_array_unref(m->trees);
	g_array_unref(m->mounts);
	g_ptr_array_unref(m->strings);
	g_free(m);
}
