/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/emulator.h"
#include "api/message.h"
#include "base/log.h"
#include "base/scope.h"
#include "os/mount.h"
#include "worker/platforms.h"
#include <fcntl.h>
#include <string.h>

#define PREFIX "buildkit-qemu-"

static const char *qemu_name(const char *architecture)
{
	static const char *const names[][2] = {{"arm64", "aarch64"}, {"amd64", "x86_64"}, {"386", "i386"}};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(names[i][0], architecture) == 0)
			return names[i][1];
	return architecture;
}

static bool runs_here(const struct platform *wanted, const struct platform *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (platform_match(&list[i], wanted) > 0)
			return true;
	return false;
}

static bool refuse_variant(const struct platform *wanted, const struct platform *list, size_t n, GError **error)
{
	g_autoptr(GString) supported = g_string_new(NULL);
	g_autofree char *name = platform_format(wanted);
	for (size_t i = 0; i < n; i++) {
		g_autofree char *text = platform_format(&list[i]);
		if (strcmp(list[i].architecture, "amd64") == 0)
			g_string_append_printf(supported, "%s%s", supported->len > 0 ? ", " : "", text);
	}
	return error_set(error, ERROR_UNKNOWN, "no support for running processes with %s platform, supported: %s", name,
			 supported->str);
}

static bool open_program(struct emulator *e, const char *architecture, GError **error)
{
	/* The name comes from the client: it must not be a path. */
	g_autofree char *name = g_strconcat(PREFIX, qemu_name(architecture), NULL);
	g_autofree char *path = strchr(name, '/') ? NULL : g_find_program_in_path(name);
	if (!path) {
		log_warn("no emulator: %s is not in PATH", name);
		return true;
	}
	scoped_fd program = open(path, O_PATH | O_CLOEXEC);
	if (program < 0)
		return error_set_errno(error, errno, "open %s", path);
	e->fd = mount_clone(program, false, error);
	return e->fd >= 0 && mount_set_readonly(e->fd, false, error);
}

bool emulator_find(struct emulator *e, const Pb__Platform *platform, GError **error)
{
	struct platform host, wanted;
	size_t n;
	if (!platform || *platform->architecture == '\0')
		return true;
	platform_host(&host);
	message_platform_read(platform, &wanted);
	if (strcmp(wanted.os, "linux") != 0 || platform_match(&host, &wanted) > 0)
		return true;
	platform_list *kernel = platform_list_new(PLATFORMS_BINFMT, NULL, 0, -1);
	const struct platform *list = platform_list_get(kernel, &n);
	bool ok = true;
	if (!runs_here(&wanted, list, n))
		ok = strcmp(wanted.architecture, "amd64") == 0 && wanted.variant[0] != '\0' &&
				     strcmp(wanted.variant, "v2") != 0
			     ? refuse_variant(&wanted, list, n, error)
			     : open_program(e, wanted.architecture, error);
	platform_list_free(kernel);
	return ok;
}

void emulator_fill(struct emulator *e, struct step *step)
{
	size_t n = 0, at = 0;
	if (e->fd < 0)
		return;
	while (step->args[n])
		n++;
	e->args = g_new(const char *, n + 2);
	e->args[0] = EMULATOR_PLACE;
	memcpy(e->args + 1, step->args, (n + 1) * sizeof *e->args);
	e->mounts = g_new(struct step_mount, step->n_mounts + 1);
	/* They are sorted by their places. */
	for (; at < step->n_mounts && strcmp(step->mounts[at].dest, EMULATOR_PLACE) < 0; at++)
		e->mounts[at] = step->mounts[at];
	e->mounts[at] =
		(struct step_mount){.type = STEP_MOUNT_TREE, .dest = EMULATOR_PLACE, .fd = e->fd, .readonly = true};
	for (; at < step->n_mounts; at++)
		e->mounts[at + 1] = step->mounts[at];
	step->args = e->args;
	step->mounts = e->mounts;
	step->n_mounts++;
}

void emulator_clear(struct emulator *e)
{
	fd_close(&e->fd);
	g_clear_pointer(&e->mounts, g_free);
	g_clear_pointer(&e->args, g_free);
}
