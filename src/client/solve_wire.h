/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solve_wire: converts the options of solve to wire messages and results back; results are owned by the caller
 * (guard_free). Internal to client/. Thread: any, pure functions.
 */
#pragma once
#include "client/solve.h"
#include "control.pb-c.h"
#include "gateway.pb-c.h"

Control__SolveRequest *solve_wire_control(const struct solve_options *o, const char *session_id);
Gateway__SolveRequest *solve_wire_gateway(const struct solve_options *o);
Google__Status *solve_wire_status(const GError *error);
GHashTable *solve_wire_response(const Control__SolveResponse *response);
GHashTable *solve_wire_metadata(const Gateway__Result *result);
