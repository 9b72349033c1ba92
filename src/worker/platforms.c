/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include "os/path.h"
#include "worker/worker.h"

/* Platforms in upstream's order of detection, after the native one. */
static const struct emulated {
	const char *platform;
	const char *handler; /* name in binfmt_misc used by qemu-user-static */
} emulated[] = {
	{"linux/amd64", "qemu-x86_64"},    {"linux/arm64", "qemu-aarch64"},
	{"linux/riscv64", "qemu-riscv64"}, {"linux/ppc64", "qemu-ppc64"},
	{"linux/ppc64le", "qemu-ppc64le"}, {"linux/s390x", "qemu-s390x"},
	{"linux/386", "qemu-i386"},        {"linux/mips64le", "qemu-mips64el"},
	{"linux/mips64", "qemu-mips64"},   {"linux/loong64", "qemu-loongarch64"},
	{"linux/arm/v7", "qemu-arm"},      {"linux/arm/v6", "qemu-arm"},
};

static bool handler_is_enabled(const char *handler)
{
	g_autofree char *path = g_strdup_printf("/proc/sys/fs/binfmt_misc/%s", handler);
	g_autofree char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) && g_str_has_prefix(text, "enabled");
}

#if defined(__x86_64__)
/* x86-64 micro-architecture levels (psABI, "Micro-Architecture Levels"). */
static int amd64_level(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt") || !__builtin_cpu_supports("ssse3"))
		return 1;
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") ||
	    !__builtin_cpu_supports("fma"))
		return 2;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
	    !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
	    !__builtin_cpu_supports("avx512vl"))
		return 3;
	return 4;
}
#endif

static void add(GArray *list, const char *text)
{
	struct platform p;
	if (!platform_parse(text, &p, NULL))
		return;
	for (guint i = 0; i < list->len; i++)
		if (platform_equal(&g_array_index(list, struct platform, i), &p))
			return;
	g_array_append_val(list, p);
}

static void add_native_variants(GArray *list)
{
#if defined(__x86_64__)
	int level = amd64_level();
	for (int i = 2; i <= level; i++) {
		g_autofree char *text = g_strdup_printf("linux/amd64/v%d", i);
		add(list, text);
	}
#else
	(void)list;
#endif
}

/* 32-bit programs run natively if the kernel supports them. */
static bool runs_386(void)
{
#if defined(__x86_64__)
	return g_file_test("/proc/sys/abi/vsyscall32", G_FILE_TEST_EXISTS);
#else
	return false;
#endif
}

struct platform *platforms_detect(size_t *ret_n)
{
	GArray *list = g_array_new(FALSE, TRUE, sizeof(struct platform));
	struct platform host;
	platform_host(&host);
	g_array_append_val(list, host);
	add_native_variants(list);
	for (size_t i = 0; i < G_N_ELEMENTS(emulated); i++) {
		bool native = strcmp(emulated[i].platform, "linux/386") == 0 && runs_386();
		if (native || handler_is_enabled(emulated[i].handler))
			add(list, emulated[i].platform);
	}
	*ret_n = list->len;
	return (struct platform *)g_array_free(list, FALSE);
}
