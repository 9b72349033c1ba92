/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest: "did you mean" for names that were mistyped: the nearest option at an edit distance below 3.
 *
 *	suggest_to(error, "RUNN", options, false);      adds " (did you mean RUN?)" when there is one
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

/* The nearest option (heap), or NULL; none at all when an option equals the value. */
char *suggest_find(const char *value, const char *const *options, bool case_sensitive);
/* Extends the message of *error; returns whether it did. */
bool suggest_to(GError **error, const char *value, const char *const *options, bool case_sensitive);
