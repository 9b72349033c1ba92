/* SPDX-License-Identifier: Apache-2.0 */
#include "source/signature.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/file.h"
#include "os/process.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PGP_BEGIN "-----BEGIN PGP SIGNATURE-----"
#define SSH_BEGIN "-----BEGIN SSH SIGNATURE-----"

/* Verifying takes milliseconds; hashing a file of LIMIT_HTTP_SOURCE_BYTES takes minutes. */
static const struct process_limit limits[] = {
	{RLIMIT_AS, GIB(1)},
	{RLIMIT_CPU, 900},
	{RLIMIT_FSIZE, 0},
	{RLIMIT_CORE, 0},
};

static bool not_started(const struct signature_program *p, GError **error)
{
	if (!error || !*error || !error_is(*error, ERROR_NOT_FOUND))
		return false;
	g_autofree char *path = g_find_program_in_path(p->argv[0]);
	if (path)
		return false;
	g_clear_error(error);
	return error_set(error, ERROR_FAILED_PRECONDITION,
			 "%s, which verifies signatures, is not installed where buildkitd runs: install the package %s",
			 p->argv[0], p->package);
}

bool signature_program_run(const struct signature_program *p, cancel *c, int *ret_status, GBytes **ret_out,
			   GBytes **ret_err, GError **error)
{
	const char *path = g_getenv("PATH");
	g_autofree char *path_variable = g_strconcat(
		"PATH=", path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL);
	const char *const env[] = {path_variable, "HOME=/nonexistent", "LC_ALL=C", NULL};
	int fds[3 + SIGNATURE_FILES_MAX] = {-1, -1, -1};
	memcpy(fds + 3, p->fds, p->n_fds * sizeof *fds);
	scoped_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct process_spec spec = {
		.argv = p->argv,
		.envp = env,
		.fds = fds,
		.n_fds = 3 + p->n_fds,
		.cwd_fd = root,
		.has_cwd = root >= 0,
		.new_session = true,
		.kill_group = true,
		.limits = limits,
		.n_limits = G_N_ELEMENTS(limits),
	};
	if (process_run(&spec, p->input ? p->input->str : NULL, p->input ? p->input->len : 0, SIGNATURE_OUTPUT_MAX, c,
			ret_status, ret_out, ret_err, error))
		return true;
	not_started(p, error);
	return false;
}

int signature_file_new(const void *bytes, size_t n, GError **error)
{
	int fd = memfd_create("signature", MFD_CLOEXEC);
	if (fd < 0) {
		error_set_errno(error, errno, "create a file in memory");
		return -1;
	}
	if (n == 0 || file_write_all(fd, bytes, n))
		return fd;
	error_set_errno(error, errno, "write a file in memory");
	close(fd);
	return -1;
}

bool signature_verify_git(const git_object *o, const struct signature_key *key, cancel *c, GError **error)
{
	const GString *s = o->signature;
	if (s->len == 0)
		return error_set(error, ERROR_FAILED_PRECONDITION, "git object is not signed");
	if (g_str_has_prefix(s->str, SSH_BEGIN))
		return signature_verify_ssh(o->signed_data, s->str, s->len, key, c, error);
	if (!g_str_has_prefix(s->str, PGP_BEGIN))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid signature format");
	scoped_fd data = signature_file_new(o->signed_data->str, o->signed_data->len, error);
	return data >= 0 && signature_verify_pgp(data, s->str, s->len, key, c, error);
}
