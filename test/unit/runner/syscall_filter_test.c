/* SPDX-License-Identifier: Apache-2.0 */
/* Filters are installed in child processes, whose exit status reports the result of a system call. */
#include "runner/syscall_filter.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The errno of a call under the filter; 0: it succeeded. Raw system calls only, because the child is under the filter.
 */
static int errno_under(syscall_filter *f, long number, long argument)
{
	static char bytes[SYSCALL_FILTER_MAX_BYTES];
	ssize_t n = syscall_filter_export(f, bytes, sizeof bytes);
	g_assert_cmpint(n, >, 0);
	const struct sock_fprog program = {(unsigned short)((size_t)n / sizeof(struct sock_filter)),
					   (struct sock_filter *)(void *)bytes};
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
			_exit(255);
		long r = syscall(number, argument, 0, 0, 0);
		syscall(SYS_exit_group, r < 0 ? errno : 0);
	}
	int status;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static syscall_filter *allowing(void)
{
	static const char *const names[] = {"exit_group", "getpid", "getppid", "no_such_call"};
	syscall_filter *f = syscall_filter_new(SCMP_ACT_ERRNO(EPERM));
	g_assert_nonnull(f);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_cmpint(syscall_filter_add_rule(f, SCMP_ACT_ALLOW, names[i], NULL, 0), ==, 0);
	return f;
}

static void test_default_and_rules(void)
{
	syscall_filter *f = allowing();
	const struct scmp_arg_cmp five = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = 5};
	g_assert_cmpint(syscall_filter_add_rule(f, SCMP_ACT_ALLOW, "umask", &five, 1), ==, 0);
	g_assert_cmpint(syscall_filter_add_rule(f, SCMP_ACT_ERRNO(ENOSPC), "getuid", NULL, 0), ==, 0);
	g_assert_cmpint(errno_under(f, SYS_getpid, 0), ==, 0);
	g_assert_cmpint(errno_under(f, SYS_gettid, 0), ==, EPERM);
	g_assert_cmpint(errno_under(f, SYS_getuid, 0), ==, ENOSPC);
	g_assert_cmpint(errno_under(f, SYS_umask, 5), ==, 0);
	g_assert_cmpint(errno_under(f, SYS_umask, 6), ==, EPERM);
	syscall_filter_free(f);
}

/* Newer than all calls of the profile: as on a kernel that does not have it. */
static void test_too_new(void)
{
	syscall_filter *f = allowing();
	g_assert_cmpint(errno_under(f, SYS_getppid + 1000, 0), ==, ENOSYS);
	g_assert_cmpint(errno_under(f, 0, -1), ==, EPERM);
	g_assert_cmpint(syscall_filter_add_rule(f, SCMP_ACT_ALLOW, "pidfd_open", NULL, 0), ==, 0);
	g_assert_cmpint(errno_under(f, SYS_pidfd_open - 1, 0), ==, EPERM);
	syscall_filter_free(f);
}

static void test_architectures(void)
{
	syscall_filter *f = allowing();
	g_assert_cmpint(syscall_filter_add_architecture(f, SCMP_ARCH_NATIVE), ==, 0);
	g_assert_cmpint(syscall_filter_add_architecture(f, seccomp_arch_native()), ==, 0);
	g_assert_cmpint(syscall_filter_add_architecture(f, 12345), <, 0);
	syscall_filter_free(f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/syscall_filter/default-and-rules", test_default_and_rules);
	g_test_add_func("/syscall_filter/too-new", test_too_new);
	g_test_add_func("/syscall_filter/architectures", test_architectures);
	return g_test_run();
}
