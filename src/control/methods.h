/* SPDX-License-Identifier: Apache-2.0 */
/*
 * methods: the methods that a listener serves beside LLBBridge and health: path, request message, handler.
 *
 *	CONTROL_UNARY_METHODS(DECLARE_UNARY)                    declares their handlers (control.h)
 *
 * A new method is one row here and its handler in a file of this module. Thread: handlers run on any.
 */
#pragma once

#define CONTROL "/moby.buildkit.v1.Control/"
#define CONTENT "/containerd.services.content.v1.Content/"

#define CONTROL_UNARY_METHODS(X)                                                                                       \
	X(CONTROL "Solve", control__solve_request, control_solve)                                                      \
	X(CONTROL "ListWorkers", control__list_workers_request, control_list_workers)                                  \
	X(CONTROL "Info", control__info_request, control_info)                                                         \
	X(CONTROL "DiskUsage", control__disk_usage_request, control_disk_usage)                                        \
	X(CONTROL "UpdateBuildHistory", control__update_build_history_request, control_update_history)                 \
	X("/buildkitc.explain.v1.Explain/Explain", explain__explain_request, control_explain)                          \
	X("/buildkitc.debug.v1.Debug/Stuck", debug__stuck_request, control_stuck)                                      \
	X(CONTENT "Info", content__info_request, control_content_info)                                                 \
	X(CONTENT "Status", content__status_request, control_content_status)                                           \
	X(CONTENT "ListStatuses", content__list_statuses_request, control_content_statuses)                            \
	X(CONTENT "Update", content__update_request, control_content_refuse)                                           \
	X(CONTENT "Delete", content__delete_content_request, control_content_refuse)                                   \
	X(CONTENT "Abort", content__abort_request, control_content_refuse)

/* Methods that send several messages, in a thread: after their single request, or (NULL) at once. */
#define CONTROL_STREAM_METHODS(X)                                                                                      \
	X(CONTROL "Prune", &control__prune_request__descriptor, control_prune)                                         \
	X(CONTENT "Read", &content__read_content_request__descriptor, control_content_read)                            \
	X(CONTENT "List", &content__list_content_request__descriptor, control_content_list)                            \
	X(CONTENT "Write", NULL, control_content_refuse_stream)

/* Methods that hold no thread while they wait; HANDLER_free frees their state. */
#define CONTROL_TURN_METHODS(X)                                                                                        \
	X(CONTROL "Status", control_status, false)                                                                     \
	X(CONTROL "Session", control_session, true /* headers only */)                                                 \
	X(CONTROL "ListenBuildHistory", control_listen_history, false)
