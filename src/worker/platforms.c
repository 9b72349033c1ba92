/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/platforms.h"
#include "worker/worker.h"
#include <elf.h>
#include <string.h>

#define ELF_MAGIC "7f454c46"
#define HEADER_BYTES 20 /* of an ELF header, up to and with the machine */

/* Platforms in upstream's order of detection, after the native one, and the ELF headers of their programs. */
static const struct emulated {
	const char *platform;
	unsigned machine, class, data; /* e_machine, EI_CLASS, EI_DATA */
} emulated[] = {
	{"linux/amd64", EM_X86_64, ELFCLASS64, ELFDATA2LSB},  {"linux/arm64", EM_AARCH64, ELFCLASS64, ELFDATA2LSB},
	{"linux/riscv64", EM_RISCV, ELFCLASS64, ELFDATA2LSB}, {"linux/ppc64", EM_PPC64, ELFCLASS64, ELFDATA2MSB},
	{"linux/ppc64le", EM_PPC64, ELFCLASS64, ELFDATA2LSB}, {"linux/s390x", EM_S390, ELFCLASS64, ELFDATA2MSB},
	{"linux/386", EM_386, ELFCLASS32, ELFDATA2LSB},       {"linux/mips64le", EM_MIPS, ELFCLASS64, ELFDATA2LSB},
	{"linux/mips64", EM_MIPS, ELFCLASS64, ELFDATA2MSB},   {"linux/loong64", EM_LOONGARCH, ELFCLASS64, ELFDATA2LSB},
	{"linux/arm/v7", EM_ARM, ELFCLASS32, ELFDATA2LSB},    {"linux/arm/v6", EM_ARM, ELFCLASS32, ELFDATA2LSB},
};

struct platform_list {
	const char *binfmt;
	int64_t max_age_ns;
	GArray *base; /* of struct platform */
	GMutex mu;
	GPtrArray *kept; /* of GArray: all lists that were returned, the present one last; mu */
	int64_t read_ns; /* mu */
};

/* ---- handlers of the kernel */

struct handler {
	unsigned machine, class, data;
};

static bool parse_hex(const char *text, uint8_t bytes[HEADER_BYTES])
{
	for (size_t i = 0; i < HEADER_BYTES; i++) {
		int high = g_ascii_xdigit_value(text[2 * i]),
		    low = high < 0 ? -1 : g_ascii_xdigit_value(text[2 * i + 1]);
		if (low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* False: disabled, not for ELF programs, or without the flag F: then its emulator is looked up in the step's root. */
static bool parse_handler(const char *text, struct handler *ret)
{
	const char *flags = strstr(text, "\nflags: "), *magic = strstr(text, "\nmagic " ELF_MAGIC);
	uint8_t h[HEADER_BYTES];
	if (!g_str_has_prefix(text, "enabled\n") || !flags || !magic || !strstr(text, "\noffset 0\n"))
		return false;
	flags += strlen("\nflags: ");
	if (!memchr(flags, 'F', strcspn(flags, "\n")) || !parse_hex(magic + strlen("\nmagic "), h))
		return false;
	*ret = (struct handler){
		.class = h[EI_CLASS],
		.data = h[EI_DATA],
		.machine = h[EI_DATA] == ELFDATA2MSB ? (unsigned)(h[18] << 8 | h[19]) : (unsigned)(h[19] << 8 | h[18]),
	};
	return true;
}

static GArray *read_handlers(const char *binfmt)
{
	GArray *handlers = g_array_new(FALSE, FALSE, sizeof(struct handler));
	GDir *dir = g_dir_open(binfmt, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir)) != NULL;) {
		g_autofree char *path = g_build_filename(binfmt, name, NULL);
		g_autofree char *text = NULL;
		struct handler h;
		if (strcmp(name, "register") != 0 && g_file_get_contents(path, &text, NULL, NULL) &&
		    parse_handler(text, &h))
			g_array_append_val(handlers, h);
	}
	if (dir)
		g_dir_close(dir);
	return handlers;
}

static bool is_handled(const GArray *handlers, const struct emulated *e)
{
	for (guint i = 0; i < handlers->len; i++) {
		const struct handler *h = &g_array_index(handlers, struct handler, i);
		if (h->machine == e->machine && h->class == e->class && h->data == e->data)
			return true;
	}
	return false;
}

/* ---- the native platforms */

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

static GArray *list_new(void)
{
	return g_array_new(FALSE, TRUE, sizeof(struct platform));
}

static void add_native(GArray *list)
{
	struct platform host;
	platform_host(&host);
	g_array_append_val(list, host);
	add_native_variants(list);
}

/* ---- the list */

static GArray *detect(const platform_list *l)
{
	GArray *list = list_new();
	g_autoptr(GArray) handlers = read_handlers(l->binfmt);
	g_array_append_vals(list, l->base->data, l->base->len);
	for (size_t i = 0; i < G_N_ELEMENTS(emulated); i++) {
		bool native = strcmp(emulated[i].platform, "linux/386") == 0 && runs_386();
		if (native || is_handled(handlers, &emulated[i]))
			add(list, emulated[i].platform);
	}
	return list;
}

static bool same(const GArray *a, const GArray *b)
{
	bool equal = a->len == b->len;
	for (guint i = 0; equal && i < a->len; i++)
		equal = platform_equal(&g_array_index(a, struct platform, i), &g_array_index(b, struct platform, i));
	return equal;
}

platform_list *platform_list_new(const char *binfmt, const struct platform *base, size_t n, int64_t max_age_ns)
{
	platform_list *l = g_new0(platform_list, 1);
	l->binfmt = binfmt;
	l->max_age_ns = max_age_ns;
	l->base = list_new();
	l->kept = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
	if (n > 0)
		g_array_append_vals(l->base, base, (guint)n);
	else
		add_native(l->base);
	g_mutex_init(&l->mu);
	return l;
}

void platform_list_free(platform_list *l)
{
	if (!l)
		return;
	g_array_unref(l->base);
	g_ptr_array_unref(l->kept);
	g_mutex_clear(&l->mu);
	g_free(l);
}

const struct platform *platform_list_get(platform_list *l, size_t *ret_n)
{
	g_mutex_lock(&l->mu);
	int64_t now = g_get_monotonic_time() * 1000;
	GArray *present = l->kept->len > 0 ? l->kept->pdata[l->kept->len - 1] : NULL;
	if (!present || (l->max_age_ns >= 0 && now - l->read_ns >= l->max_age_ns)) {
		GArray *found = detect(l);
		l->read_ns = now;
		for (guint i = 0; i < l->kept->len && found; i++) {
			if (!same(l->kept->pdata[i], found))
				continue;
			/* Lists come back when emulators are removed and added: keep one of each. */
			present = g_ptr_array_steal_index(l->kept, i);
			g_ptr_array_add(l->kept, present);
			g_clear_pointer(&found, g_array_unref);
		}
		if (found)
			g_ptr_array_add(l->kept, present = found);
	}
	*ret_n = present->len;
	const struct platform *list = (const struct platform *)(void *)present->data;
	g_mutex_unlock(&l->mu);
	return list;
}

/* ---- of a worker; here, so that what only describes a worker is linked without its parts */

const struct platform *worker_platforms(const worker *w, size_t *ret_n)
{
	if (w->detected)
		return platform_list_get(w->detected, ret_n);
	*ret_n = w->n_platforms;
	return w->platforms;
}
