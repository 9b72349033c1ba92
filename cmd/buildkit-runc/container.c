/* SPDX-License-Identifier: Apache-2.0 */
#include "container.h"
#include "fail.h"
#include "sys.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define STATE_FILE "state.json"
#define GATE_FILE "exec.fifo"

void container_check_id(const char *id)
{
	bool ok = id[0] != '\0' && strlen(id) <= 255 && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
	for (const char *c = id; ok && *c != '\0'; c++)
		ok = isalnum((unsigned char)*c) || strchr("_+-.", *c) != NULL;
	if (!ok)
		fail(PHASE_PLAN, 0, "invalid id format: \"%s\"", id);
}

static int open_root(const char *root)
{
	/* Creates parents too: the default root is below /run. */
	char part[4096];
	size_t n = strlen(root);
	if (n >= sizeof part)
		fail(PHASE_PLAN, ENAMETOOLONG, "open %s", root);
	for (size_t i = 1; i <= n; i++) {
		if (root[i] != '/' && root[i] != '\0')
			continue;
		memcpy(part, root, i);
		part[i] = '\0';
		mkdir(part, 0700);
	}
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(PHASE_PLAN, errno, "open %s", root);
	return fd;
}

void container_make(struct container *c, const char *root, const char *id)
{
	container_check_id(id);
	*c = (struct container){.root = root, .id = id};
	auto_fd root_fd = open_root(root);
	if (mkdirat(root_fd, id, 0711) != 0) {
		if (errno == EEXIST)
			fail(PHASE_PLAN, 0, "container with given ID already exists");
		fail(PHASE_PLAN, errno, "mkdir %s/%s", root, id);
	}
	c->dir_fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir_fd < 0)
		fail(PHASE_PLAN, errno, "open %s/%s", root, id);
	struct timespec now;
	struct tm utc;
	char *text = json_room(64, 1);
	clock_gettime(CLOCK_REALTIME, &now);
	size_t n = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
	snprintf(text + n, 64 - n, ".%09ldZ", now.tv_nsec);
	c->created = text;
}

void container_save(const struct container *c)
{
	json_t *state = json_pack("{s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:s}", "ociVersion", "1.1.0", "id", c->id, "pid",
				  (int)c->pid, "started", (json_int_t)c->started, "bundle", c->bundle, "rootfs",
				  c->rootfs, "cgroup", c->cgroup, "created", c->created);
	if (state != NULL && c->annotations != NULL)
		json_object_set(state, "annotations", c->annotations);
	auto_fd fd = openat(c->dir_fd, STATE_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (state == NULL || fd < 0 || json_dumpfd(state, fd, JSON_COMPACT) != 0 ||
	    renameat(c->dir_fd, STATE_FILE ".new", c->dir_fd, STATE_FILE) != 0)
		fail(PHASE_PLAN, errno, "write the state of %s", c->id);
	json_decref(state);
}

bool container_try_load(struct container *c, const char *root, const char *id)
{
	char path[8192];
	struct stat st;
	container_check_id(id);
	*c = (struct container){.root = root, .id = id};
	snprintf(path, sizeof path, "%s/%s", root, id);
	c->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dir_fd < 0 || fstatat(c->dir_fd, STATE_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	snprintf(path, sizeof path, "%s/%s/" STATE_FILE, root, id);
	const json_t *state = json_file(path);
	c->pid = (pid_t)json_number(state, "pid", 0, 0, INT32_MAX);
	c->started = (unsigned long long)json_number(state, "started", 0, 0, INT64_MAX);
	c->bundle = json_text(state, "bundle", "");
	c->rootfs = json_text(state, "rootfs", "");
	c->cgroup = json_text(state, "cgroup", "");
	c->created = json_text(state, "created", "");
	c->annotations = json_member(state, "annotations", JSON_OBJECT);
	return true;
}

void container_load(struct container *c, const char *root, const char *id)
{
	if (!container_try_load(c, root, id))
		fail(PHASE_PLAN, 0, "container does not exist");
}

void container_remove(struct container *c)
{
	auto_fd root_fd = open_root(c->root);
	static const char *const files[] = {STATE_FILE, STATE_FILE ".new", GATE_FILE};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		unlinkat(c->dir_fd, files[i], 0);
	sys_close(&c->dir_fd);
	if (unlinkat(root_fd, c->id, AT_REMOVEDIR) != 0 && errno != ENOENT)
		fail(PHASE_PLAN, errno, "remove %s/%s", c->root, c->id);
}

/*
 * Reads field 22 of /proc/PID/stat. Fields are counted after the command name, which may contain any character; state Z
 * (field 3) is dead.
 */
unsigned long long container_start_time(pid_t pid)
{
	char path[64], text[4096], state;
	unsigned long long started;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (pid <= 0 || sys_read_at(AT_FDCWD, path, text, sizeof text) <= 0)
		return 0;
	const char *rest = strrchr(text, ')');
	if (rest == NULL ||
	    sscanf(rest, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
		   &started) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : started;
}

bool container_is_alive(const struct container *c)
{
	unsigned long long now = container_start_time(c->pid);
	return now != 0 && now == c->started;
}

const char *container_status(const struct container *c)
{
	struct stat st;
	if (!container_is_alive(c))
		return "stopped";
	return fstatat(c->dir_fd, GATE_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 ? "created" : "running";
}

int container_make_start_fifo(struct container *c)
{
	int fd = mkfifoat(c->dir_fd, GATE_FILE, 0600) == 0
			 ? openat(c->dir_fd, GATE_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
			 : -1;
	if (fd < 0)
		fail(PHASE_PLAN, errno, "create the start FIFO of container %s", c->id);
	return fd;
}

bool container_start(struct container *c)
{
	auto_fd fd = openat(c->dir_fd, GATE_FILE, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, "", 1) == 1;
	if (ok)
		unlinkat(c->dir_fd, GATE_FILE, 0);
	return ok;
}
