/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules: written to a file on v1, compiled to a BPF program on v2. The last rule that matches a device decides,
 * so the program tests the rules in reverse order. An access is allowed if all its kinds are.
 */
#include "cgroup.h"
#include "sys.h"
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_RULES 400
#define PER_RULE 10

/* ---- v1 */

static void rule_text(const struct plan_device_rule *r, char text[64])
{
	char major[24] = "*", minor[24] = "*", access[4] = "";
	size_t n = 0;
	if (r->major >= 0)
		snprintf(major, sizeof major, "%lld", (long long)r->major);
	if (r->minor >= 0)
		snprintf(minor, sizeof minor, "%lld", (long long)r->minor);
	if ((r->access & PLAN_ACCESS_READ) != 0)
		access[n++] = 'r';
	if ((r->access & PLAN_ACCESS_WRITE) != 0)
		access[n++] = 'w';
	if ((r->access & PLAN_ACCESS_MKNOD) != 0)
		access[n++] = 'm';
	access[n] = '\0';
	if (r->type == 'a')
		snprintf(text, 64, "a");
	else
		snprintf(text, 64, "%c %s:%s %s", (int)r->type, major, minor, access);
}

static int filter_v1(int fd, const struct plan_device_rule *rules, uint32_t n)
{
	char text[64];
	for (uint32_t i = 0; i < n; i++) {
		rule_text(&rules[i], text);
		int r = sys_write_at(fd, rules[i].allow != 0 ? "devices.allow" : "devices.deny", text);
		if (r != 0)
			return r;
	}
	return 0;
}

/* ---- v2 */

#define OP(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})

/* r2: type, r3: access, r4: major, r5: minor (struct bpf_cgroup_dev_ctx) */
static size_t emit_prologue(struct bpf_insn *at)
{
	const struct bpf_insn code[] = {
		OP(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0), OP(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff),
		OP(BPF_LDX | BPF_MEM | BPF_W, 3, 1, 0, 0), OP(BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16),
		OP(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0), OP(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0),
	};
	memcpy(at, code, sizeof code);
	return sizeof code / sizeof *code;
}

static size_t emit_rule(struct bpf_insn *at, const struct plan_device_rule *r)
{
	size_t n = 0, jumps[4], n_jumps = 0;
	if (r->type != 'a') {
		jumps[n_jumps++] = n;
		at[n++] = OP(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
			     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
		if ((r->access & PLAN_ACCESS_ALL) != PLAN_ACCESS_ALL) {
			/* The rule does not cover the requested kind of access: continue with the next rule. */
			at[n++] = OP(BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
			at[n++] = OP(BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, (int32_t)r->access);
			jumps[n_jumps++] = n;
			at[n++] = OP(BPF_JMP | BPF_JNE | BPF_X, 1, 3, 0, 0);
		}
		if (r->major >= 0) {
			jumps[n_jumps++] = n;
			at[n++] = OP(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)r->major);
		}
		if (r->minor >= 0) {
			jumps[n_jumps++] = n;
			at[n++] = OP(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)r->minor);
		}
	}
	at[n++] = OP(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, r->allow != 0);
	at[n++] = OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (size_t i = 0; i < n_jumps; i++)
		at[jumps[i]].off = (int16_t)(n - jumps[i] - 1);
	return n;
}

static int load(const struct bpf_insn *code, size_t n)
{
	union bpf_attr a = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			    .insns = (uint64_t)(uintptr_t)code,
			    .insn_cnt = (uint32_t)n,
			    .license = (uint64_t)(uintptr_t) "Apache"};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
	return fd < 0 ? -errno : fd;
}

static int filter_v2(int cgroup_fd, const struct plan_device_rule *rules, uint32_t n_rules)
{
	static struct bpf_insn code[MAX_RULES * PER_RULE + 8];
	size_t n = emit_prologue(code);
	if (n_rules > MAX_RULES)
		return -E2BIG;
	uint32_t i = n_rules;
	/* Rules before a rule about all devices have no effect. */
	for (bool all = false; i > 0 && !all; i--) {
		all = rules[i - 1].type == 'a';
		n += emit_rule(code + n, &rules[i - 1]);
	}
	if (n_rules == 0 || rules[i].type != 'a')
		n += emit_rule(code + n, &(struct plan_device_rule){.type = 'a'});
	/* The program that this process attached before: an access needs the consent of all attached programs. */
	static int attached = -1;
	int program = load(code, n);
	if (program < 0)
		return program;
	union bpf_attr a = {.target_fd = (uint32_t)cgroup_fd,
			    .attach_bpf_fd = (uint32_t)program,
			    .attach_type = BPF_CGROUP_DEVICE,
			    .attach_flags = BPF_F_ALLOW_MULTI | (attached >= 0 ? BPF_F_REPLACE : 0),
			    .replace_bpf_fd = attached >= 0 ? (uint32_t)attached : 0};
	int r = syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof a) == 0 ? 0 : -errno;
	if (attached >= 0)
		close(attached);
	attached = program;
	return r;
}

int cgroup_filter_devices(const struct cgroup *g, const struct plan_device_rule *rules, uint32_t n)
{
	if (sys_in_user_namespace())
		return 0; /* not permitted, and not needed: no device can be created there */
	for (unsigned i = 0; i < g->all->n; i++)
		if ((g->all->list[i].controllers & CGROUP_DEVICES) != 0 && g->fds[i] >= 0)
			return filter_v1(g->fds[i], rules, n);
	int fd = cgroup_unified_fd(g);
	return fd >= 0 ? filter_v2(fd, rules, n) : -ENOENT;
}
