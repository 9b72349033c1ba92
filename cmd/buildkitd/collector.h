/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector: runs the GC policy: a second after start and after builds end, at most once a minute.
 *
 *	collector *c = collector_start(worker, error);
 *	collector_poke(c);
 *
 * Thread: any; the policy runs on the collector's thread.
 */
#pragma once
#include "worker/worker.h"

typedef struct collector collector;
collector *collector_start(worker *w, GError **error);
void collector_poke(collector *c);
void collector_stop(collector *c);
