/* SPDX-License-Identifier: Apache-2.0 */
/* display_mode: the table of ways to show a model; one file a mode. Room-internal. Thread: the display's. */
#pragma once
#include "client/display_model.h"

struct display_output {
	int fd;
};
struct display_mode {
	const char *name;
	void *(*open)(const struct display_output *out);
	/* Each message as it comes, before the model has it; NULL: none. */
	void (*message)(void *self, const Control__StatusResponse *message);
	/* At most every 150 ms; last: the build is over. NULL: none. */
	void (*print)(void *self, struct model *m, bool last);
	void (*close)(void *self);
};
extern const struct display_mode display_plain, display_tty, display_json, display_quiet;

void display_write(int fd, const char *bytes, size_t n);
/* The last log lines of each failed vertex, as all modes end. */
void display_append_failures(GString *out, const struct model *m, bool terminal);
