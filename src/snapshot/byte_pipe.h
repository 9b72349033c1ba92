/* SPDX-License-Identifier: Apache-2.0 */
/*
 * byte_pipe: bytes from one thread to another, a bounded number of chunks ahead.
 *
 *	writer: byte_pipe_write(p, bytes, n, error); ... byte_pipe_end(p, NULL);
 *	reader: while ((n = byte_pipe_read(p, &chunk, error)) > 0) ...; byte_pipe_close(p);
 *
 * Either side may leave early: a writer whose reader is gone gets CANCELED, a reader gets the writer's error.
 * Thread: one writer, one reader.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

typedef struct byte_pipe byte_pipe;

byte_pipe *byte_pipe_new(void);
bool byte_pipe_write(byte_pipe *p, const void *bytes, size_t n, GError **error);
void byte_pipe_end(byte_pipe *p, GError *problem /* taken; NULL: a good end */);
/* The next bytes, valid until the next call; 0 at the end, -1 with error. */
ssize_t byte_pipe_read(byte_pipe *p, const void **ret_bytes, GError **error);
void byte_pipe_close(byte_pipe *p); /* by the reader: wants no more */
void byte_pipe_free(byte_pipe *p);  /* when both are done */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(byte_pipe, byte_pipe_free)
