/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_json: LLB messages as Go's encoding/json writes the generated structs (llb-and-solver.md sections 1.6 and 10).
 *
 *	op_json_message(w, &exec->base);      {"meta":{"args":[...]},...}: names of the .proto, zero values left out
 *
 * Driven by descriptors; Op, FileAction and UserOpt have the shapes of upstream's own marshallers. Depth is bounded
 * by the guard that the message came through. Thread: any.
 */
#pragma once
#include "format/json_writer.h"
#include <protobuf-c/protobuf-c.h>

void op_json_message(json_writer *w, const ProtobufCMessage *message);
/* The same as protojson writes it: lowerCamelCase names, 64-bit integers as strings, enums by name. */
void op_protojson_message(json_writer *w, const ProtobufCMessage *message);
