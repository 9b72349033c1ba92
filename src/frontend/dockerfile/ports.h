/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports: parses arguments of EXPOSE: [ip:][host range:]range[/protocol].
 *
 *	struct ports p;
 *	if (!ports_parse(a, "9000-9001/udp", &p, error)) ...     adds "9000/udp", "9001/udp" to p.list
 *
 * Errors: INVALID_ARGUMENT with upstream's texts. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/arena.h"

struct ports {
	struct vec list;   /* element type: char *: "80/tcp" */
	bool upper_case;   /* the protocol contains capital letters */
	bool host_mapping; /* an IP address or host ports are given (they are ignored) */
};
bool ports_parse(arena *a, const char *text, struct ports *ret, GError **error);
