/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pins: resolutions of mutable names (a URL, a branch) in one build, so that each later lookup of that build gets the
 * same answer.
 *
 *	void *known = pins_find(work->pins, "http:<digest>");               a reference, or NULL
 *	void *agreed = pins_agree(work->pins, key, mine, &answer_class);    the answer to use, possibly not mine
 *
 * Work can belong to several builds: lists of pins end with NULL, and a NULL list is empty. The first answer of a build
 * is kept; if builds disagree, the first one in the list decides. Answers are referenced until pins_close.
 * Thread: any.
 */
#pragma once
#include <glib.h>

typedef struct pins pins;

struct pin_class {
	void *(*ref)(void *answer);
	void (*unref)(void *answer);
};

pins *pins_new(void);
pins *pins_ref(pins *p);
void pins_unref(pins *p);
/* Releases all answers and accepts no more; called when the build ends. */
void pins_close(pins *p);
void *pins_find(pins *const *list, const char *key);
/* answer is borrowed; the result is a new reference. */
void *pins_agree(pins *const *list, const char *key, void *answer, const struct pin_class *class);
