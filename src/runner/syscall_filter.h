/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall_filter: a system call profile as the program the kernel runs.
 *
 *	syscall_filter *f = syscall_filter_new(SCMP_ACT_ERRNO(EPERM));
 *	syscall_filter_add_architecture(f, SCMP_ARCH_X86);
 *	syscall_filter_add_rule(f, SCMP_ACT_ALLOW, "read", NULL, 0);
 *	ssize_t n = syscall_filter_export(f, bytes, sizeof bytes);     struct sock_filter[]
 *
 * Calls that are newer than all that a profile speaks of answer ENOSYS instead of the default error: programs fall
 * back then, where they would give up at EPERM. Plain C. Thread: one at a time.
 */
#pragma once
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SYSCALL_FILTER_MAX_BYTES (4096 * 8)

typedef struct syscall_filter syscall_filter;
syscall_filter *
syscall_filter_new(uint32_t default_action); /* NULL: no memory, or an action that the kernel has not got */
void syscall_filter_free(syscall_filter *f);
/* The native one is there already. 0 or -errno. */
int syscall_filter_add_architecture(syscall_filter *f, uint32_t token);
/* Names that libseccomp does not know are left out; so are those of one architecture on another. 0 or -errno. */
int syscall_filter_add_rule(syscall_filter *f, uint32_t action, const char *name, const struct scmp_arg_cmp *args,
			    unsigned n_args);
/* SCMP_FLTATR_CTL_*. */
int syscall_filter_set(syscall_filter *f, enum scmp_filter_attr attribute, uint32_t value);
/* Bytes written, or -errno. */
ssize_t syscall_filter_export(syscall_filter *f, void *bytes, size_t size);
