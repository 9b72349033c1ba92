/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners: binds the addresses of the configuration: unix://, tcp://, fd://.
 *
 *	listeners_open(server, &config, error);
 *
 * Thread: main.
 */
#pragma once
#include "config.h"
#include "rpc/rpc.h"

bool listeners_open(rpc_server *server, const struct config *config, GError **error);
