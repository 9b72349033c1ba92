/* SPDX-License-Identifier: Apache-2.0 */
/*
 * byte_pipe: passes bytes from one thread to another through a bounded number of chunks.
 *
 *	writer: byte_pipe_write(p, bytes, n, error); ... byte_pipe_end(p, NULL);
 *	reader: while ((n = byte_pipe_read(p, &chunk, error)) > 0) ...; byte_pipe_close(p);
 *
 * Either side may end early: the writer gets CANCELED if the reader has closed, the reader gets the writer's error.
 * Thread: one writer, one reader.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

typedef struct byte_pipe byte_pipe;

byte_pipe *byte_pipe_new(void);
bool byte_pipe_write(byte_pipe *p, const void *bytes, size_t n, GError **error);
void byte_pipe_end(byte_pipe *p, GError *problem /* taken; NULL: success */);
/* Returns the next bytes, valid until the next call; 0 at the end, -1 with error. */
ssize_t byte_pipe_read(byte_pipe *p, const void **ret_bytes, GError **error);
void byte_pipe_close(byte_pipe *p); /* called by the reader: reads no more */
void byte_pipe_free(byte_pipe *p);  /* call when both are done */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(byte_pipe, byte_pipe_free)
