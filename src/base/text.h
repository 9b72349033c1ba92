/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text: NUL-terminated copies of bytes that a peer or a file supplied, which may be none; the order of texts.
 *
 *	g_autofree char *short_text = text_from_data(m->short_.data, m->short_.len);
 *	g_autofree char *epoch = text_from_bytes(g_hash_table_lookup(metadata, key));
 *	g_ptr_array_sort(names, text_order);
 *
 * Empty bytes have no address in GLib and protobuf-c, and g_strndup returns NULL for them; these functions return an
 * empty text. The caller owns the copy. Pure. Thread: any.
 */
#pragma once
#include <glib.h>
#include <string.h>

/* Copies n bytes up to the first NUL. data may be NULL when n is 0. */
static inline char *text_from_data(const void *data, gsize n)
{
	return g_strndup(n > 0 ? data : "", n);
}

/* Copies the contents up to the first NUL. */
static inline char *text_from_bytes(GBytes *bytes)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	return text_from_data(data, n);
}

/* Compares the texts at two places of an array of char *, by bytes. */
static inline int text_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}
