/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers: which workers this daemon has: the OCI worker first, then containerd's; the first one is the default.
 *
 *	bool shared = !workers_want_private_mounts(config);
 *	if (!workers_open(&ws, &input, error)) ...            error: no worker found
 *	workers_close(&ws);
 *
 * "auto" takes the OCI worker when a runtime is there, containerd's when somebody answers at its socket.
 * Thread: main; immutable after open.
 */
#pragma once
#include "config.h"
#include "rpc/rpc.h"

#define WORKERS_MAX 2

struct workers {
	worker *list[WORKERS_MAX]; /* owned; default first */
	size_t n;
};
struct workers_input { /* all borrowed */
	const struct config *config;
	int root_fd;
	session_registry *sessions;
	rpc_loop *loop;
};
/*
 * Are steps run from mounts that only this process needs to see? Not those of containerd: its shims mount what we
 * have mounted. Asked before there is any thread.
 */
bool workers_want_private_mounts(const struct config *config);
bool workers_open(struct workers *ws, const struct workers_input *input, GError **error);
void workers_close(struct workers *ws);
bool config_allows(const struct config *config, const char *entitlement);
