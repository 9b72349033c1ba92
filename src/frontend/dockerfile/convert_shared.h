/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert_shared: what several convert files need of each other.
 *
 *	command_with_shell(c, stage, &args);
 *	struct llb_out file = inline_file(c, stage, "EOF", "text", 0644);
 *
 * Thread: one conversion.
 */
#pragma once
#include "frontend/dockerfile/convert.h"

/* Shell form: the words in one argument behind the shell. */
void command_with_shell(convert *c, const struct stage *s, struct vec *args);
/* A tree with one file, made of a here-document. */
struct llb_out inline_file(convert *c, const struct stage *s, const char *name, const char *content, int mode);
/* The file name that a download from a URL gets. */
const char *url_file(arena *a, const char *url);
