/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec: one file with devices, in YAML or JSON (Container Device Interface,
 * https://github.com/cncf-tags/container-device-interface).
 *
 *	cdi_spec *spec = cdi_spec_parse(bytes, n, error);
 *	for (guint i = 0; i < spec->devices->len; i++) ... spec->devices->pdata[i] ...
 *
 * The file is validated in full; unknown members are errors, as in the reference implementation. Plain data, immutable
 * after parse. Thread: any.
 */
#pragma once
#include "base/error.h"

struct cdi_node {
	char *path, *host_path;   /* host_path NULL: path */
	char *type, *permissions; /* "" or "b", "c", "u", "p"; "" or letters of "rwm" */
	int64_t major, minor;
	int64_t mode, uid, gid; /* -1: not given */
};
struct cdi_mount {
	char *host_path, *path, *type; /* type "": a bind mount */
	GPtrArray *options;            /* of char * */
};
struct cdi_hook {
	char *name, *path;
	GPtrArray *args, *env; /* of char *; end with NULL */
	int64_t timeout;       /* seconds; -1: none */
};
struct cdi_edits {
	GPtrArray *env; /* of char *, "NAME=value" */
	GArray *nodes;  /* of struct cdi_node */
	GArray *mounts; /* of struct cdi_mount */
	GArray *hooks;  /* of struct cdi_hook */
	GArray *groups; /* of uint32_t */
	bool has_rdt;   /* Intel RDT settings */
	bool has_net;   /* network interfaces of the host */
};
struct cdi_device {
	char *name;              /* without the kind */
	char *full_name;         /* "vendor.com/class=name" */
	GHashTable *annotations; /* of the file and the device */
	struct cdi_edits edits;
};
typedef struct cdi_spec {
	gint refs;
	char *kind; /* "vendor.com/class" */
	GHashTable *annotations;
	GPtrArray *devices; /* of struct cdi_device */
	struct cdi_edits edits;
} cdi_spec;

/* Errors: INVALID_ARGUMENT with line and path of the member. */
cdi_spec *cdi_spec_parse(const void *bytes, size_t n, GError **error);
cdi_spec *cdi_spec_ref(cdi_spec *spec);
void cdi_spec_unref(cdi_spec *spec);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cdi_spec, cdi_spec_unref)
