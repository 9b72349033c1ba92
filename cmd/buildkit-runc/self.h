/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self: re-executes the program from a sealed copy in memory, so that no step can overwrite it through /proc
 * (CVE-2019-5736).
 */
#pragma once

/* Returns in the copy; exits if the copy cannot be made. */
void self_protect(char **argv);
