/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome: assertions about functions that return false with an error. Their last argument is &failure.
 *
 *	assert_succeeds(tree_remove_at(fd, "x", &failure));              otherwise prints the error
 *	assert_fails(digest_parse("x", &digest, &failure), "invalid digest x");
 *
 * Thread: any.
 */
#pragma once
#include <glib.h>

#define assert_succeeds(call)                                                                                          \
	do {                                                                                                           \
		g_autoptr(GError) failure = NULL;                                                                      \
		gboolean succeeded = (call);                                                                           \
		g_assert_no_error(failure);                                                                            \
		g_assert_true(succeeded);                                                                              \
	} while (0)

#define assert_fails(call, text)                                                                                       \
	do {                                                                                                           \
		g_autoptr(GError) failure = NULL;                                                                      \
		gboolean succeeded = (call);                                                                           \
		g_assert_cmpstr(failure ? failure->message : NULL, ==, text);                                          \
		g_assert_false(succeeded);                                                                             \
	} while (0)
