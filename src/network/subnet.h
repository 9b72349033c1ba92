/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subnet: networks of the host's interfaces that have addresses in common with a configured one.
 *
 *	g_autofree char *text = network_overlap("10.10.0.0/16", "buildkit0");    "10.0.0.0/8 of eth0", or NULL
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

/* except: an interface that is not considered. A text that is not a subnet overlaps with nothing. */
char *network_overlap(const char *subnet, const char *except);
