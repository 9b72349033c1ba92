/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference: parses and normalises image references like github.com/distribution/reference.
 *
 *	g_autoptr(reference) r = reference_parse_normalized("busybox", error);   docker.io/library/busybox
 *	reference_tag_default(r);                                               :latest if it has neither tag nor digest
 *	g_autofree char *text = reference_text(r);
 *
 * Plain data, owned strings. Errors: INVALID_ARGUMENT with upstream's texts ("invalid reference format: ...").
 * Thread: any.
 */
#pragma once
#include "base/error.h"

typedef struct reference {
	char *domain; /* "docker.io", "localhost:5000" */
	char *path;   /* "library/busybox" */
	char *tag;    /* NULL: none */
	char *digest; /* NULL: none */
} reference;

reference *reference_parse_normalized(const char *text, GError **error);
void reference_free(reference *r);
void reference_tag_default(reference *r);
char *reference_text(const reference *r);     /* docker.io/library/busybox:latest[@digest] */
char *reference_name(const reference *r);     /* docker.io/library/busybox */
char *reference_familiar(const reference *r); /* busybox:latest */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(reference, reference_free)
