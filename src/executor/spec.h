/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec: converts a step to an OCI runtime spec (opencontainers/runtime-spec, config.md and config-linux.md).
 *
 *	struct spec_input in = {.step = step, .cgroup_path = path, ...};
 *	g_autofree char *json = spec_json(&in, &len);
 *
 * Pure: the spec depends only on the input. Everything is borrowed. Thread: any.
 */
#pragma once
#include "executor/executor.h"

struct passwd_user;
struct spec_input {
	const struct step *step;
	const struct passwd_user *user;
	const char *root_path; /* path of the root file system for the runtime; NULL: "rootfs" in the bundle */
	const char *cgroup_path;
	const char *resolv_path, *hosts_path;
	const char *const *sources;              /* one path per mount of the step; NULL for tmpfs */
	const mode_t *tmpfs_modes;               /* one per mount of the step; 0: not known; may be NULL */
	const char *seccomp;                     /* JSON; NULL: none */
	const char *apparmor_profile;            /* NULL or "": none */
	const char *process_label, *mount_label; /* of SELinux; NULL: none */
	const char *const *all_caps;             /* the daemon's capabilities, for insecure steps */
	bool rootless;           /* neither cgroup nor limits nor /sys, as for OCI runtimes of an ordinary user */
	bool no_devices;         /* insecure steps get no further devices: they cannot be created in a user namespace */
	bool no_process_sandbox; /* the daemon's pid namespace, and its /proc with what is mounted below */
	bool cgroup_namespace;
	const network_namespace *network; /* the step's network namespace; NULL: by step->network */
	bool terminal;
	struct step_size size; /* of the terminal; 0: not set */
	int free_loop;         /* next free loop device, for insecure steps */
};
char *spec_json(const struct spec_input *in, size_t *ret_len);
/* The process alone, for a further process of the step. */
char *spec_process_json(const struct spec_input *in, size_t *ret_len);

/* ---- shared by the spec and the plan for buildkit-runc */

struct spec_mount {
	const char *dest, *type, *source; /* borrowed; source of "bind": what it mounts */
	char *clean_dest, *options;       /* owned; options comma-separated */
	size_t index;                     /* in step->mounts, or SPEC_FIXED_MOUNT */
};
#define SPEC_FIXED_MOUNT SIZE_MAX
/* In the order of mounting; g_array_unref. */
GArray *spec_mounts(const struct spec_input *in);

/*
 * Appends the environment of a step to env (borrowed strings). A missing or empty HOME is replaced by that of the user,
 * which is returned, owned; NULL: HOME is set.
 */
char *spec_collect_env(const struct step *step, const struct passwd_user *user, GPtrArray *env);

struct spec_device {
	const char *path;
	char type;
	int major, minor;
};
extern const struct spec_device spec_insecure_devices[]; /* ends with a NULL path */
#define SPEC_SPARE_LOOPS 7                               /* loop devices beyond the first free one */
/* Paths that this machine has and that a sandboxed step cannot read, NULL-terminated; valid until the program ends. */
const char *const *spec_masked_paths(const struct spec_input *in);
const char *const *spec_readonly_paths(const struct spec_input *in);

/* Capabilities of a sandboxed step, NULL-terminated. */
extern const char *const spec_default_caps[];
/* Capabilities of this process ("CAP_..."), NULL-terminated; g_strfreev. */
char **spec_current_caps(void);
int spec_free_loop(void);
