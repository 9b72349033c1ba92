/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: "user[:group]" and file modes as --chown and --chmod take them, in LLB's form.
 *
 *	struct owner storage;
 *	copy.owner = owner_parse(a, "app:1000", &storage);
 *
 * Names stay names: they are looked up where the step runs. Thread: any.
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
/* Points into *ret. */
Pb__ChownOpt *owner_parse(arena *a, const char *text, struct owner *ret);

/* Octal up to 07777 gives *ret_mode; a symbolic mode gives *ret_symbolic and 0. */
bool mode_parse(arena *a, const char *text, int32_t *ret_mode, const char **ret_symbolic, GError **error);
