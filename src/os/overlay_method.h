/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay_method: the individual methods of mounting an overlay, so that each is tested on any kernel. Private to os.
 *
 *	int fd = overlay_mount_with(OVERLAY_MOUNT, &overlay);        -errno on failure
 *
 * Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum overlay_method { OVERLAY_EACH, OVERLAY_JOINED, OVERLAY_MOUNT };
struct overlay {
	const int *lower_fds; /* borrowed, top first */
	size_t n_lowers;
	int upper_fd, work_fd; /* upper_fd -1: read-only */
	bool is_volatile;
};
/* Options of mount(2) that only newer kernels know: volatile is of Linux 5.10, metacopy of 4.19. */
enum overlay_age { OVERLAY_OPTIONS_ALL, OVERLAY_WITHOUT_VOLATILE, OVERLAY_WITHOUT_METACOPY, OVERLAY_AGES };
char *overlay_options(const struct overlay *o, enum overlay_age age);
int overlay_mount_with(enum overlay_method method, const struct overlay *o);
