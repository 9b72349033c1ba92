/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self: the running program is a sealed copy of the file, so that no step that reaches it through /proc can write it
 * (CVE-2019-5736).
 */
#pragma once

/* Returns in the copy; ends the process when there can be none. */
void self_protect(char **argv);
