/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp: the default system call filter of containers, as the linux.seccomp member of an OCI runtime spec.
 *
 *	g_autofree char *json = seccomp_json(spec_default_caps);
 *
 * The allow list is that of common container engines: everything a program needs, nothing that reaches beyond the
 * container, some calls only with the capability that guards them anyway. Thread: any.
 */
#pragma once
#include "base/error.h"

/* caps: NULL-terminated names ("CAP_CHOWN") the step has. The text is compact JSON, owned by the caller. */
char *seccomp_json(const char *const *caps);
/* The same as the program that the kernel runs (struct sock_filter[]), for buildkit-runc. */
GBytes *seccomp_program(const char *const *caps, GError **error);
/* Does this kernel take filters? */
bool seccomp_is_supported(void);
