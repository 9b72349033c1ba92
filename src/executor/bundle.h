/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle: the bundle directory of an OCI runtime: config.json, rootfs and the sources of the step's mounts.
 *
 *	bundle *b = bundle_new(executor_fd, executor_path, id, error);
 *	bundle_attach(b, root_fd, BUNDLE_ROOT, NULL, error);
 *	const char *source = bundle_attach(b, mount_fd, NULL, &is_directory, error);
 *	bundle_free(b);                 unmounts and removes everything
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"

typedef struct bundle bundle;

bundle *bundle_new(int executor_fd, const char *executor_path, const char *id, GError **error);
/*
 * Makes a tree reachable by path: a detached mount is moved here (once), anything else is bound. name NULL: the next
 * unused name. Returns the absolute path, borrowed. ret_directory may be NULL.
 */
const char *bundle_attach(bundle *b, int fd, const char *name, bool *ret_directory, GError **error);
/* The same, always with a bind mount: for mounts that have other users. */
const char *bundle_bind(bundle *b, int fd, bool *ret_directory, GError **error);
/*
 * Writes a file (one per bundle) that exists in memory only, until the bundle or the daemon ends: it may contain
 * secrets.
 */
bool bundle_write_secret(bundle *b, const char *name, const void *bytes, size_t n, GError **error);
int bundle_fd(const bundle *b);
const char *bundle_path(const bundle *b);
void bundle_free(bundle *b);

#define BUNDLE_ROOT "rootfs"
#define BUNDLE_CGROUP_FILE "cgroup" /* names the step's cgroup for recovery after a crash */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bundle, bundle_free)
