/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fssync_pair: two connected channels, with a small window, so that a side that waits for the wrong event hangs.
 *
 *	struct pair *p = pair_new(4096);  &p->a and &p->b are the channels; pair_free(p);
 */
#pragma once
#include "fssync/fssync.h"

struct pair_pipe {
	GMutex mu;
	GCond changed;
	GQueue messages; /* of GBytes * */
	size_t bytes, window;
	bool closed, aborted;
};
struct pair_end {
	struct pair_pipe *out, *in;
};
struct pair {
	struct pair_pipe pipes[2];
	struct pair_end ends[2];
	struct fssync_channel a, b;
};

struct pair *pair_new(size_t window);
void pair_free(struct pair *p);
/* .abort of both channels. */
void pair_abort(void *data);
