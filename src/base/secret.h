/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret: passwords, tokens and other texts whose memory is overwritten before it is freed.
 *
 *	scoped_secret pair = g_strconcat(user, ":", password, NULL);
 *	secret_free(entry->token);
 *
 * Thread: any.
 */
#pragma once
#include <string.h>
#include <glib.h>

/* Overwrites and frees a text allocated with g_malloc. NULL is allowed. */
static inline void secret_free(void *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	g_free(text);
}

static inline void secret_clear(char **text)
{
	secret_free(*text);
	*text = NULL;
}

#define scoped_secret __attribute__((cleanup(secret_clear))) char *
