/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/step_devices.h"
#include "base/log.h"
#include "base/scope.h"
#include "os/mount.h"
#include "os/path.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEFAULT_MODE 0666

/* ---- device nodes */

static char type_of(mode_t mode)
{
	return S_ISBLK(mode) ? 'b' : S_ISCHR(mode) ? 'c' : S_ISFIFO(mode) ? 'p' : '\0';
}

/* A node that is given in full need not exist on the host. */
static bool add_node(struct step_devices *d, const struct cdi_node *node, GError **error)
{
	const char *host = node->host_path ? node->host_path : node->path;
	char type = *node->type == 'u' ? 'c' : *node->type;
	bool complete = type && (node->major != 0 || type == 'p');
	struct step_device device = {
		.path = node->path,
		.type = type,
		.major = (uint32_t)node->major,
		.minor = (uint32_t)node->minor,
		.mode = node->mode >= 0 ? (uint32_t)node->mode : DEFAULT_MODE,
		.uid = node->uid,
		.gid = node->gid,
		.access = *node->permissions ? node->permissions : "rwm",
	};
	struct stat st;
	g_autofree char *clean = path_clean(node->path);
	if (!g_str_has_prefix(clean, "/dev/") || strcmp(clean, node->path) != 0)
		return error_set(error, ERROR_UNIMPLEMENTED, "device node %s is not below /dev", node->path);
	bool exists = lstat(host, &st) == 0;
	if (!exists && !complete)
		return error_set_errno(error, errno, "CDI device injection failed: failed to stat CDI host device %s",
				       host);
	if (exists && node->mode < 0 && type_of(st.st_mode))
		device.mode = st.st_mode & 07777;
	if (!complete) {
		if (!type_of(st.st_mode) || (type && type != type_of(st.st_mode)))
			return error_set(error, ERROR_FAILED_PRECONDITION,
					 "CDI device injection failed: %s is not a device node of type %c", host,
					 type ? type : 'b');
		device.type = type_of(st.st_mode);
		device.major = major(st.st_rdev);
		device.minor = minor(st.st_rdev);
	}
	/* The last device at a path wins. */
	for (guint i = 0; i < d->nodes->len; i++) {
		struct step_device *old = &g_array_index(d->nodes, struct step_device, i);
		if (strcmp(old->path, device.path) == 0) {
			*old = device;
			return true;
		}
	}
	g_array_append_val(d->nodes, device);
	return true;
}

/* ---- mounts */

static bool apply_option(struct step_mount *m, const char *option, bool *recursive)
{
	static const char *const neutral[] = {"bind",    "rw",       "suid",  "dev",    "exec",
					      "private", "rprivate", "slave", "rslave", NULL};
	if (strcmp(option, "ro") == 0)
		m->readonly = true;
	else if (strcmp(option, "nosuid") == 0)
		m->nosuid = true;
	else if (strcmp(option, "nodev") == 0)
		m->nodev = true;
	else if (strcmp(option, "noexec") == 0)
		m->noexec = true;
	else if (strcmp(option, "rbind") == 0)
		*recursive = true;
	else
		return g_strv_contains(neutral, option);
	return true;
}

static bool add_mount(struct step_devices *d, const struct cdi_mount *mount, GError **error)
{
	struct step_mount m = {.type = STEP_MOUNT_TREE, .dest = mount->path};
	bool recursive = false;
	/* In a directory of the host at /dev, the runner would create the nodes of the step. */
	g_autofree char *clean = path_clean(mount->path);
	if (strcmp(clean, "/") == 0 || strcmp(clean, "/dev") == 0)
		return error_set(error, ERROR_UNIMPLEMENTED, "mount %s of a device: a mount there is not supported",
				 mount->path);
	if (*mount->type && strcmp(mount->type, "bind") != 0)
		return error_set(error, ERROR_UNIMPLEMENTED, "mount %s of a device: type %s is not supported",
				 mount->path, mount->type);
	for (guint i = 0; i < mount->options->len; i++)
		if (!apply_option(&m, mount->options->pdata[i], &recursive))
			return error_set(error, ERROR_UNIMPLEMENTED, "mount %s of a device: option %s is not supported",
					 mount->path, (char *)mount->options->pdata[i]);
	if (mount->host_path[0] != '/')
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "CDI device injection failed: host path \"%s\" is not absolute", mount->host_path);
	scoped_fd host = open(mount->host_path, O_PATH | O_CLOEXEC);
	if (host < 0)
		return error_set_errno(error, errno, "CDI device injection failed: %s", mount->host_path);
	m.fd = mount_clone(host, recursive, error);
	if (m.fd < 0)
		return error_prefix(error, "CDI device injection failed: %s: ", mount->host_path);
	g_array_append_val(d->fds, m.fd);
	for (guint i = 0; i < d->mounts->len; i++) {
		struct step_mount *old = &g_array_index(d->mounts, struct step_mount, i);
		if (strcmp(old->dest, m.dest) == 0) {
			*old = m;
			return true;
		}
	}
	g_array_append_val(d->mounts, m);
	return true;
}

