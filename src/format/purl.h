/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purl: package URLs of images, as attestations name them.
 *
 *	purl_of_image("docker", "foo/bar:1", &platform, NULL, error)     pkg:docker/foo/bar@1?platform=linux%2Famd64
 *
 * Escapes are those of Go's url.QueryEscape in names and url.PathEscape behind them. Thread: any.
 */
#pragma once
#include "format/platform.h"

/* type: "docker", or "oci" for a layout. platform and ref_type ("blob") may be NULL. Owned. Errors: of the reference.
 */
char *purl_of_image(const char *type, const char *image, const struct platform *platform, const char *ref_type,
		    GError **error);
