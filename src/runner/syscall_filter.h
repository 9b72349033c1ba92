/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall_filter: compiles a system call profile to a BPF program for the kernel.
 *
 *	syscall_filter *f = syscall_filter_new(SCMP_ACT_ERRNO(EPERM));
 *	syscall_filter_add_architecture(f, SCMP_ARCH_X86);
 *	syscall_filter_add_rule(f, SCMP_ACT_ALLOW, "read", NULL, 0);
 *	ssize_t n = syscall_filter_export(f, bytes, sizeof bytes);     struct sock_filter[]
 *
 * Calls newer than all calls of the profile fail with ENOSYS instead of the default error, because programs have
 * fallbacks for ENOSYS but not for EPERM. Plain C. Thread: one at a time.
 */
#pragma once
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SYSCALL_FILTER_MAX_BYTES (4096 * 8)

typedef struct syscall_filter syscall_filter;
/* NULL: out of memory, or an action that the kernel does not support. */
syscall_filter *syscall_filter_new(uint32_t default_action);
void syscall_filter_free(syscall_filter *f);
/* The native architecture is included already. Returns 0 or -errno. */
int syscall_filter_add_architecture(syscall_filter *f, uint32_t token);
/* Ignores names that libseccomp does not know and calls that an architecture does not have. Returns 0 or -errno. */
int syscall_filter_add_rule(syscall_filter *f, uint32_t action, const char *name, const struct scmp_arg_cmp *args,
			    unsigned n_args);
/* Returns the number of bytes written, or -errno. */
ssize_t syscall_filter_export(syscall_filter *f, void *bytes, size_t size);
