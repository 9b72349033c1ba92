/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi: the devices of the host that steps may request by name (Container Device Interface).
 *
 *	cdi *c = cdi_new(dirs, auto_allowed);
 *	g_autoptr(cdi_list) list = cdi_read(c);                       looks at the directories again
 *	cdi_list_find(list, "vendor.com/gpu=*", false, names, error)  names of devices
 *	cdi_list_edits(list, names, n, error)                         what a step with them needs
 *
 * A device is defined by a *.json or *.yaml file in one of the directories; a later directory wins, and a name that two
 * files of one directory define is not usable. Files are read again when they change. Invalid files are logged once and
 * define nothing. Thread: any; a list is immutable.
 */
#pragma once
#include "cdi/spec.h"

typedef struct cdi cdi;
typedef struct cdi_list cdi_list;

/* dirs and auto_allowed (names or kinds that need no entitlement): copied, NULL-terminated or NULL. */
cdi *cdi_new(const char *const *dirs, const char *const *auto_allowed);
void cdi_free(cdi *c);

/* Returns the present devices, counted. */
cdi_list *cdi_read(cdi *c);
void cdi_list_unref(cdi_list *list);
size_t cdi_list_count(const cdi_list *list);
/* The i-th device in the order of full names. Borrowed from the list. */
const struct cdi_device *cdi_list_get(const cdi_list *list, size_t i);
bool cdi_list_is_auto_allowed(const cdi_list *list, const struct cdi_device *device);
/* NULL: no such device. */
const struct cdi_device *cdi_list_lookup(const cdi_list *list, const char *full_name);

/*
 * Adds the full names (borrowed from the list) of the devices that a request means, without duplicates: a full name, a
 * kind (its first device), "kind=*" (all), or a class (all devices with this annotation
 * org.mobyproject.buildkit.device.class). Errors: NOT_FOUND 'required device "x" is not registered', unless optional.
 */
bool cdi_list_find(const cdi_list *list, const char *request, bool optional, GPtrArray *names, GError **error);

/*
 * The edits of devices, one after the other, each file's own edits before its first device. The rows are borrowed from
 * the list. Errors: NOT_FOUND.
 */
struct cdi_edits *cdi_list_edits(const cdi_list *list, const char *const *full_names, size_t n, GError **error);
void cdi_edits_free(struct cdi_edits *edits);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cdi, cdi_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cdi_list, cdi_list_unref)
