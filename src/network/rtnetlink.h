/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink: requests to the kernel's routing netlink family (rtnetlink(7)) in the network namespace of the thread.
 *
 *	rtnetlink_add_veth("eth0", "peer", error) && rtnetlink_add_address("eth0", "10.0.0.2/16", error)
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

/* Creates two connected interfaces. */
bool rtnetlink_add_veth(const char *name, const char *peer, GError **error);
/* address: with a prefix length. Errors: INVALID_ARGUMENT. */
bool rtnetlink_add_address(const char *name, const char *address, GError **error);
