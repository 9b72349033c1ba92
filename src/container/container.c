/* SPDX-License-Identifier: Apache-2.0 */
#include "container/container_internal.h"
#include "api/guard.h"
#include "base/limits.h"
#include "base/scope.h"
#include "worker/files.h"

static void container_cancel_fn(void *data)
{
	cancel_set(data, ERROR_CANCELED, NULL);
}

/* The same checks as for RUN, where the definition is checked when it is loaded. */
static bool check_mounts(const struct container_options *o, GError **error)
{
	size_t roots = 0;
	if (o->n_mounts > LIMIT_LLB_INPUTS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "container has %zu mounts, limit is %lld", o->n_mounts,
				 LIMIT_LLB_INPUTS);
	for (size_t i = 0; i < o->n_mounts; i++)
		roots += g_str_equal(o->mounts[i]->dest, "/");
	return roots <= 1 || error_set(error, ERROR_INVALID_ARGUMENT, "invalid container with several mounts at /");
}

static bool open_mounts(container *c, const struct container_options *o, GError **error)
{
	g_autofree char *owner = g_strconcat("container ", o->id, NULL);
	const struct exec_mounts_input in = {
		.worker = c->worker,
		.owner = owner,
		.mounts = o->mounts,
		.n_mounts = o->n_mounts,
		.cwd = "",
		.inputs = c->inputs,
		.n_inputs = c->n_inputs,
	};
	c->mounts = exec_mounts_new(&in, &c->work, error);
	if (c->mounts)
		exec_mounts_fill(c->mounts, &c->step);
	return c->mounts != NULL;
}

static bool copy_hosts(container *c, const struct container_options *o, GError **error)
{
	Pb__Meta meta = PB__META__INIT;
	meta.extrahosts = (Pb__HostIP **)(uintptr_t)o->hosts;
	meta.n_extrahosts = o->n_hosts;
	c->hosts_meta = message_copy(&meta);
	return step_fields_add_hosts(&c->hosts, c->hosts_meta->extrahosts, c->hosts_meta->n_extrahosts, error);
}

container *container_new(const struct container_options *o, cancel *stop, GError **error)
{
	g_autoptr(container) c = g_new0(container, 1);
	c->refs = 1;
	c->worker = o->worker;
	c->id = g_strdup(o->id);
	c->work = *o->work;
	c->work.cancel = cancel_new(o->work->cancel);
	c->hostname = g_strdup(o->hostname);
	c->windows = o->windows;
	if (o->proxy) {
		c->proxy.policy = netproxy_policy_ref(o->proxy);
		c->step.proxy = &c->proxy;
	}
	c->allow_network_host = o->allow_network_host;
	c->allow_security_insecure = o->allow_security_insecure;
	c->processes = g_ptr_array_new_with_free_func((GDestroyNotify)container_process_unref);
	c->n_inputs = o->n_inputs;
	c->inputs = g_new0(cache_ref *, o->n_inputs + 1);
	for (size_t i = 0; i < o->n_inputs; i++)
		c->inputs[i] = o->inputs[i] ? cache_ref_ref(o->inputs[i]) : NULL;
	step_fields_init(&c->hosts);
	g_mutex_init(&c->mu);
	g_cond_init(&c->changed);
	if (!check_mounts(o, error) || !step_fields_modes(&c->step, o->network, PB__SECURITY_MODE__SANDBOX, error) ||
	    !copy_hosts(c, o, error))
		return NULL;
	guint id = cancel_add(stop, container_cancel_fn, c->work.cancel);
	bool opened = open_mounts(c, o, error);
	if (id != 0)
		cancel_remove(stop, id);
	if (!opened || !cancel_check(c->work.cancel, error))
		return NULL;
	c->step.hostname = c->hostname;
	return g_steal_pointer(&c);
}

container *container_ref(container *c)
{
	g_atomic_int_inc(&c->refs);
	return c;
}

bool container_release(container *c, GError **error)
{
	cancel_set(c->work.cancel, ERROR_CANCELED, NULL);
	g_mutex_lock(&c->mu);
	c->released = true;
	container_join_processes(c, true);
	while (c->users > 0 || c->joining > 0)
		g_cond_wait(&c->changed, &c->mu);
	g_clear_pointer(&c->mounts, exec_mounts_free);
	for (size_t i = 0; i < c->n_inputs; i++)
		g_clear_pointer(&c->inputs[i], cache_ref_unref);
	bool ok = !c->failure;
	if (!ok && error)
		*error = g_error_copy(c->failure);
	g_mutex_unlock(&c->mu);
	return ok;
}

void container_unref(container *c)
{
	if (!c || !g_atomic_int_dec_and_test(&c->refs))
		return;
	container_release(c, NULL);
	g_clear_error(&c->failure);
	g_ptr_array_unref(c->processes);
	step_fields_clear(&c->hosts);
	guard_free(c->hosts_meta);
	netproxy_policy_unref(c->proxy.policy);
	step_process_unref(c->first_process);
	cancel_unref(c->work.cancel);
	g_mutex_clear(&c->mu);
	g_cond_clear(&c->changed);
	g_free(c->inputs);
	g_free(c->hostname);
	g_free(c->id);
	g_free(c);
}

/* ---- files */

/* Returns the tree of a mount, or -1. It stays open until leave_tree. */
static int enter_tree(container *c, int64_t mount, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	size_t n = c->mounts ? exec_mounts_count(c->mounts) : 0;
	if (c->released) {
		error_set(error, ERROR_FAILED_PRECONDITION, "container %s is released", c->id);
		return -1;
	}
	if (mount < 0 || (uint64_t)mount >= n) {
		error_set(error, ERROR_UNKNOWN, "mount index %" G_GINT64_FORMAT " is out of bounds (%zu available)",
			  mount, n);
		return -1;
	}
	int fd = exec_mounts_tree(c->mounts, (size_t)mount);
	if (fd < 0)
		error_set(error, ERROR_UNKNOWN, "mountable %" G_GINT64_FORMAT " not found", mount);
	else
		c->users++;
	return fd;
}

static void leave_tree(container *c)
{
	g_mutex_lock(&c->mu);
	c->users--;
	g_cond_broadcast(&c->changed);
	g_mutex_unlock(&c->mu);
}

static bool check_path(const char *path, GError **error)
{
	return path[0] == '/' || error_set(error, ERROR_UNKNOWN, "can't make %s relative to /", path);
}

GBytes *container_read_file(container *c, int64_t mount, const char *path, int64_t offset, int64_t length,
			    GError **error)
{
	int tree_fd = enter_tree(c, mount, error);
	if (tree_fd < 0)
		return NULL;
	GBytes *bytes = check_path(path, error) ? files_read(tree_fd, path, offset, length, error) : NULL;
	leave_tree(c);
	return bytes;
}

GPtrArray *container_read_dir(container *c, int64_t mount, const char *path, const char *include, GError **error)
{
	int tree_fd = enter_tree(c, mount, error);
	if (tree_fd < 0)
		return NULL;
	GPtrArray *entries = check_path(path, error) ? files_list(tree_fd, path, include, error) : NULL;
	leave_tree(c);
	return entries;
}

bool container_stat_file(container *c, int64_t mount, const char *path, struct fssync_stat *ret, GError **error)
{
	int tree_fd = enter_tree(c, mount, error);
	if (tree_fd < 0)
		return false;
	bool ok = check_path(path, error) && files_stat(tree_fd, path, false, ret, error);
	leave_tree(c);
	return ok;
}
