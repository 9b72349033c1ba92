/* SPDX-License-Identifier: Apache-2.0 */
/* usage: how du and prune print cache records. Thread: main. */
#pragma once
#include "control.pb-c.h"
#include "table.h"

void usage_header(table *t);
void usage_row(table *t, const Control__UsageRecord *r);
/* The long form of one record, with a blank line after it. */
void usage_verbose(table *t, const Control__UsageRecord *r);
/* WorkerInfo-style JSON of one record, without a newline. */
char *usage_json(const Control__UsageRecord *r);
