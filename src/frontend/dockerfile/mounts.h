/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts: parses RUN --mount=type=cache,target=/c,...
 *
 *	struct run_mount m;
 *	if (!mount_parse(a, "type=tmpfs,target=/t", expand, user, &m, error)) ...
 *
 * Errors: INVALID_ARGUMENT with upstream's texts. Results live in the arena. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/arena.h"

enum run_mount_type { RUN_MOUNT_BIND, RUN_MOUNT_CACHE, RUN_MOUNT_TMPFS, RUN_MOUNT_SECRET, RUN_MOUNT_SSH };
enum run_mount_sharing { RUN_SHARING_UNSET, RUN_SHARING_SHARED, RUN_SHARING_PRIVATE, RUN_SHARING_LOCKED };

struct run_number {
	bool given;
	uint32_t value;
};

struct run_mount {
	enum run_mount_type type;
	const char *from, *source, *target, *id; /* "": not given */
	const char *env;                         /* NULL: not given */
	bool readonly, required;
	int64_t size;
	enum run_mount_sharing sharing;
	struct run_number mode, uid, gid;
};

/* Expands variables in a value; NULL with an error. */
typedef const char *(*mount_expand)(void *user, const char *value, GError **error);
bool mount_parse(arena *a, const char *text, mount_expand expand, void *user, struct run_mount *ret, GError **error);
/* Checks what is known before variables are expanded; text: value of a --mount flag. */
bool mounts_check(arena *a, const struct vec *texts, GError **error);
/* Returns the literal "from" of a checked mount, "" if it has none. */
const char *mount_from(arena *a, const char *text);
