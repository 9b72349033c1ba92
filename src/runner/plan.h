/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: a step in the form that buildkit-runc runs, and its encoding for a socket, together with its descriptors.
 *
 *	struct plan_codec c;
 *	plan_codec_init_write(&c, NULL, 0);              measures
 *	plan_encode(&c, &plan); ... again with c.used bytes of memory: the plan as bytes ...
 *	plan_decode(bytes, n, arena, n_arena, n_fds, &plan)     0, or -errno; the plan points into both
 *
 * Plain C and no allocation: the daemon (with GLib) and the runner (without) share it. Decoding trusts neither lengths
 * nor indices. Descriptors are identified by their index in the list sent with the plan.
 * Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_MAX_BYTES (16u << 20) /* environment and arguments; the kernel's limit is much lower */
#define PLAN_MAX_FDS 4096
#define PLAN_MAX_ITEMS 65536 /* in any one list */
#define PLAN_NO_FD UINT32_MAX

/* The phase in which a step failed before its program ran; plan_phase_text gives the text for error messages. */
/* clang-format off */
#define PLAN_PHASES(X) \
	X(PLAN, "plan") \
	X(CLONE, "clone") \
	X(CGROUP, "cgroup") \
	X(NAMESPACE, "namespace") \
	X(ROOT, "root") \
	X(MOUNT, "mount") \
	X(DEVICE, "device") \
	X(MASK, "mask") \
	X(SYSTEM, "system") \
	X(CONSOLE, "console") \
	X(PIVOT, "pivot") \
	X(CWD, "cwd") \
	X(USER, "user") \
	X(CAPABILITY, "capability") \
	X(LIMIT, "limit") \
	X(LABEL, "label") \
	X(SECCOMP, "seccomp") \
	X(PROGRAM, "program") \
	X(HOOK, "hook")
/* clang-format on */
#define PLAN_PHASE_ENUM(name, text) PHASE_##name,
enum plan_phase { PLAN_PHASES(PLAN_PHASE_ENUM) PHASES };
const char *plan_phase_text(unsigned phase);

struct plan_strings {
	const char **list; /* args and env are NULL-terminated (decode adds the NULL), other lists are not */
	uint32_t n;
};
struct plan_bytes {
	const void *ptr;
	uint32_t len;
};

enum plan_mount_kind {
	PLAN_MOUNT_TREE,   /* fd: a detached mount, moved here */
	PLAN_MOUNT_TYPE,   /* a new file system of a type */
	PLAN_MOUNT_FILE,   /* a small read-only file with these bytes */
	PLAN_MOUNT_CGROUP, /* the step's view of its cgroups */
	PLAN_MOUNT_KINDS
};
struct plan_mount {
	uint32_t kind;
	uint32_t fd;
	const char *dest;                        /* absolute, resolved inside the root */
	const char *type, *source, *data;        /* TYPE; data: options of the file system, comma-separated */
	uint64_t set, clear;                     /* MOUNT_ATTR_* of the mount itself */
	uint64_t set_recursive, clear_recursive; /* MOUNT_ATTR_* of it and all below */
	uint64_t propagation;                    /* MS_SHARED, ... with MS_REC; 0: private */
	struct plan_bytes bytes;                 /* FILE */
	uint32_t directory;                      /* TREE, FILE: a missing mount point becomes a directory */
	uint32_t copy_up;                        /* TYPE tmpfs: filled with the contents below it */
	uint32_t user_fd;                        /* TREE: a user namespace for id mapping, or PLAN_NO_FD */
};
struct plan_device {
	const char *path; /* absolute, inside the root */
	uint32_t type;    /* S_IFCHR, S_IFBLK, S_IFIFO */
	uint32_t major, minor, mode, uid, gid;
};
struct plan_device_rule {
	uint32_t allow;
	uint32_t type;        /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: all */
	uint32_t access;      /* of PLAN_ACCESS_* */
};
/* The rules of every container: all device nodes can be made, and the usual ones opened; the first denies all. */
extern const struct plan_device_rule plan_default_rules[];
extern const uint32_t plan_n_default_rules;
enum { PLAN_ACCESS_MKNOD = 1, PLAN_ACCESS_READ = 2, PLAN_ACCESS_WRITE = 4, PLAN_ACCESS_ALL = 7 };
struct plan_limit {
	uint32_t resource; /* RLIMIT_* */
	uint64_t soft, hard;
};
struct plan_setting { /* a file and the value written to it: sysctl "net.core.x", cgroup "pids.max" */
	const char *name, *value;
};
struct plan_join {     /* an existing namespace */
	uint64_t type; /* CLONE_NEW* */
	uint32_t fd;
};
struct plan_id_map {
	uint32_t inside, outside, count;
};
struct plan_resources { /* linux.resources of the runtime spec; unset: INT64_MIN or NULL */
	int64_t memory, memory_swap, memory_reservation, pids, cpu_quota, cpu_burst, cpu_idle, swappiness, oom_disable;
	int64_t cpu_shares, cpu_period, rt_runtime, rt_period, blkio_weight;
	const char *cpus, *mems;
	struct plan_setting *unified; /* v2 files and values */
	uint32_t n_unified;
	struct plan_device_rule *devices;
	uint32_t n_devices;
};
#define PLAN_UNSET INT64_MIN

