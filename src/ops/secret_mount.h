/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_mount: a file in memory with a secret of the client.
 *
 *	int fd = secret_mount_open(pb, work, error);
 *	... mount fd with selector SECRET_MOUNT_NAME ...
 *
 * Thread: any.
 */
#pragma once
#include "base/work.h"
#include "ops.pb-c.h"
#include "base/error.h"

#define SECRET_MOUNT_NAME "secret"

/*
 * Returns a detached tmpfs owned by the caller; -1 without an error: optional and absent. Errors: "secret x: not
 * found".
 */
int secret_mount_open(const Pb__SecretOpt *pb, struct work *work, GError **error);
/* Returns the value for an environment variable; NULL without an error: optional and absent. */
GBytes *secret_mount_value(const char *id, bool optional, struct work *work, GError **error);
