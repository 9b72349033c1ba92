/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: typed access to members of a runtime spec; a value of the wrong type exits with the path of the member.
 *
 *	json_t *process = json_need(config, "process", JSON_OBJECT);
 *	const char *cwd = json_text(process, "cwd", NULL);
 *
 * A null member counts as absent. Memory is freed by json_release only; a command exits soon.
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
/* Returns an array of strings. */
struct plan_strings json_texts(const json_t *object, const char *name);
void *json_room(size_t n, size_t size); /* zeroed memory for n + 1 elements; exits if out of memory */
void json_release(void);                /* frees everything that json_room and json_file returned */
