/* SPDX-License-Identifier: Apache-2.0 */
/* config.md and config-linux.md, except the process and the system call filter. */
#include "config.h"
#include "fail.h"
#include "mountfd.h"
#include "names.h"
#include "runner/mount_options.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static uint32_t config_add_source(struct config *c, const char *path, bool recursive, bool is_namespace)
{
	if (c->n_sources == c->room) {
		uint32_t room = c->room > 0 ? c->room * 2 : 16;
		struct config_source *sources = json_room(room, sizeof *sources);
		if (room > PLAN_MAX_FDS)
			fail(PHASE_PLAN, 0, "config.json: more than %d mounts and namespaces", PLAN_MAX_FDS);
		if (c->n_sources > 0)
			memcpy(sources, c->sources, c->n_sources * sizeof *sources);
		c->sources = sources;
		c->room = room;
	}
	c->sources[c->n_sources] = (struct config_source){path, recursive, is_namespace};
	return c->n_sources++;
}

static char *beneath(const char *directory, const char *path)
{
	bool absolute = path[0] == '/';
	size_t n = strlen(directory) + strlen(path) + 1;
	char *joined = json_room(n, 1);
	snprintf(joined, n + 1, "%s%s%s", absolute ? "" : directory, absolute ? "" : "/", path);
	return joined;
}

/* ---- mounts */

static void read_mount(struct config *c, struct plan_mount *m, const json_t *one)
{
	static const size_t size = 8192;
	char *data = json_room(size, 1);
	enum mount_bind bind = MOUNT_NO_BIND;
	struct plan_strings options = json_texts(one, "options");
	struct stat st;
	*m = (struct plan_mount){.fd = PLAN_NO_FD, .user_fd = PLAN_NO_FD, .data = data};
	const char *dest = json_text(one, "destination", "");
	m->dest = dest[0] == '/' ? dest : beneath("", dest);
	m->type = json_text(one, "type", "");
	m->source = json_text(one, "source", "");
	if (json_array_size(json_member(one, "uidMappings", JSON_ARRAY)) > 0)
		fail(PHASE_PLAN, 0, "id-mapped mounts are not supported: %s", m->dest);
	for (uint32_t i = 0; i < options.n; i++) {
		if (strcmp(options.list[i], "idmap") == 0 || strcmp(options.list[i], "ridmap") == 0)
			fail(PHASE_PLAN, 0, "id-mapped mounts are not supported: %s", m->dest);
		if (mount_option(m, options.list[i], data, size, &bind) != 0)
			fail(PHASE_PLAN, 0, "options of %s are too long", m->dest);
	}
	if (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0) {
		m->kind = PLAN_MOUNT_CGROUP;
	} else if (bind == MOUNT_NO_BIND && strcmp(m->type, "bind") != 0) {
		m->kind = PLAN_MOUNT_TYPE;
		if (m->type[0] == '\0')
			fail(PHASE_PLAN, 0, "mount on %s has no type", m->dest);
	} else {
		const char *source = beneath(c->bundle, m->source);
		m->kind = PLAN_MOUNT_TREE;
		m->fd = config_add_source(c, source, bind == MOUNT_BIND_BELOW, false);
		m->directory = stat(source, &st) == 0 && S_ISDIR(st.st_mode);
	}
}

/* ---- namespaces */

static void read_maps(const json_t *linux_part, const char *name, struct plan_id_map **ret, uint32_t *ret_n)
{
	const json_t *list = json_member(linux_part, name, JSON_ARRAY);
	*ret_n = (uint32_t)json_array_size(list);
	*ret = json_room(*ret_n, sizeof **ret);
	for (uint32_t i = 0; i < *ret_n; i++) {
		const json_t *one = json_array_get(list, i);
		(*ret)[i] = (struct plan_id_map){
			(uint32_t)json_number(one, "containerID", 0, 0, UINT32_MAX),
			(uint32_t)json_number(one, "hostID", 0, 0, UINT32_MAX),
			(uint32_t)json_number(one, "size", 0, 0, UINT32_MAX),
		};
	}
}

