/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint_internal: what a fingerprint is made of, for the files that make and compare it. Thread: as fingerprint.h says. */
#pragma once
#include "ops/fingerprint.h"

#define DEFINITION_FACT "definition" /* all of the op that counts; told only when nothing else differs */

#define VARIABLE_FACT "variable " /* of the environment */
#define ARGUMENT_FACT "argument " /* of the build, which set the variable of that name; not compared */

struct fact {
	char *name, *value; /* owned */
	bool shown;         /* value is a text, otherwise a hash */
};
struct input {
	char *what, *result; /* owned; result: the record, the image or the digest that the step saw */
	bool content, all;   /* files count, not where they are from; all of them are listed */
	GPtrArray *files;    /* of struct cache_content_entry *, by path */
};
/* As a walk tells paths: what is in a directory right behind it, whatever bytes names have. */
int fingerprint_path_order(const char *a, const char *b);
struct fingerprint {
	char *identity, *name; /* owned */
	char *reason;          /* owned; why it ran although it ran before; NULL: not known */
	GPtrArray *facts;      /* of struct fact *, by name */
	GPtrArray *inputs;     /* of struct input * */
};
