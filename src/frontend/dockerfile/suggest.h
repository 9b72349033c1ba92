/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest: "did you mean" for mistyped names: the nearest option with an edit distance below 3.
 *
 *	suggest_to(error, "RUNN", options, false);      appends " (did you mean RUN?)" if there is one
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

/* Returns the nearest option (heap), or NULL; NULL if an option equals the value. */
char *suggest_find(const char *value, const char *const *options, bool case_sensitive);
/* Extends the message of *error; returns whether it did. */
bool suggest_to(GError **error, const char *value, const char *const *options, bool case_sensitive);
