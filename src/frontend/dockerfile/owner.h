/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: converts the values of --chown ("user[:group]") and --chmod to LLB.
 *
 *	struct owner storage;
 *	copy.owner = owner_parse(a, "app:1000", &storage);
 *
 * Names are not resolved here, but when the step runs. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/arena.h"
#include "ops.pb-c.h"

struct owner {
	Pb__ChownOpt chown;
	Pb__UserOpt user, group;
	Pb__NamedUserOpt user_name, group_name;
};
/* The result points into *ret. */
Pb__ChownOpt *owner_parse(arena *a, const char *text, struct owner *ret);

/* An octal mode up to 07777 sets *ret_mode; a symbolic mode sets *ret_symbolic, and *ret_mode to 0. */
bool mode_parse(arena *a, const char *text, int32_t *ret_mode, const char **ret_symbolic, GError **error);
