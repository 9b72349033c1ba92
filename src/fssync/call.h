/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: a gRPC call as a channel of packets.
 *
 *	struct fssync_channel channel = fssync_channel_of_client(call);     we started the call
 *	struct fssync_channel channel = fssync_channel_of_server(call);     we serve it
 *
 * The call is borrowed. A client's channel half-closes at the end; the caller still finishes the call.
 * Thread: as in fssync.h.
 */
#pragma once
#include "fssync/fssync.h"
#include "rpc/rpc.h"

struct fssync_channel fssync_channel_of_client(rpc_call *call);
struct fssync_channel fssync_channel_of_server(rpc_call *call);
