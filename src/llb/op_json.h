/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_json: writes LLB messages as Go's encoding/json writes the generated structs.
 *
 *	op_json_message(w, &exec->base);      {"meta":{"args":[...]},...}: names of the .proto, no zero values
 *
 * Uses descriptors; Op, FileAction and UserOpt have the form of upstream's custom marshallers. The depth is bounded,
 * because the message was checked by api/guard. Thread: any.
 */
#pragma once
#include "format/json_writer.h"
#include <protobuf-c/protobuf-c.h>

void op_json_message(json_writer *w, const ProtobufCMessage *message);
/* Same in the form of protojson: lowerCamelCase names, 64-bit integers as strings, enums by name. */
void op_protojson_message(json_writer *w, const ProtobufCMessage *message);
