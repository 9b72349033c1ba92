/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: messages of LLBBridge and of the worker records from and to the structs of the bridge and the worker.
 *
 *	struct bridge_source_request request;
 *	gateway_source_request_read(message, &request);                   borrows from the message
 *	Gateway__ResolveSourceMetaResponse *reply = gateway_source_new(&found);
 *
 * New messages are freed with guard_free. Thread: any.
 */
#pragma once
#include "gateway.pb-c.h"
#include "worker/bridge.h"
#include "worker/worker.h"

/* m->source must be set. */
void gateway_source_request_read(const Gateway__ResolveSourceMetaRequest *m, struct bridge_source_request *ret);
Gateway__ResolveSourceMetaResponse *gateway_source_new(const struct bridge_source *s);
Fsutil__Stat *gateway_stat_new(const struct fssync_stat *stat);
Types__WorkerRecord *gateway_worker_record_new(const worker *w);
Types__BuildkitVersion *gateway_version_new(void);
