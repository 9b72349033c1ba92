/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_fault: finds the reason why bytes are not a valid message, with the text of Go's generated decoders.
 *
 *	g_autofree char *text = wire_fault(&pb__definition__descriptor, bytes, n);
 *	"proto: Definition: wiretype end group for non-group"
 *
 * Users of clients and daemons written in Go know these texts and search logs for them. Input that such decoders accept
 * (text that is not UTF-8, any number of items) is not a fault here. Iterative, linear in the input.
 * Thread: any.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>

/* Returns NULL if there is no fault. g_free. */
char *wire_fault(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n);
