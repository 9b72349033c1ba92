/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_facts: adds facts about the vertices that led to a result to a capture.
 *
 *	provenance_facts_add(capture, job, &target, 1);
 *
 * Thread: any, while the job lives.
 */
#pragma once
#include "provenance/capture.h"
#include "solver/solver.h"

/* Adds the sources, secrets, SSH agents and network use of all vertices that the targets depend on. */
void provenance_facts_add(provenance_capture *c, solver_job *job, const struct solver_target *targets, size_t n);
