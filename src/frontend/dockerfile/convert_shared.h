/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert_shared: functions shared by the convert files.
 *
 *	command_with_shell(c, stage, &args);
 *	struct llb_out file = inline_file(c, stage, "EOF", "text", 0644);
 *
 * Thread: one conversion.
 */
#pragma once
#include "frontend/dockerfile/convert.h"

/* Shell form: makes the words one argument after the shell. */
void command_with_shell(convert *c, const struct stage *s, struct vec *args);
/* Returns a tree with one file, with the content of a here-document. */
struct llb_out inline_file(convert *c, const struct stage *s, const char *name, const char *content, int mode);
/* Returns the file name of a download from a URL. */
const char *url_file(arena *a, const char *url);
