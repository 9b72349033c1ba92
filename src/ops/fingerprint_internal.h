/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_internal: the members of a fingerprint, for the files that create and compare it. Thread: as in
 * fingerprint.h.
 */
#pragma once
#include "ops/fingerprint.h"

#define DEFINITION_FACT "definition" /* the complete relevant op; reported only if nothing else differs */

#define VARIABLE_FACT "variable " /* of the environment */
#define ARGUMENT_FACT "argument " /* build argument that set the variable of that name; not compared */

struct fact {
	char *name, *value; /* owned */
	bool shown;         /* value is a text, otherwise a hash */
};
struct input {
	char *what, *result; /* owned; result: the record, image or digest that the step used */
	bool content, all;   /* compare files instead of the result's name; all of them are listed */
	GPtrArray *files;    /* of struct contenthash_entry *, by path */
};
/* Compares paths in walk order: the contents of a directory directly follow it, whatever bytes names contain. */
int fingerprint_path_order(const char *a, const char *b);
struct fingerprint {
	char *identity, *name; /* owned */
	char *reason;          /* owned; why it ran again; NULL: not known */
	GPtrArray *facts;      /* of struct fact *, by name */
	GPtrArray *inputs;     /* of struct input * */
};
