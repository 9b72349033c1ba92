/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a step in a temporary directory. Its program is a copy of buildkit-runc, which is linked statically. */
#include "check.h"
#include "base/ident.h"
#include "base/scope.h"
#include "executor/executor.h"
#include "os/mount.h"
#include "os/tree.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define PROGRAM "/buildkit-runc"

static void collect(void *data, int stream, const void *bytes, size_t n)
{
	GString *output = data;
	if (output->len < 4096)
		g_string_append_len(output, bytes, (gssize)n);
}

static bool make_root(const char *path, GError **error)
{
	g_autofree char *program = executor_find_binary(NULL);
	g_autofree char *target = g_strconcat(path, PROGRAM, NULL);
	g_autofree char *bytes = NULL;
	gsize n;
	if (!program)
		return error_set(error, ERROR_NOT_FOUND, "failed to find runc binary");
	if (mkdir(path, 0755) != 0)
		return error_set_errno(error, errno, "mkdir %s", path);
	return g_file_get_contents(program, &bytes, &n, error) &&
	       g_file_set_contents_full(target, bytes, (gssize)n, G_FILE_SET_CONTENTS_NONE, 0755, error);
}

bool check_mounts_begin(char **ret_directory, GError **error)
{
	*ret_directory = NULL;
	if (!mount_make_private_namespace(error))
		return false;
	if (!mount_is_old())
		return true;
	g_autofree char *directory = g_dir_make_tmp("buildkitd-check-XXXXXX", error);
	scoped_fd fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (!directory)
		return false;
	*ret_directory = g_steal_pointer(&directory);
	return mount_use_directory(fd, error);
}

void check_mounts_end(char *directory)
{
	if (!directory)
		return;
	umount2(directory, MNT_DETACH | UMOUNT_NOFOLLOW);
	rmdir(directory);
	g_free(directory);
}

static bool run_in(const struct config *config, const char *directory, GString *found, GString *output, GError **error)
{
	char instance[IDENT_SIZE];
	ident_new(instance);
	g_autofree char *image = g_build_filename(directory, "image", NULL);
	if (!make_root(image, error))
		return false;
	scoped_fd root_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd image_fd = open(image, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct executor_options options = config->oci.options.executor;
	options.root_fd = root_fd;
	options.root_path = directory;
	options.instance = instance;
	options.binary = options.binary && *options.binary != '\0' ? options.binary : NULL;
	executor *e = executor_new(&options, error);
	scoped_fd mounted = e ? mount_clone(image_fd, false, error) : -1;
	const char *args[] = {PROGRAM, "--version", NULL}, *env[] = {"PATH=/", NULL};
	const struct step step = {
		.args = args, .env = env, .cwd = "/", .root_fd = mounted, .output = collect, .output_data = output};
	struct work work = {0};
	struct step_exit code = {0};
	bool ran = mounted >= 0 && executor_run(e, &step, &work, &code, error);
	if (ran)
		g_string_append_printf(found, "runs with %s", executor_binary(e));
	if (e)
		executor_free(e);
	if (ran && code.code != 0)
		return error_set(error, ERROR_UNKNOWN, "%s (exit status %d)", g_strchomp(output->str), code.code);
	return ran;
}

enum check_status check_step(const struct config *config, GString *found, GString *fix)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) output = g_string_new(NULL);
	g_autofree char *program = executor_find_binary(NULL);
	g_autofree char *name = program ? g_path_get_basename(program) : g_strdup("buildkit-runc");
	if (config->oci.enabled == TRISTATE_FALSE || !g_str_equal(name, "buildkit-runc")) {
		g_string_append(found, "not run: ");
		g_string_append(found, config->oci.enabled == TRISTATE_FALSE ? "the OCI worker is disabled"
									     : "there is no buildkit-runc");
		return CHECK_NOTE;
	}
	g_autofree char *directory = g_dir_make_tmp("buildkitd-check-XXXXXX", &error);
	char *mounts = NULL;
	bool ok = directory && check_mounts_begin(&mounts, &error) && run_in(config, directory, found, output, &error);
	check_mounts_end(mounts);
	if (directory)
		tree_remove_at(AT_FDCWD, directory, NULL);
	if (ok)
		return CHECK_OK;
	g_string_assign(found, error->message);
	g_string_append(fix, config->oci.options.executor.rootless
				     ? "see docs/rootless.md (containers: unmask /proc or use "
				       "--oci-worker-no-process-sandbox, allow seccomp and AppArmor)"
				     : "run the daemon as root, in a container with --privileged");
	return CHECK_MISSING;
}
