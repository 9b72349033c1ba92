/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds: the table of exporters. A new exporter is a file, which defines exporter_TYPE_class, the file's name in
 * meson.build, and one row here; the daemon and the client read the same rows.
 *
 *	#define NAME(type, destination) #type,
 *	static const char *const names[] = {EXPORTER_KINDS(NAME)};
 *
 * Thread: any, constants.
 */
#pragma once

/* What a client opens for "dest" of --output. */
enum exporter_destination {
	EXPORTER_NO_DESTINATION,
	EXPORTER_FILE,
	EXPORTER_DIRECTORY,      /* receives files */
	EXPORTER_FILE_OR_LAYOUT, /* a file; with tar=false the directory of an OCI layout, served as a content store */
};

#define EXPORTER_KINDS(X)                                                                                              \
	X(image, EXPORTER_NO_DESTINATION)                                                                              \
	X(oci, EXPORTER_FILE_OR_LAYOUT)                                                                                \
	X(docker, EXPORTER_FILE_OR_LAYOUT)                                                                             \
	X(local, EXPORTER_DIRECTORY)                                                                                   \
	X(tar, EXPORTER_FILE)
