/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp: the default system call filter of containers, as the linux.seccomp member of an OCI runtime spec.
 *
 *	g_autofree char *json = seccomp_json(spec_default_caps);
 *
 * The allow list is that of common container engines: calls that programs need and that do not reach beyond the
 * container; some only with the capability that the kernel requires as well. Thread: any.
 */
#pragma once
#include "base/error.h"

/* caps: NULL-terminated names of the step's capabilities ("CAP_CHOWN"). Returns compact JSON, owned by the caller. */
char *seccomp_json(const char *const *caps);
/* The same as a program for the kernel (struct sock_filter[]), for buildkit-runc. */
GBytes *seccomp_program(const char *const *caps, GError **error);
/* Reports whether this kernel supports filters. */
bool seccomp_is_supported(void);
