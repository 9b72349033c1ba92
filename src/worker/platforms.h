/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platforms: the platforms whose programs run on this machine: the native one, its variants, and those whose emulator is
 * registered in the kernel (binfmt_misc, https://docs.kernel.org/admin-guide/binfmt-misc.html).
 *
 *	platform_list *l = platform_list_new(PLATFORMS_BINFMT, native, n, max_age_ns);
 *	const struct platform *list = platform_list_get(l, &n);          the default platform first
 *
 * The kernel's list is read again when the last reading is older than max_age_ns; negative: never. Thread: any.
 */
#pragma once
#include "format/platform.h"

#define PLATFORMS_BINFMT "/proc/sys/fs/binfmt_misc"

typedef struct platform_list platform_list;
/* base: platforms that run in any case, copied; n 0: the machine's. binfmt: directory of binfmt_misc, borrowed. */
platform_list *platform_list_new(const char *binfmt, const struct platform *base, size_t n, int64_t max_age_ns);
void platform_list_free(platform_list *l);
/* Valid until the list is freed. */
const struct platform *platform_list_get(platform_list *l, size_t *ret_n);
