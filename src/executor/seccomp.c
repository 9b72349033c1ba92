/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/seccomp.h"
#include "format/json_writer.h"
#include "runner/syscall_filter.h"
#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Names separated by blanks, grouped by purpose. The runtime skips unknown ones. */
static const char *const always[] = {
	/* files by name */
	"access creat open openat openat2 faccessat faccessat2 stat stat64 lstat lstat64 fstatat64 newfstatat statx "
	"statfs statfs64 chmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchownat link linkat symlink symlinkat "
	"readlink readlinkat rename renameat renameat2 unlink unlinkat mkdir mkdirat rmdir mknod mknodat truncate "
	"truncate64 utime utimes utimensat utimensat_time64 futimesat chdir fchdir getcwd umask name_to_handle_at "
	"statmount listmount",
	/* files by descriptor */
	"close close_range dup dup2 dup3 fcntl fcntl64 flock fstat fstat64 fstatfs fstatfs64 fchmod fchown fchown32 "
	"ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 lseek _llseek read readv pread64 preadv preadv2 write "
	"writev pwrite64 pwritev pwritev2 readahead sendfile sendfile64 copy_file_range splice tee vmsplice getdents "
	"getdents64 ioctl fsync fdatasync sync syncfs sync_file_range cachestat",
	/* extended attributes */
	"getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr "
	"flistxattr "
	"listxattrat removexattr lremovexattr fremovexattr removexattrat",
	/* waiting for events, notification, asynchronous I/O */
	"poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl "
	"epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1 "
	"inotify_add_watch inotify_rm_watch fanotify_mark io_setup io_destroy io_submit io_cancel io_getevents "
	"io_pgetevents io_pgetevents_time64 ioprio_get ioprio_set pipe pipe2",
	/* sockets (socket itself: see rules) */
	"accept accept4 bind connect listen getpeername getsockname getsockopt setsockopt recv recvfrom recvmsg "
	"recvmmsg "
	"recvmmsg_time64 send sendto sendmsg sendmmsg shutdown socketcall socketpair",
	/* memory */
	"brk mmap mmap2 mprotect mremap msync munmap madvise mincore mlock mlock2 mlockall munlock munlockall mseal "
	"membarrier memfd_create memfd_secret remap_file_pages pkey_alloc pkey_free pkey_mprotect map_shadow_stack",
	/* processes and threads */
	"execve execveat exit exit_group fork vfork wait4 waitid waitpid kill tkill tgkill pidfd_open "
	"pidfd_send_signal "
	"process_mrelease getpid getppid gettid getpgid getpgrp setpgid getsid setsid getpriority setpriority "
	"getrlimit "
	"ugetrlimit setrlimit prlimit64 getrusage prctl set_tid_address get_thread_area set_thread_area "
	"get_robust_list "
	"set_robust_list rseq futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue restart_syscall pause "
	"getcpu seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self riscv_hwprobe uretprobe",
	"sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam "
	"sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval "
	"sched_rr_get_interval_time64 sched_yield",
	/* identity */
	"getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid "
	"getresgid32 "
	"getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid "
	"setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset",
	/* signals */
	"rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	"rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn alarm",
	/* time */
	"time times gettimeofday adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
	"clock_gettime64 clock_nanosleep clock_nanosleep_time64 nanosleep getitimer setitimer timer_create "
	"timer_delete "
	"timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
	"timerfd_gettime64 timerfd_settime timerfd_settime64",
	/* System V and POSIX IPC */
	"ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget "
	"mq_open "
	"mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64",
	/* the system */
	"uname sysinfo getrandom",
	/* debugging within the container: safe since Linux 4.8, older kernels do not run this */
	"ptrace process_vm_readv process_vm_writev",
};

enum { ARCH_ANY = 0, ARCH_X86 = 1, ARCH_ARM = 2, ARCH_PPC = 4, ARCH_S390 = 8, ARCH_RISCV = 16, ARCH_NOT_S390 = 32 };
#if defined(__x86_64__) || defined(__i386__)
static const int host_arch = ARCH_X86 | ARCH_NOT_S390;
#elif defined(__aarch64__) || defined(__arm__)
static const int host_arch = ARCH_ARM | ARCH_NOT_S390;
#elif defined(__powerpc64__)
static const int host_arch = ARCH_PPC | ARCH_NOT_S390;
#elif defined(__s390__)
static const int host_arch = ARCH_S390;
#elif defined(__riscv)
static const int host_arch = ARCH_RISCV | ARCH_NOT_S390;
#else
static const int host_arch = ARCH_NOT_S390;
#endif

