/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"
#include "fail.h"
#include "inroot.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define LAST_CAP 63

void identity_limits(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_limits; i++) {
		const struct rlimit limit = {p->limits[i].soft, p->limits[i].hard};
		if (setrlimit((__rlimit_resource_t)p->limits[i].resource, &limit) != 0)
			fail(PHASE_LIMIT, errno, "set resource limit %u", p->limits[i].resource);
	}
}

static int write_own(int proc_fd, const char *name, const char *text)
{
	auto_fd fd = inroot_open_kernel(proc_fd, name, O_WRONLY);
	size_t n = strlen(text);
	if (fd < 0)
		return fd;
	ssize_t written = write(fd, text, n);
	return written == (ssize_t)n ? 0 : written < 0 ? -errno : -EIO;
}

void identity_labels(const struct plan *p, int proc_fd)
{
	char text[4096];
	int r = 0;
	if (p->apparmor != NULL && p->apparmor[0] != '\0') {
		snprintf(text, sizeof text, "exec %s", p->apparmor);
		r = write_own(proc_fd, "self/attr/apparmor/exec", text);
		if (r == -ENOENT)
			r = write_own(proc_fd, "self/attr/exec", text);
		if (r != 0)
			fail(PHASE_LABEL, -r, "apparmor profile %s", p->apparmor);
	}
	if (p->selinux != NULL && p->selinux[0] != '\0') {
		r = write_own(proc_fd, "self/attr/exec", p->selinux);
		if (r != 0)
			fail(PHASE_LABEL, -r, "selinux label %s", p->selinux);
	}
}

void identity_oom_score(const struct plan *p, int proc_fd)
{
	char text[24];
	if (p->oom_score == PLAN_UNSET)
		return;
	snprintf(text, sizeof text, "%lld", (long long)p->oom_score);
	int r = write_own(proc_fd, "self/oom_score_adj", text);
	/* Only privileged processes can lower the score: then it stays higher than requested. */
	if (r != 0 && !(r == -EACCES && sys_in_user_namespace()))
		fail(PHASE_SYSTEM, -r, "oom score %s", text);
}

void identity_keyring(const struct plan *p)
{
	/* A new session keyring: the step must not see the keys of the host's session. */
	if (p->keyring != NULL && p->keyring[0] != '\0' &&
	    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, p->keyring, 0, 0, 0) < 0 && errno != ENOSYS)
		fail(PHASE_USER, errno, "join session keyring");
}

static const char *unmapped(int error)
{
	bool is_unmapped = error == EINVAL && sys_in_user_namespace();
	return is_unmapped ? ", which the user namespace does not map (see /etc/subuid and /etc/subgid)" : "";
}

void identity_user(const struct plan *p)
{
	for (unsigned long cap = 0; cap <= LAST_CAP; cap++) {
		if ((p->caps[PLAN_CAPS_BOUNDING] >> cap & 1) != 0 || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			break; /* this and all higher capabilities are unknown to the kernel */
		fail(PHASE_CAPABILITY, errno, "drop capability %lu from the bounding set", cap);
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		fail(PHASE_CAPABILITY, errno, "keep capabilities");
	/* Called always, so that no group of the parent remains. */
	if (setgroups(p->n_groups, (const gid_t *)p->groups) != 0 && (errno != EPERM || p->n_groups > 0))
		fail(PHASE_USER, errno, "set %u supplementary groups%s", p->n_groups, unmapped(errno));
	if (setresgid(p->gid, p->gid, p->gid) != 0)
		fail(PHASE_USER, errno, "set group %u%s", p->gid, unmapped(errno));
	if (setresuid(p->uid, p->uid, p->uid) != 0)
		fail(PHASE_USER, errno, "set user %u%s", p->uid, unmapped(errno));
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
		fail(PHASE_CAPABILITY, errno, "keep capabilities");
}

static void set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
		{(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
	};
	if (syscall(SYS_capset, &header, data) != 0)
		fail(PHASE_CAPABILITY, errno, "set capabilities");
}

/* After the change of user, the permitted set is intact and can be made effective again. */
static void regain_caps(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) != 0)
		fail(PHASE_CAPABILITY, errno, "get capabilities");
	data[0].effective = data[0].permitted;
	data[1].effective = data[1].permitted;
	if (syscall(SYS_capset, &header, data) != 0)
		fail(PHASE_CAPABILITY, errno, "regain capabilities");
}

static void install_filter(const struct plan *p)
{
	if (p->seccomp.len == 0)
		return;
	const struct sock_fprog program = {
		.len = (unsigned short)(p->seccomp.len / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)p->seccomp.ptr,
	};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned long)p->seccomp_flags, &program) < 0)
		fail(PHASE_SECCOMP, errno, "install a filter of %u instructions", (unsigned)program.len);
}

void identity_finish(const struct plan *p)
{
	const uint64_t *caps = p->caps;
	if (p->no_new_privs != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail(PHASE_CAPABILITY, errno, "set no_new_privs");
	/* Loading a filter needs no_new_privs or CAP_SYS_ADMIN, so it comes before capabilities are dropped. */
	regain_caps();
	install_filter(p);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		fail(PHASE_CAPABILITY, errno, "clear ambient capabilities");
	set_caps(caps[PLAN_CAPS_EFFECTIVE], caps[PLAN_CAPS_PERMITTED], caps[PLAN_CAPS_INHERITABLE]);
	for (unsigned long cap = 0; cap <= LAST_CAP; cap++) {
		/*
		 * A capability that is not both permitted and inheritable cannot be ambient and is skipped, as in other
		 * runtimes.
		 */
		if ((caps[PLAN_CAPS_AMBIENT] >> cap & 1) != 0)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	}
}
