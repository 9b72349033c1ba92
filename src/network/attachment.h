/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attachment: a network namespace that CNI plugins have attached to a network, and its record on disk.
 *
 *	attachment *a = attachment_new(&site, hostname, cancel, error);       ADD
 *	attachment_fd(a), attachment_path(a)
 *	attachment_remove(a, false, error);                                         DEL; frees it
 *	attachments_remove_leftovers(path, 0);                                those of a daemon that was killed
 *
 * An attachment is a directory DIR/<id>: "ns", on which the namespace is mounted, and "network.json" with everything that
 * DEL needs. The record is written before ADD, and again with its result. Thread: one at a time per attachment.
 */
#pragma once
#include "base/cancel.h"
#include "format/json_writer.h"

typedef struct attachment attachment;
struct attachment_site { /* borrowed */
	const char *dir; /* absolute, exists */
	json_t *list;    /* conflist.h */
	char **plugin_dirs;
	int64_t timeout_ms; /* of a plugin; 0: LIMIT_CNI_PLUGIN_MS */
};
/* hostname: given to plugins that register names; may be NULL. When it fails, everything is removed. */
attachment *attachment_new(const struct attachment_site *site, const char *hostname, cancel *c, GError **error);
int attachment_fd(const attachment *a); /* borrowed */
const char *attachment_path(const attachment *a);
/*
 * changed: a process could change the namespace; DEL gets a new one with the same addresses. Every plugin is called, also
 * after one has failed; then all are called again. If that fails too, the record is kept for
 * attachments_remove_leftovers. The error is the first one.
 */
bool attachment_remove(attachment *a, bool changed, GError **error);
/*
 * Removes the attachments in the directory that no process uses any more. If a namespace does not exist any more, its
 * interface is made again in a new one, because plugins delete the rules of addresses that they find there. Failures are
 * logged. All plugins together have the time of one call; what is left then is kept for the next start.
 */
void attachments_remove_leftovers(const char *dir, int64_t timeout_ms);