static void read_namespaces(struct config *c, const json_t *linux_part)
{
	struct plan *p = &c->plan;
	const json_t *list = json_member(linux_part, "namespaces", JSON_ARRAY);
	uint64_t seen = 0;
	p->joins = json_room(json_array_size(list), sizeof *p->joins);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *type = json_text(json_array_get(list, i), "type", ""),
			   *path = json_text(json_array_get(list, i), "path", "");
		uint64_t flag = names_namespace(type);
		if (flag == 0)
			fail(PHASE_PLAN, 0, "namespace \"%s\" does not exist", type);
		if ((seen & flag) != 0)
			fail(PHASE_PLAN, 0, "malformed spec file: duplicated ns \"%s\"", type);
		seen |= flag;
		if (path[0] == '\0')
			p->namespaces |= flag;
		else
			p->joins[p->n_joins++] = (struct plan_join){flag, config_add_source(c, path, false, true)};
	}
	read_maps(linux_part, "uidMappings", &p->uid_maps, &p->n_uid_maps);
	read_maps(linux_part, "gidMappings", &p->gid_maps, &p->n_gid_maps);
	if ((p->namespaces & CLONE_NEWUSER) == 0)
		p->n_uid_maps = p->n_gid_maps = 0; /* ignored: not applicable */
	if ((p->namespaces & CLONE_NEWUSER) != 0 && (p->n_uid_maps == 0 || p->n_gid_maps == 0))
		fail(PHASE_PLAN, 0, "a new user namespace needs uidMappings and gidMappings");
	if ((p->namespaces & CLONE_NEWNS) == 0)
		fail(PHASE_PLAN, 0, "a container without a new mount namespace is not supported");
	if ((seen & CLONE_NEWUTS) == 0 && (p->hostname[0] != '\0' || p->domainname[0] != '\0'))
		fail(PHASE_PLAN, 0, "unable to set hostname without a private UTS namespace");
}

/* Refuses a setting for which the container has no namespace, because it would change the host. */
static uint64_t sysctl_namespace(const char *name)
{
	static const char *const ipc[] = {"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
					  "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced"};
	char path[256];
	size_t n = strlen(name);
	if (n >= sizeof path)
		return 0;
	for (size_t i = 0; i <= n; i++)
		path[i] = name[i] == '.' ? '/' : name[i];
	for (size_t i = 0; i < sizeof ipc / sizeof *ipc; i++)
		if (strcmp(path, ipc[i]) == 0)
			return CLONE_NEWIPC;
	if (strncmp(path, "fs/mqueue/", 10) == 0)
		return CLONE_NEWIPC;
	if (strncmp(path, "net/", 4) == 0)
		return CLONE_NEWNET;
	return strcmp(path, "kernel/domainname") == 0 ? CLONE_NEWUTS : 0;
}

static void read_sysctls(struct plan *p, const json_t *linux_part)
{
	json_t *object = json_member(linux_part, "sysctl", JSON_OBJECT), *value;
	const char *name;
	uint64_t own = p->namespaces;
	for (uint32_t i = 0; i < p->n_joins; i++)
		own |= p->joins[i].type;
	p->sysctls = json_room(json_object_size(object), sizeof *p->sysctls);
	json_object_foreach(object, name, value)
	{
		uint64_t needed = sysctl_namespace(name);
		if (!json_is_string(value) || strstr(name, "..") != NULL)
			fail(PHASE_PLAN, 0, "sysctl \"%s\" must be a string", name);
		if (needed == 0)
			fail(PHASE_PLAN, 0, "sysctl \"%s\" is not in a separate kernel namespace", name);
		if ((own & needed) == 0)
			fail(PHASE_PLAN, 0, "sysctl \"%s\" is not allowed in the hosts namespace", name);
		p->sysctls[p->n_sysctls++] = (struct plan_setting){name, json_string_value(value)};
	}
}