static const char *const architectures[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
#elif defined(__s390x__)
	"SCMP_ARCH_S390X", "SCMP_ARCH_S390",
#elif defined(__riscv)
	"SCMP_ARCH_RISCV64",
#endif
	NULL};

#define NEW_NAMESPACES                                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

struct rule {
	const char *names;
	const char *cap; /* required capability; "!CAP": must be absent; NULL: any */
	int arch;
	const char *op; /* NULL: any arguments */
	unsigned index;
	uint64_t value;
	int error; /* 0: allowed, otherwise refused with this errno */
};
static const struct rule rules[] = {
	/* All families except AF_ALG (kernel crypto) and AF_VSOCK (the hypervisor), which namespaces do not isolate. */
	{"socket", .op = "SCMP_CMP_LT", .value = AF_ALG},
	{"socket", .op = "SCMP_CMP_EQ", .value = AF_ALG + 1},
	{"socket", .op = "SCMP_CMP_GT", .value = AF_VSOCK},
	/* PER_LINUX, PER_LINUX32, UNAME26, both, and the query. */
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x0},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x0008},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x20000},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0x20008},
	{"personality", .op = "SCMP_CMP_EQ", .value = 0xffffffff},
	{"sync_file_range2 swapcontext", .arch = ARCH_PPC},
	{"arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls", .arch = ARCH_ARM},
	{"arch_prctl modify_ldt", .arch = ARCH_X86},
	{"s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", .arch = ARCH_S390},
	{"riscv_flush_icache", .arch = ARCH_RISCV},
	{"open_by_handle_at", .cap = "CAP_DAC_READ_SEARCH"},
	{"bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
	 "lsm_list_modules "
	 "lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd "
	 "setdomainname "
	 "sethostname setns syslog umount umount2 unshare",
	 .cap = "CAP_SYS_ADMIN"},
	/* Allows processes but not namespaces; clone3 hides its flags from filters, so libc must fall back to clone. */
	{"clone", .cap = "!CAP_SYS_ADMIN", .arch = ARCH_NOT_S390, .op = "SCMP_CMP_MASKED_EQ", .value = NEW_NAMESPACES},
	{"clone", .cap = "!CAP_SYS_ADMIN", .arch = ARCH_S390, .op = "SCMP_CMP_MASKED_EQ", .index = 1,
	 .value = NEW_NAMESPACES},
	{"clone3", .cap = "!CAP_SYS_ADMIN", .error = ENOSYS},
	{"reboot", .cap = "CAP_SYS_BOOT"},
	{"chroot", .cap = "CAP_SYS_CHROOT"},
	{"delete_module init_module finit_module", .cap = "CAP_SYS_MODULE"},
	{"acct", .cap = "CAP_SYS_PACCT"},
	{"kcmp pidfd_getfd process_madvise", .cap = "CAP_SYS_PTRACE"},
	{"iopl ioperm", .cap = "CAP_SYS_RAWIO"},
	{"settimeofday stime clock_settime clock_settime64", .cap = "CAP_SYS_TIME"},
	{"vhangup", .cap = "CAP_SYS_TTY_CONFIG"},
	{"get_mempolicy mbind set_mempolicy set_mempolicy_home_node", .cap = "CAP_SYS_NICE"},
	{"syslog", .cap = "CAP_SYSLOG"},
	{"bpf", .cap = "CAP_BPF"},
	{"perf_event_open", .cap = "CAP_PERFMON"},
};

static void put_names(json_writer *w, const char *names)
{
	while (*names != '\0') {
		size_t n = strcspn(names, " ");
		if (n > 0)
			json_put_string_len(w, names, n);
		names += n;
		names += strspn(names, " ");
	}
}

static bool rule_applies(const struct rule *r, const char *const *caps)
{
	if (r->arch != ARCH_ANY && (r->arch & host_arch) == 0)
		return false;
	if (!r->cap)
		return true;
	bool absent = r->cap[0] == '!';
	return g_strv_contains(caps, r->cap + absent) != absent;
}

