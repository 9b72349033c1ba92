/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/syscall_filter.h"
#include <errno.h>
#include <stdbool.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_ARCHITECTURES 8
#define X32_BIT 0x40000000u

struct syscall_filter {
	scmp_filter_ctx context;
	uint32_t default_action;
	struct {
		uint32_t token;
		int newest; /* number of the newest call named by a rule; -1: none */
	} architectures[MAX_ARCHITECTURES];
	size_t n;
};

syscall_filter *syscall_filter_new(uint32_t default_action)
{
	syscall_filter *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->default_action = default_action;
	f->context = seccomp_init(default_action);
	if (!f->context) {
		free(f);
		return NULL;
	}
	f->architectures[f->n].token = seccomp_arch_native();
	f->architectures[f->n++].newest = -1;
	/* The caller sets no_new_privs itself. The binary tree is faster for each call of a step. */
	seccomp_attr_set(f->context, SCMP_FLTATR_CTL_NNP, 0);
	seccomp_attr_set(f->context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return f;
}

void syscall_filter_free(syscall_filter *f)
{
	if (!f)
		return;
	seccomp_release(f->context);
	free(f);
}

int syscall_filter_add_architecture(syscall_filter *f, uint32_t token)
{
	if (token == seccomp_arch_native() || token == SCMP_ARCH_NATIVE)
		return 0;
	int r = seccomp_arch_add(f->context, token);
	if (r == -EEXIST)
		return 0;
	if (r != 0 || f->n == MAX_ARCHITECTURES)
		return r != 0 ? r : -E2BIG;
	f->architectures[f->n].token = token;
	f->architectures[f->n++].newest = -1;
	return 0;
}

static void note_newest(syscall_filter *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++) {
		int number = seccomp_syscall_resolve_name_arch(f->architectures[i].token, name);
		if (number > f->architectures[i].newest)
			f->architectures[i].newest = number;
	}
}

int syscall_filter_add_rule(syscall_filter *f, uint32_t action, const char *name, const struct scmp_arg_cmp *args,
			    unsigned n_args)
{
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR)
		return 0;
	note_newest(f, name);
	if (action == f->default_action)
		return 0; /* libseccomp refuses rules that equal the default action */
	return seccomp_rule_add_array(f->context, action, number, n_args, args);
}

/* ---- calls that are too new */

static bool refuses(uint32_t action)
{
	return action != SCMP_ACT_ALLOW && action != SCMP_ACT_LOG && action != SCMP_ACT_ERRNO(ENOSYS);
}

/*
 * Tests the architecture and number: calls newer than all known ones get ENOSYS, others continue with the profile.
 * libseccomp's tokens are the kernel's, except for x32, which is x86_64 with a bit set in the number.
 */
static size_t prologue(const syscall_filter *f, struct sock_filter *code)
{
	size_t n = 0;
	if (!refuses(f->default_action))
		return 0;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < f->n; i++) {
		if (f->architectures[i].newest < 0 || f->architectures[i].token == SCMP_ARCH_X32)
			continue;
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, f->architectures[i].token, 0, 5);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0);
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K,
							 (uint32_t)f->architectures[i].newest, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	}
	return n;
}

static ssize_t read_back(int fd, char *bytes, size_t size)
{
	ssize_t total = 0, n;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = read(fd, bytes + total, size - (size_t)total)) > 0)
		total += n;
	if (n < 0)
		return -errno;
	return (size_t)total == size ? -E2BIG : total;
}

ssize_t syscall_filter_export(syscall_filter *f, void *bytes, size_t size)
{
	struct sock_filter start[1 + 6 * MAX_ARCHITECTURES];
	size_t n_start = prologue(f, start) * sizeof *start;
	int fd = memfd_create("filter", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : seccomp_export_bpf(f->context, fd);
	ssize_t n = r != 0 ? r : n_start >= size ? -E2BIG : read_back(fd, (char *)bytes + n_start, size - n_start);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return n;
	memcpy(bytes, start, n_start);
	return n + (ssize_t)n_start;
}