/* ---- devices */

static void read_devices(struct plan *p, const json_t *linux_part)
{
	const json_t *list = json_member(linux_part, "devices", JSON_ARRAY);
	p->n_devices = (uint32_t)json_array_size(list);
	p->devices = json_room(p->n_devices, sizeof *p->devices);
	for (uint32_t i = 0; i < p->n_devices; i++) {
		const json_t *one = json_array_get(list, i);
		const char *type = json_text(one, "type", ""), *path = json_text(one, "path", "");
		uint32_t kind = strcmp(type, "b") == 0                             ? S_IFBLK
				: strcmp(type, "c") == 0 || strcmp(type, "u") == 0 ? S_IFCHR
				: strcmp(type, "p") == 0                           ? S_IFIFO
										   : 0;
		if (kind == 0)
			fail(PHASE_PLAN, 0, "invalid device type \"%s\"", type);
		p->devices[i] = (struct plan_device){
			path[0] == '/' ? path : beneath("", path),
			kind,
			(uint32_t)json_number(one, "major", 0, 0, INT32_MAX),
			(uint32_t)json_number(one, "minor", 0, 0, INT32_MAX),
			(uint32_t)json_number(one, "fileMode", 0666, 0, INT32_MAX) & 07777,
			(uint32_t)json_number(one, "uid", 0, 0, UINT32_MAX - 1),
			(uint32_t)json_number(one, "gid", 0, 0, UINT32_MAX - 1),
		};
	}
}

/* ---- other members of linux */

static void refuse(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	bool empty = value == NULL || json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0) ||
		     (json_is_array(value) && json_array_size(value) == 0) ||
		     (json_is_string(value) && json_string_length(value) == 0);
	if (!empty)
		fail(PHASE_PLAN, 0, "%s is not supported", name);
}

static uint64_t read_propagation(const json_t *linux_part)
{
	const char *text = json_text(linux_part, "rootfsPropagation", "");
	static const struct {
		const char *name;
		uint64_t flags;
	} table[] = {
		{"", 0},
		{"private", MS_PRIVATE},
		{"rprivate", MS_PRIVATE | MS_REC},
		{"slave", MS_SLAVE},
		{"rslave", MS_SLAVE | MS_REC},
		{"unbindable", MS_UNBINDABLE},
		{"runbindable", MS_UNBINDABLE | MS_REC},
		{"shared", MS_SHARED},
		{"rshared", MS_SHARED | MS_REC},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, text) == 0)
			return table[i].flags;
	fail(PHASE_PLAN, 0, "rootfsPropagation=%s is not supported", text);
}

static void read_linux(struct config *c, const json_t *linux_part)
{
	struct plan *p = &c->plan;
	refuse(linux_part, "intelRdt");
	refuse(linux_part, "personality");
	refuse(linux_part, "timeOffsets");
	refuse(linux_part, "netDevices");
	refuse(linux_part, "memoryPolicy");
	p->mount_label = json_text(linux_part, "mountLabel", "");
	read_namespaces(c, linux_part);
	read_sysctls(p, linux_part);
	read_devices(p, linux_part);
	p->masked = json_texts(linux_part, "maskedPaths");
	p->readonly = json_texts(linux_part, "readonlyPaths");
	p->root_propagation = read_propagation(linux_part);
	c->cgroups_path = json_text(linux_part, "cgroupsPath", "");
	config_resources(p, json_member(linux_part, "resources", JSON_OBJECT));
	config_seccomp(p, json_member(linux_part, "seccomp", JSON_OBJECT));
}

/* ---- config.json */

static void refuse_hooks(const json_t *root)
{
	json_t *hooks = json_member(root, "hooks", JSON_OBJECT), *list;
	const char *name;
	json_object_foreach(hooks, name, list) if (json_array_size(list) > 0)
		fail(PHASE_PLAN, 0, "hooks are not supported: %s", name);
}

