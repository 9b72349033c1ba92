/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assets: timeline.css and timeline.js as texts, which the build makes of the files. Internal to timeline/.
 *
 *	g_string_append_printf(out, "<style>%s</style>", timeline_css);
 *
 * Thread: constants.
 */
#pragma once

extern const char timeline_css[], timeline_js[];
