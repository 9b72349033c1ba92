/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_fault: why bytes are no message of a type, in the words that Go's generated decoders have for it.
 *
 *	g_autofree char *text = wire_fault(&pb__definition__descriptor, bytes, n);
 *	"proto: Definition: wiretype end group for non-group"
 *
 * Those words reach users of clients and daemons written in Go, and are looked for in logs. What such decoders let
 * pass (text that is not UTF-8, any number of items) is no fault here. Iterative, linear in the input.
 * Thread: any.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>

/* NULL: none. g_free. */
char *wire_fault(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n);
