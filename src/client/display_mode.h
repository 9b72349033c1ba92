/* SPDX-License-Identifier: Apache-2.0 */
/* display_mode: function table of a display mode; one file per mode. Internal to client/. Thread: the display's. */
#pragma once
#include "client/display_model.h"

struct display_output {
	int fd;
	int64_t (*now_ns)(void); /* the clock by which running vertices are shown: progress_now_ns */
};
struct display_mode {
	const char *name;
	void *(*open)(const struct display_output *out);
	/* Called for each message before the model is updated. NULL: none. */
	void (*message)(void *self, const Control__StatusResponse *message);
	/* Called at most every 150 ms; last: the build has ended. NULL: none. */
	void (*print)(void *self, struct model *m, bool last);
	void (*close)(void *self);
};
extern const struct display_mode display_plain, display_tty, display_json;

/* Prints the last log lines of each failed vertex; used by all modes. */
void display_append_failures(GString *out, const struct model *m, bool terminal);
