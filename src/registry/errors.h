/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors: converts error responses to upstream's error texts.
 *
 *	if (reply.status >= 300) return errors_status("GET", &reply, error);
 *
 * The error of a registry or token server is the JSON of the distribution specification ({"errors": [...]}): code,
 * message and detail. Every call sets the error and returns false. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "registry/transport.h"

/* UNKNOWN: only "unexpected status from HEAD request to URL: 403 Forbidden". */
bool errors_bare(const char *method, const struct transport_reply *reply, GError **error);
/* The same, followed by the registry's text on separate lines. */
bool errors_status(const char *method, const struct transport_reply *reply, GError **error);
/* Only the registry's errors with their details, if it sent any; otherwise the status and the beginning of the body. */
bool errors_detailed(const char *method, const struct transport_reply *reply, GError **error);
