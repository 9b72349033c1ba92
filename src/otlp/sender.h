/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender: one request with an encoded ExportTraceServiceRequest; private to this module.
 *
 *	otlp_sender *s = otlp_sender_new(&config, loop, error);
 *	if (!otlp_sender_send(s, message, cancel, &rejected, &again, error) && again) ...    later
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/cancel.h"
#include "otlp/config.h"
#include "rpc/rpc.h"

typedef struct otlp_sender otlp_sender;
otlp_sender *otlp_sender_new(const struct otlp_config *config, rpc_loop *loop, GError **error);
void otlp_sender_free(otlp_sender *s);
/* ret_again: whether the collector may accept the same message later. */
bool otlp_sender_send(otlp_sender *s, GBytes *message, cancel *c, int64_t *ret_rejected, bool *ret_again,
		      GError **error);
