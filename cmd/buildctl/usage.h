/* SPDX-License-Identifier: Apache-2.0 */
/* usage: formats cache records for du and prune. Thread: main. */
#pragma once
#include "control.pb-c.h"
#include "table.h"

void usage_header(table *t);
void usage_row(table *t, const Control__UsageRecord *r);
/* Adds the long form of a record, followed by an empty line. */
void usage_verbose(table *t, const Control__UsageRecord *r);
/* Returns one record as JSON without a newline, with the keys of upstream's client. */
char *usage_json(const Control__UsageRecord *r);