static void put_rule(json_writer *w, const struct rule *r)
{
	json_object_begin(w);
	json_array_member_begin(w, "names");
	put_names(w, r->names);
	json_array_end(w);
	json_key(w, "action");
	json_put_string(w, r->error != 0 ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
	json_put_int_member_nonzero(w, "errnoRet", r->error);
	if (r->op) {
		json_array_member_begin(w, "args");
		json_object_begin(w);
		json_key(w, "index");
		json_put_uint(w, r->index);
		json_key(w, "value");
		json_put_uint(w, r->value);
		json_key(w, "op");
		json_put_string(w, r->op);
		json_object_end(w);
		json_array_end(w);
	}
	json_object_end(w);
}

char *seccomp_json(const char *const *caps)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_key(w, "defaultAction");
	json_put_string(w, "SCMP_ACT_ERRNO");
	json_put_int_member(w, "defaultErrnoRet", EPERM);
	json_array_member_begin(w, "architectures");
	for (size_t i = 0; architectures[i]; i++)
		json_put_string(w, architectures[i]);
	json_array_end(w);
	json_array_member_begin(w, "syscalls");
	json_object_begin(w);
	json_array_member_begin(w, "names");
	for (size_t i = 0; i < G_N_ELEMENTS(always); i++)
		put_names(w, always[i]);
	json_array_end(w);
	json_key(w, "action");
	json_put_string(w, "SCMP_ACT_ALLOW");
	json_object_end(w);
	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		if (rule_applies(&rules[i], caps))
			put_rule(w, &rules[i]);
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

/* ---- compiled filter */

static int add_names(syscall_filter *f, const char *names, uint32_t action, const struct scmp_arg_cmp *args,
		     unsigned n_args)
{
	g_auto(GStrv) list = g_strsplit(names, " ", -1);
	int r = 0;
	for (size_t i = 0; r == 0 && list[i]; i++)
		if (*list[i] != '\0')
			r = syscall_filter_add_rule(f, action, list[i], args, n_args);
	return r;
}

static int add_rule(syscall_filter *f, const struct rule *r)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {{"SCMP_CMP_LT", SCMP_CMP_LT},
		   {"SCMP_CMP_EQ", SCMP_CMP_EQ},
		   {"SCMP_CMP_GT", SCMP_CMP_GT},
		   {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
	struct scmp_arg_cmp arg = {.arg = r->index, .op = SCMP_CMP_EQ, .datum_a = r->value};
	for (size_t i = 0; r->op && i < G_N_ELEMENTS(ops); i++)
		if (g_str_equal(r->op, ops[i].name))
			arg.op = ops[i].op;
	/* In this case datum_a is the mask, and datum_b, 0, the expected masked argument. */
	return add_names(f, r->names, r->error != 0 ? SCMP_ACT_ERRNO((uint32_t)r->error) : SCMP_ACT_ALLOW, &arg,
			 r->op != NULL);
}

static int add_architectures(syscall_filter *f)
{
	int r = 0;
	for (size_t i = 0; r == 0 && architectures[i]; i++) {
		g_autofree char *name = g_ascii_strdown(architectures[i] + strlen("SCMP_ARCH_"), -1);
		uint32_t token = seccomp_arch_resolve_name(name);
		if (token != 0)
			r = syscall_filter_add_architecture(f, token);
	}
	return r;
}

GBytes *seccomp_program(const char *const *caps, GError **error)
{
	g_autofree uint8_t *bytes = g_malloc(SYSCALL_FILTER_MAX_BYTES);
	syscall_filter *f = syscall_filter_new(SCMP_ACT_ERRNO(EPERM));
	ssize_t n = f ? add_architectures(f) : -ENOMEM;
	for (size_t i = 0; n == 0 && i < G_N_ELEMENTS(always); i++)
		n = add_names(f, always[i], SCMP_ACT_ALLOW, NULL, 0);
	for (size_t i = 0; n == 0 && i < G_N_ELEMENTS(rules); i++)
		if (rule_applies(&rules[i], caps))
			n = add_rule(f, &rules[i]);
	if (n == 0)
		n = syscall_filter_export(f, bytes, SYSCALL_FILTER_MAX_BYTES);
	syscall_filter_free(f);
	if (n < 0)
		return error_null_errno(error, (int)-n, "compile the system call filter");
	return g_bytes_new(bytes, (gsize)n);
}

bool seccomp_is_supported(void)
{
	/* EFAULT: filters are supported, only this one (NULL) is not readable. */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1 && errno == EFAULT;
}
