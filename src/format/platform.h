/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform: parses, normalises and matches os/arch[/variant] like containerd (containerd/platforms).
 *
 *	struct platform p;
 *	if (!platform_parse("linux/arm64", &p, error)) return false;
 *
 * Plain data with fixed buffers (no ownership). Thread: any.
 */
#pragma once
#include "base/error.h"

struct platform {
	char os[32];
	char architecture[32];
	char variant[32];
	char os_version[64];
	char *const *os_features; /* borrowed, NULL-terminated, or NULL */
};

/*
 * Parses and normalises "os", "arch", "os/arch" or "os/arch/variant", also os(version). Errors: INVALID_ARGUMENT,
 * upstream's texts.
 */
bool platform_parse(const char *text, struct platform *ret, GError **error);
void platform_host(struct platform *ret); /* normalised platform of this machine */
/* Makes platform_host return a platform of another machine; NULL: of this one. For tests, before threads are started. */
void platform_set_host(const struct platform *p);
void platform_normalize(struct platform *p); /* x86_64 -> amd64, aarch64 -> arm64, arm64/v8 -> arm64, arm -> arm/v7 */
/* Formats os/arch[/variant]. */
char *platform_format(const struct platform *p);
/* Also os(version), as platforms.FormatAll. */
char *platform_format_all(const struct platform *p);
bool platform_equal(const struct platform *a, const struct platform *b);
/*
 * Rates an image built for `have` on a machine `want`: 0 incompatible, larger is better (exact 100, older arm or amd64
 * variants less), in the order of platforms.Only.
 */
int platform_match(const struct platform *want, const struct platform *have);
