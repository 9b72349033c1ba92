/* SPDX-License-Identifier: Apache-2.0 */
/* banned: functions that must not be called; the compiler rejects them (given with -include). See CONTRIBUTING.md. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glib.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok system popen tmpnam mktemp atoi atol atoll realpath
