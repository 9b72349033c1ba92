/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors: answers that are refusals, in upstream's words.
 *
 *	if (reply.status >= 300) return errors_status("GET", &reply, error);
 *
 * The words of a registry or token server are the JSON of the distribution specification ({"errors": [...]}): code,
 * message and detail. Every call sets the error and returns false. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "registry/transport.h"

/* UNKNOWN: "unexpected status from HEAD request to URL: 403 Forbidden" alone. */
bool errors_bare(const char *method, const struct transport_reply *reply, GError **error);
/* The same, then the registry's text on separate lines. */
bool errors_status(const char *method, const struct transport_reply *reply, GError **error);
/* The registry's words alone, with their details, where it has some; else the status and the begin of the body. */
bool errors_detailed(const char *method, const struct transport_reply *reply, GError **error);
