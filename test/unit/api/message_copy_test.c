/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message_copy.h"
#include "api/guard.h"
#include "ops.pb-c.h"
#include <string.h>

static void assert_same(const void *a, const void *b)
{
	g_autoptr(GBytes) x = message_pack(a), y = message_pack(b);
	g_assert_cmpmem(g_bytes_get_data(x, NULL), g_bytes_get_size(x), g_bytes_get_data(y, NULL), g_bytes_get_size(y));
	g_assert_cmpuint(g_bytes_get_size(x), >, 0);
}

/* The original is overwritten and freed before the copy is examined. */
static void test_exec(void)
{
	char text[] = "KEY=value", cwd[] = "/";
	char *env[] = {text, (char *)""};
	Pb__Meta meta = PB__META__INIT;
	Pb__ExecOp exec = PB__EXEC_OP__INIT;
	Pb__Mount mount = PB__MOUNT__INIT, *mounts[] = {&mount};
	Pb__Op op = PB__OP__INIT;
	int32_t codes[] = {3, -1};
	meta.env = env;
	meta.n_env = 2;
	meta.cwd = cwd;
	meta.n_validexitcodes = 2;
	meta.validexitcodes = codes;
	mount.input = -1;
	mount.readonly = true;
	exec.meta = &meta;
	exec.mounts = mounts;
	exec.n_mounts = 1;
	op.op_case = PB__OP__OP_EXEC;
	op.exec = &exec;
	Pb__Op *wanted = message_copy(&op);
	g_autoptr(arena) a = arena_new();
	Pb__Op *copy = message_copy_in(a, &op);
	memset(text, 'x', sizeof text - 1);
	codes[0] = 9;
	mount.readonly = false;
	assert_same(copy, wanted);
	g_assert_cmpstr(copy->exec->meta->env[0], ==, "KEY=value");
	g_assert_true(copy->exec->mounts[0] != &mount);
	guard_free(wanted);
}

/* Map entries, bytes, unknown fields; an unset one-of is not followed. */
static void test_definition(void)
{
	static const uint8_t encoded[] = {0x0a, 2, 'a', 'b', 0x12, 5, 0x0a, 1, 'd', 0x12, 0, 0xa2, 0x06, 2, 'u', 'v'};
	Pb__Definition *from = guard_unpack(&pb__definition__descriptor, encoded, sizeof encoded, NULL);
	g_assert_nonnull(from);
	g_assert_cmpuint(from->base.n_unknown_fields, ==, 1);
	g_autoptr(arena) a = arena_new();
	Pb__Definition *copy = message_copy_in(a, from);
	guard_free(from);
	g_autoptr(GBytes) packed = message_pack(copy);
	g_assert_cmpmem(g_bytes_get_data(packed, NULL), g_bytes_get_size(packed), encoded, sizeof encoded);
	Pb__Op op = PB__OP__INIT;
	op.exec = (Pb__ExecOp *)(void *)1;
	g_assert_true(((Pb__Op *)message_copy_in(a, &op))->op_case == PB__OP__OP__NOT_SET);
}

static void test_new(void)
{
	g_autoptr(arena) a = arena_new();
	Pb__Mount *m = message_new_in(a, Pb__Mount, pb__mount);
	g_assert_true(m->base.descriptor == &pb__mount__descriptor);
	g_assert_cmpstr(m->dest, ==, "");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/api/message-copy/exec", test_exec);
	g_test_add_func("/api/message-copy/definition", test_definition);
	g_test_add_func("/api/message-copy/new", test_new);
	return g_test_run();
}
