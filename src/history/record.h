/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: a build as the BuildHistoryRecord that the history stores and sends.
 *
 *	Control__BuildHistoryRecord *r = history_record_new(&build);
 *	history_record_end(r, &end);                                  guard_free
 *
 * Thread: any.
 */
#pragma once
#include "control.pb-c.h"
#include "history/history.h"

Control__BuildHistoryRecord *history_record_new(const struct history_build *build);
void history_record_end(Control__BuildHistoryRecord *r, const struct history_end *end);
/* Whether all of the image's documents can be stored; otherwise the record does not name it. */
bool history_image_fits(const struct history_image *image);
