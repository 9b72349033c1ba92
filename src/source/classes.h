/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classes: the kinds of sources, one line each; the table that finds them is in source.c.
 *
 * Thread: constants.
 */
#pragma once
#include "source/source.h"

#define SOURCE_CLASS extern const struct source_class
SOURCE_CLASS source_image_class;
SOURCE_CLASS source_oci_layout_class;
SOURCE_CLASS source_image_blob_class;
SOURCE_CLASS source_oci_layout_blob_class;
SOURCE_CLASS source_http_class;
SOURCE_CLASS source_https_class;
SOURCE_CLASS source_local_class;
SOURCE_CLASS source_git_class;
#undef SOURCE_CLASS