void config_load(struct config *c, const char *bundle)
{
	struct stat st;
	config_read(c, bundle, json_file(beneath(bundle, "config.json")));
	if (stat(c->rootfs, &st) != 0 || !S_ISDIR(st.st_mode))
		fail(PHASE_ROOT, errno, "rootfs (%s) does not exist", c->rootfs);
}

void config_read(struct config *c, const char *bundle, json_t *json)
{
	struct plan *p = &c->plan;
	*c = (struct config){.bundle = bundle, .root = json};
	plan_init(p);
	const char *version = json_text(c->root, "ociVersion", "");
	if (strncmp(version, "1.", 2) != 0)
		fail(PHASE_PLAN, 0, "unsupported ociVersion \"%s\"", version);
	refuse_hooks(c->root);
	p->hostname = json_text(c->root, "hostname", "");
	p->domainname = json_text(c->root, "domainname", "");
	const json_t *root = json_need(c->root, "root", JSON_OBJECT);
	c->rootfs = beneath(bundle, json_text(root, "path", ""));
	p->root_fd = config_add_source(c, c->rootfs, true, false);
	p->root_readonly = json_flag(root, "readonly");
	config_process(p, json_need(c->root, "process", JSON_OBJECT));
	const json_t *mounts = json_member(c->root, "mounts", JSON_ARRAY);
	p->n_mounts = (uint32_t)json_array_size(mounts);
	p->mounts = json_room(p->n_mounts, sizeof *p->mounts);
	for (uint32_t i = 0; i < p->n_mounts; i++)
		read_mount(c, &p->mounts[i], json_array_get(mounts, i));
	read_linux(c, json_need(c->root, "linux", JSON_OBJECT));
	p->default_devices = 1;
}

int *config_open(struct config *c)
{
	int *fds = json_room(c->n_sources, sizeof *fds);
	for (uint32_t i = 0; i < c->n_sources; i++) {
		const struct config_source *s = &c->sources[i];
		auto_fd fd = open(s->path, (s->is_namespace ? O_RDONLY : O_PATH) | O_CLOEXEC);
		if (fd < 0)
			fail(s->is_namespace ? PHASE_NAMESPACE : PHASE_MOUNT, errno, "open %s", s->path);
		fds[i] = s->is_namespace || sys_is_old() ? sys_dup(fd) : mountfd_clone(fd, s->recursive);
		if (fds[i] < 0)
			fail(PHASE_MOUNT, -fds[i], "clone %s", s->path);
	}
	return fds;
}

/* Opens a path again that was opened in another mount namespace, of which this one has a copy. */
static int open_same(const char *path, int before)
{
	struct stat a, b;
	auto_fd fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &a) != 0 || fstat(before, &b) != 0)
		fail(PHASE_MOUNT, errno, "open %s", path);
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		fail(PHASE_MOUNT, ESTALE, "open %s", path);
	int same = sys_dup(fd);
	if (same < 0)
		fail(PHASE_MOUNT, -same, "open %s", path);
	return same;
}

void config_clone(const struct config *c, int *fds)
{
	/* All are opened first: the place of copies hides the root. */
	for (uint32_t i = 0; i < c->n_sources; i++) {
		int before = fds[i];
		if (c->sources[i].is_namespace)
			continue;
		fds[i] = open_same(c->sources[i].path, before);
		close(before);
	}
	int r = mountfd_prepare(c->rootfs);
	if (r != 0)
		fail(PHASE_ROOT, -r, "mount a place for copies on %s", c->rootfs);
	for (uint32_t i = 0; i < c->n_sources; i++) {
		int opened = fds[i];
		if (c->sources[i].is_namespace)
			continue;
		fds[i] = mountfd_clone(opened, c->sources[i].recursive);
		if (fds[i] < 0)
			fail(PHASE_MOUNT, -fds[i], "clone %s", c->sources[i].path);
		close(opened);
	}
}
