/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_server: what a containerd says of itself.
 *
 *	struct ctd_server s;
 *	if (!ctd_server_ask(client, &s, error)) ...
 *	ctd_server_clear(&s);
 *
 * Thread: any; asks and waits.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "format/platform.h"

struct ctd_server {
	char *uuid, *version;
	char *content_root; /* where its content store keeps blobs; NULL: it does not say */
	struct platform *platforms;
	size_t n_platforms;
};
bool ctd_server_ask(ctd_client *c, struct ctd_server *ret, GError **error);
void ctd_server_clear(struct ctd_server *s);
/* Does anybody answer there? The reason why not, in error. */
bool ctd_server_answers(rpc_loop *loop, const char *address, const char *namespace, GError **error);
