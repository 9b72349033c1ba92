/* SPDX-License-Identifier: Apache-2.0 */
/* config-linux.md, "Seccomp": compiles the profile. */
#include "config.h"
#include "fail.h"
#include "runner/syscall_filter.h"
#include <ctype.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

static uint32_t action(const char *name, int64_t error)
{
	const struct {
		const char *name;
		uint32_t value;
	} table[] = {
		{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
		{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
		{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO((uint32_t)error)},
		{"SCMP_ACT_TRACE", SCMP_ACT_TRACE((uint32_t)error)},
		{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
		{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].value;
	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
		fail(PHASE_PLAN, 0, "seccomp action SCMP_ACT_NOTIFY is not supported");
	fail(PHASE_PLAN, 0, "string %s is not a valid action for seccomp", name);
}

static enum scmp_compare comparison(const char *name)
{
	static const struct {
		const char *name;
		enum scmp_compare value;
	} table[] = {
		{"SCMP_CMP_NE", SCMP_CMP_NE},
		{"SCMP_CMP_LT", SCMP_CMP_LT},
		{"SCMP_CMP_LE", SCMP_CMP_LE},
		{"SCMP_CMP_EQ", SCMP_CMP_EQ},
		{"SCMP_CMP_GE", SCMP_CMP_GE},
		{"SCMP_CMP_GT", SCMP_CMP_GT},
		{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].value;
	fail(PHASE_PLAN, 0, "string %s is not a valid operator for seccomp", name);
}

static void add_architectures(syscall_filter *f, const json_t *seccomp)
{
	struct plan_strings list = json_texts(seccomp, "architectures");
	for (uint32_t i = 0; i < list.n; i++) {
		char name[32] = "";
		const char *text = list.list[i];
		if (strncmp(text, "SCMP_ARCH_", 10) == 0)
			for (size_t k = 0; text[10 + k] != '\0' && k < sizeof name - 1; k++)
				name[k] = (char)tolower((unsigned char)text[10 + k]);
		uint32_t token = name[0] != '\0' ? seccomp_arch_resolve_name(name) : 0;
		if (token == 0)
			fail(PHASE_PLAN, 0, "string %s is not a valid arch for seccomp", text);
		int r = syscall_filter_add_architecture(f, token);
		if (r != 0)
			fail(PHASE_PLAN, -r, "seccomp architecture %s", text);
	}
}

static unsigned read_args(const json_t *call, struct scmp_arg_cmp args[6])
{
	const json_t *list = json_member(call, "args", JSON_ARRAY);
	unsigned n = 0;
	if (json_array_size(list) > 6)
		fail(PHASE_PLAN, 0, "seccomp: more than 6 arguments");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		args[n++] = (struct scmp_arg_cmp){
			.arg = (unsigned)json_number(one, "index", 0, 0, 5),
			.op = comparison(json_text(one, "op", "")),
			.datum_a = (uint64_t)json_number(one, "value", 0, INT64_MIN, INT64_MAX),
			.datum_b = (uint64_t)json_number(one, "valueTwo", 0, INT64_MIN, INT64_MAX),
		};
	}
	return n;
}

/* Several conditions on the same argument are alternatives: each becomes a rule, as in other runtimes. */
static bool repeats_an_argument(const struct scmp_arg_cmp *args, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			if (args[i].arg == args[k].arg)
				return true;
	return false;
}

static void add_call(syscall_filter *f, const json_t *call)
{
	struct scmp_arg_cmp args[6];
	unsigned n = read_args(call, args);
	uint32_t act = action(json_text(call, "action", ""), json_number(call, "errnoRet", EPERM, 0, 4095));
	struct plan_strings names = json_texts(call, "names");
	bool apart = repeats_an_argument(args, n);
	for (uint32_t i = 0; i < names.n; i++) {
		int r = 0;
		if (!apart)
			r = syscall_filter_add_rule(f, act, names.list[i], args, n);
		for (unsigned k = 0; apart && r == 0 && k < n; k++)
			r = syscall_filter_add_rule(f, act, names.list[i], &args[k], 1);
		if (r != 0)
			fail(PHASE_PLAN, -r, "seccomp rule for %s", names.list[i]);
	}
}

static uint32_t read_flags(const json_t *seccomp)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} table[] = {
		{"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* not needed: the process has one thread */
		{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
		{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	};
	struct plan_strings list = json_texts(seccomp, "flags");
	uint32_t flags = 0;
	for (uint32_t i = 0; i < list.n; i++) {
		size_t k = 0;
		while (k < sizeof table / sizeof *table && strcmp(table[k].name, list.list[i]) != 0)
			k++;
		if (k == sizeof table / sizeof *table)
			fail(PHASE_PLAN, 0, "seccomp flag %s is not supported", list.list[i]);
		flags |= table[k].flag;
	}
	return flags;
}

void config_seccomp(struct plan *p, const json_t *seccomp)
{
	static syscall_filter *f; /* frees the context of a previous call that failed */
	const json_t *calls = json_member(seccomp, "syscalls", JSON_ARRAY);
	if (seccomp == NULL)
		return;
	if (json_text(seccomp, "listenerPath", "")[0] != '\0')
		fail(PHASE_PLAN, 0, "seccomp.listenerPath is not supported");
	uint32_t otherwise = action(json_text(seccomp, "defaultAction", ""),
				    json_number(seccomp, "defaultErrnoRet", EPERM, 0, 4095));
	syscall_filter_free(f);
	f = syscall_filter_new(otherwise);
	if (f == NULL)
		fail(PHASE_PLAN, ENOMEM, "seccomp");
	add_architectures(f, seccomp);
	for (size_t i = 0; i < json_array_size(calls); i++)
		add_call(f, json_array_get(calls, i));
	void *bytes = json_room(SYSCALL_FILTER_MAX_BYTES, 1);
	ssize_t n = syscall_filter_export(f, bytes, SYSCALL_FILTER_MAX_BYTES);
	syscall_filter_free(f);
	f = NULL;
	if (n < 0)
		fail(PHASE_PLAN, (int)-n, "compile the seccomp profile");
	p->seccomp = (struct plan_bytes){bytes, (uint32_t)n};
	p->seccomp_flags = read_flags(seccomp);
}
