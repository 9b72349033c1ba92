/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classes: the kinds of exporters, one line each; the table that finds them is in exporter.c.
 *
 * Thread: constants.
 */
#pragma once
#include "export/exporter.h"

#define EXPORTER_CLASS extern const struct exporter_class
EXPORTER_CLASS exporter_image_class;
EXPORTER_CLASS exporter_oci_class;
EXPORTER_CLASS exporter_docker_class;
EXPORTER_CLASS exporter_local_class;
EXPORTER_CLASS exporter_tar_class;
#undef EXPORTER_CLASS
