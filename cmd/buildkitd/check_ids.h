/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_ids: the ranges of subordinate ids (subuid(5), subgid(5)) of the user, for --check.
 *
 *	const struct check_ids ids = {"/etc/subuid", "subuids", "builder", 1000};
 *	status = check_ids(&ids, found, fix);
 *
 * Missing: no ids, ranges of which newuidmap makes no map, and ranges with root. Thread: any.
 */
#pragma once
#include "check.h"

struct check_ids {
	const char *path, *option; /* option: of usermod, "subuids" or "subgids" */
	const char *user;          /* NULL: it has no name */
	uint32_t own;
};
enum check_status check_ids(const struct check_ids *ids, GString *found, GString *fix);
