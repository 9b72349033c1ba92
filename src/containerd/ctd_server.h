/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_server: properties of a containerd instance.
 *
 *	struct ctd_server s;
 *	if (!ctd_server_ask(client, &s, error)) ...
 *	ctd_server_clear(&s);
 *
 * Thread: any; calls block.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "format/platform.h"

struct ctd_server {
	char *uuid, *version;
	char *content_root; /* directory of its content store; NULL: not reported */
	struct platform *platforms;
	size_t n_platforms;
};
bool ctd_server_ask(ctd_client *c, struct ctd_server *ret, GError **error);
void ctd_server_clear(struct ctd_server *s);
/* Checks that containerd answers; otherwise error has the reason. */
bool ctd_server_answers(rpc_loop *loop, const char *address, const char *namespace, GError **error);
