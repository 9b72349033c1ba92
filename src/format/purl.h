/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purl: package URLs of images, for attestations.
 *
 *	purl_of_image("docker", "foo/bar:1", &platform, NULL, NULL, error)     pkg:docker/foo/bar@1?platform=linux%2Famd64
 *
 * Names are escaped with Go's url.QueryEscape, the following parts with url.PathEscape. Thread: any.
 */
#pragma once
#include "format/platform.h"

/*
 * type: "docker", or "oci" for a layout. platform, ref_type ("blob") and vcs_url may be NULL. Owned. Errors: as for
 * references.
 */
char *purl_of_image(const char *type, const char *image, const struct platform *platform, const char *ref_type,
		    const char *vcs_url, GError **error);