/* ---- all */

static void add_hook(struct step_devices *d, const struct cdi_hook *hook)
{
	struct step_hook h = {
		.name = hook->name,
		.path = hook->path,
		.args = (const char *const *)hook->args->pdata,
		.env = (const char *const *)hook->env->pdata,
		.timeout = hook->timeout,
	};
	g_array_append_val(d->hooks, h);
}

static void close_fd(void *data)
{
	fd_close(data);
}

static bool apply(struct step_devices *d, struct step_fields *fields, GError **error)
{
	const struct cdi_edits *e = d->edits;
	if (e->has_rdt || e->has_net)
		return error_set(error, ERROR_UNIMPLEMENTED, "devices with %s are not supported",
				 e->has_rdt ? "Intel RDT settings" : "network interfaces");
	for (guint i = 0; i < e->env->len; i++)
		step_fields_set_env(fields, e->env->pdata[i]);
	for (guint i = 0; i < e->nodes->len; i++)
		if (!add_node(d, &g_array_index(e->nodes, struct cdi_node, i), error))
			return false;
	for (guint i = 0; i < e->mounts->len; i++)
		if (!add_mount(d, &g_array_index(e->mounts, struct cdi_mount, i), error))
			return false;
	for (guint i = 0; i < e->hooks->len; i++)
		add_hook(d, &g_array_index(e->hooks, struct cdi_hook, i));
	return true;
}

bool step_devices_open(struct step_devices *d, cdi *source, Pb__CDIDevice *const *requests, size_t n,
		       struct step_fields *fields, GError **error)
{
	if (n == 0)
		return true;
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	d->list = source ? cdi_read(source) : NULL;
	for (size_t i = 0; i < n; i++) {
		if (!d->list && !requests[i]->optional)
			return error_set(error, ERROR_FAILED_PRECONDITION, "device %s: CDI devices are disabled",
					 requests[i]->name);
		if (d->list && !cdi_list_find(d->list, requests[i]->name, requests[i]->optional, names, error))
			return error_prefix(error, "CDI device injection failed: ");
	}
	if (names->len == 0)
		return true;
	d->nodes = g_array_new(FALSE, FALSE, sizeof(struct step_device));
	d->hooks = g_array_new(FALSE, FALSE, sizeof(struct step_hook));
	d->mounts = g_array_new(FALSE, FALSE, sizeof(struct step_mount));
	d->fds = g_array_new(FALSE, FALSE, sizeof(int));
	g_array_set_clear_func(d->fds, close_fd);
	d->edits = cdi_list_edits(d->list, (const char *const *)names->pdata, names->len, error);
	return d->edits && apply(d, fields, error);
}

static gint compare_mounts(gconstpointer a, gconstpointer b)
{
	return strcmp(((const struct step_mount *)a)->dest, ((const struct step_mount *)b)->dest);
}

void step_devices_fill(struct step_devices *d, struct step *step)
{
	if (!d->edits)
		return;
	step->devices = (const struct step_device *)(void *)d->nodes->data;
	step->n_devices = d->nodes->len;
	step->hooks = (const struct step_hook *)(void *)d->hooks->data;
	step->n_hooks = d->hooks->len;
	step->groups = (const uint32_t *)(void *)d->edits->groups->data;
	step->n_groups = d->edits->groups->len;
	if (d->mounts->len == 0)
		return;
	/* A device's mount replaces the step's at the same place. */
	guint n_devices = d->mounts->len;
	for (size_t i = 0; i < step->n_mounts; i++) {
		guint k = 0;
		while (k < n_devices &&
		       strcmp(g_array_index(d->mounts, struct step_mount, k).dest, step->mounts[i].dest) != 0)
			k++;
		if (k == n_devices)
			g_array_append_val(d->mounts, step->mounts[i]);
	}
	g_array_sort(d->mounts, compare_mounts);
	step->mounts = (const struct step_mount *)(void *)d->mounts->data;
	step->n_mounts = d->mounts->len;
}

void step_devices_clear(struct step_devices *d)
{
	cdi_edits_free(d->edits);
	cdi_list_unref(d->list);
	g_clear_pointer(&d->nodes, g_array_unref);
	g_clear_pointer(&d->hooks, g_array_unref);
	g_clear_pointer(&d->mounts, g_array_unref);
	g_clear_pointer(&d->fds, g_array_unref);
	*d = (struct step_devices){0};
}
