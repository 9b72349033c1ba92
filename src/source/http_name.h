/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_name: the name of a downloaded file, and HTTP dates.
 *
 *	g_autofree char *name = http_file_name(url, asked, content_disposition);
 *
 * All three come from peers. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <glib.h>

/*
 * The requested name, else the one of Content-Disposition (NULL: none), else the last component of the URL's path;
 * always a plain name.
 */
char *http_file_name(const char *url, const char *asked, const char *content_disposition);
/* Parse and format "Mon, 02 Jan 2006 15:04:05 GMT". */
char *http_date_format(int64_t seconds);
bool http_date_parse(const char *text, int64_t *ret_seconds);
