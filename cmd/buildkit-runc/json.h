/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: members of a runtime spec, with their types checked; a wrong one ends the command with its place.
 *
 *	json_t *process = json_need(config, "process", JSON_OBJECT);
 *	const char *cwd = json_text(process, "cwd", NULL);
 *
 * Absent and null are the same. Only json_release frees, for who reads more than one: a command ends soon.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "runner/plan.h"

#define JSON_MAX_BYTES (16u << 20)

json_t *json_file(const char *path);                                         /* borrowed, until json_release */
json_t *json_member(const json_t *object, const char *name, json_type type); /* NULL: absent */
json_t *json_need(const json_t *object, const char *name, json_type type);
const char *json_text(const json_t *object, const char *name, const char *otherwise);
bool json_flag(const json_t *object, const char *name);
int64_t json_number(const json_t *object, const char *name, int64_t otherwise, int64_t min, int64_t max);
/* An array of strings. */
struct plan_strings json_texts(const json_t *object, const char *name);
void *json_room(size_t n, size_t size); /* zeroed, one more than n; ends the command when there is none */
void json_release(void);                /* all that json_room and json_file gave */