struct plan {
	/* process */
	struct plan_strings args, env; /* NULL-terminated */
	const char *cwd;
	uint32_t uid, gid, umask; /* umask: UINT32_MAX keeps it */
	uint32_t *groups, n_groups;
	uint64_t caps[5]; /* PLAN_CAPS_*: bit sets */
	struct plan_limit *limits;
	uint32_t n_limits;
	int64_t oom_score; /* PLAN_UNSET: inherited */
	uint32_t no_new_privs, terminal, rows, columns;
	uint32_t stdio[3];              /* descriptors, or PLAN_NO_FD: /dev/null */
	uint32_t preserve;              /* descriptors 3 ... 2+n stay open */
	const char *apparmor, *selinux; /* "" none */
	const char *mount_label;        /* SELinux label of the file systems that are made for the step; "": none */
	struct plan_bytes seccomp;      /* struct sock_filter[] */
	uint32_t seccomp_flags;
	const char *keyring;   /* name of a new session keyring; "": keep */
	uint32_t death_signal; /* sent when the process that started the step exits; 0: none */
	uint32_t notify;       /* report RUNNER_READY: others can join it */
	/* namespaces */
	uint64_t namespaces; /* CLONE_NEW* of new ones */
	struct plan_join *joins;
	uint32_t n_joins;
	struct plan_id_map *uid_maps, *gid_maps;
	uint32_t n_uid_maps, n_gid_maps;
	const char *hostname, *domainname; /* "" : unchanged */
	struct plan_setting *sysctls;
	uint32_t n_sysctls;
	/* tree */
	uint32_t root_fd; /* a detached mount, or PLAN_NO_FD: the caller's root (exec) */
	uint32_t root_readonly;
	uint64_t root_propagation;
	struct plan_mount *mounts;
	uint32_t n_mounts;
	struct plan_device *devices;
	uint32_t n_devices;
	struct plan_strings masked, readonly;
	uint32_t default_devices; /* null, zero, ..., links, console: the devices of every container */
	/* cgroup */
	const char *cgroup; /* "" : the cgroup set by the runner */
	struct plan_resources resources;
};
enum { PLAN_CAPS_BOUNDING, PLAN_CAPS_EFFECTIVE, PLAN_CAPS_INHERITABLE, PLAN_CAPS_PERMITTED, PLAN_CAPS_AMBIENT };

/* Initializes a plan without requests: no descriptors, no limits, empty texts. */
void plan_init(struct plan *plan);

struct plan_codec {
	uint8_t *bytes; /* write: NULL only counts */
	size_t n, used;
	uint8_t *arena; /* read: memory for lists */
	size_t n_arena, arena_used;
	bool reading;
	int error; /* errno of the first error */
};
void plan_codec_init_write(struct plan_codec *c, void *bytes, size_t n);
/*
 * Returns 0 or -errno (EMSGSIZE: buffer too small or plan too large, E2BIG: a list has more than PLAN_MAX_ITEMS).
 * c->used: bytes written or needed.
 */
int plan_encode(struct plan_codec *c, struct plan *plan);
/* The plan refers to bytes and to the arena, of at least plan_arena_size(n). Returns 0, -EBADMSG, -ENOMEM. */
int plan_decode(const void *bytes, size_t n, void *arena, size_t n_arena, uint32_t n_fds, struct plan *ret_plan);
size_t plan_arena_size(size_t n_bytes);

/* ---- messages */

/* On the control socket (SOCK_SEQPACKET), daemon to runner: a request for one more process. */
enum runner_request_kind {
	RUNNER_STEP, /* the first process of a step, in a new cgroup */
	RUNNER_JOIN, /* a further process of a running step, in that step's cgroup; its plan joins the namespaces */
};
struct runner_request {
	uint32_t magic, kind;
	uint64_t namespaces; /* STEP: CLONE_NEW* that must be given to clone */
	/* STEP: cgroup above the step's, relative to each hierarchy, "": the default; JOIN: the step's cgroup. */
	char cgroup[256];
};
/* The reply, with the daemon's end of the step's socket and a pidfd; in the order of the requests. */
struct runner_offer {
	uint32_t magic;
	int32_t error; /* errno: the step could not be created */
	int32_t pid;
	uint32_t pad;
	char cgroup[256]; /* its path beneath each hierarchy, with a leading slash */
};
/* On the step's socket (SOCK_STREAM), daemon to step: this header, the plan, and n_fds descriptors. */
struct runner_header {
	uint32_t magic, n_bytes, n_fds;
};
/*
 * A report of a step. RUNNER_FAILED: the reason why it did not start. RUNNER_CONSOLE: its terminal (a descriptor).
 * RUNNER_PROCESS: the process in a joined pid namespace (a pidfd). RUNNER_EXITED: its exit status. RUNNER_READY, with
 * plan.notify: its program is started next, in its tree.
 */
enum runner_report_kind { RUNNER_FAILED = 1, RUNNER_CONSOLE, RUNNER_PROCESS, RUNNER_EXITED, RUNNER_READY };
struct runner_report {
	uint32_t kind, phase;
	int32_t error;       /* FAILED: errno */
	int32_t status;      /* EXITED: as from waitpid */
	uint32_t oom_killed; /* EXITED */
	char text[1004];     /* FAILED: the operation that failed */
};
#define RUNNER_MAGIC 0x31636b62u
#define RUNNER_FDS_A_MESSAGE 250
