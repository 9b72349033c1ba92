/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers: threads that run server calls, one each, kept for a while and used again.
 *
 *	handlers_push(h, call);                          run(call, data) on a thread of its own, at once
 *	handlers_free(h);                                when all have returned
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

struct handlers;
struct handlers *handlers_new(void (*run)(void *job, void *data), void *data);
/* False when no thread can be had. */
bool handlers_push(struct handlers *h, void *job);
void handlers_free(struct handlers *h);
