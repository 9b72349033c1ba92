/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_trust: a certificate that is added to the list of trusted ones of a root for the duration of a step.
 *
 *	if (!step_trust_add(root_fd, pem, &b, error)) ...         b is NULL if the root has no list
 *	... the step runs ...
 *	step_trust_remove(b, error);                              frees it
 *
 * The first file that exists of the places where distributions store the list is changed in place, as upstream does: a mount
 * over it would make updates of the list fail in the step. What the step does to the list is kept. A list that it does not change
 * gets its modification time back, so that it is no part of the step's layer.
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"

typedef struct step_trust step_trust;

/* root_fd: borrowed until the removal. Errors: the list cannot be read or written. */
bool step_trust_add(int root_fd, const char *pem, step_trust **ret, GError **error);
/* NULL is allowed. */
bool step_trust_remove(step_trust *b, GError **error);
