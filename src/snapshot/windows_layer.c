/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/windows_layer.h"
#include <string.h>

#define FILES_PREFIX WINDOWS_FILES "/"

enum { MODE_DIR = 040000, MODE_FILE = 0100000 };

/* Self-relative security descriptors with owner Administrators and group SYSTEM, in base64. */
/* Full control for administrators and SYSTEM, also of what is created below; users can read and create files. */
#define DIR_DESCRIPTOR                                                                                                 \
	"AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgCoAAcAAAAAAxgA/wEfAAECAAAAAAAFIAAAACACAAAA" \
	"AxQA/wEfAAEBAAAAAAAFEgAAAAAAGAD/AR8AAQIAAAAAAAUgAAAAIAIAAAALFAAAAAAQAQEAAAAAAAMAAAAAAAMYAKkAEgABAgAAAAAABSAA" \
	"AAAhAgAAAAIYAAQAAAABAgAAAAAABSAAAAAhAgAAAAIYAAIAAAABAgAAAAAABSAAAAAhAgAA"
/* Full control for administrators and SYSTEM; users can read and execute. */
#define FILE_DESCRIPTOR                                                                                                \
	"AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgBMAAMAAAAAABgA/wEfAAECAAAAAAAFIAAAACACAAAA" \
	"ABQA/wEfAAEBAAAAAAAFEgAAAAAAGACpABIAAQIAAAAAAAUgAAAAIQIAAA=="

static void add(struct windows_entry *e, const char *key, const char *value)
{
	e->records[e->entry.n_records++] = (struct tar_xattr){key, value, strlen(value)};
}

static void add_attributes(struct windows_entry *e, bool has_descriptor)
{
	bool is_dir = e->entry.type == '5', is_file = e->entry.type == '0';
	e->time = g_strdup_printf("%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT, e->entry.mtime_s, e->entry.mtime_ns);
	e->entry.mode |= is_dir ? MODE_DIR : is_file ? MODE_FILE : 0;
	e->entry.n_records = 0;
	add(e, "LIBARCHIVE.creationtime", e->time);
	if (is_dir || is_file)
		add(e, "MSWINDOWS.fileattr", is_dir ? "16" : "32"); /* FILE_ATTRIBUTE_DIRECTORY, _ARCHIVE */
	if (has_descriptor && (is_dir || is_file))
		add(e, "MSWINDOWS.rawsd", is_dir ? DIR_DESCRIPTOR : FILE_DESCRIPTOR);
	e->entry.records = e->records;
}

void windows_entry_init(struct windows_entry *ret, const struct tar_entry *h)
{
	*ret = (struct windows_entry){.entry = *h};
	ret->entry.name = ret->name = g_strconcat(FILES_PREFIX, h->name, NULL);
	if (h->link && *h->link)
		ret->entry.link = ret->link = g_strconcat(FILES_PREFIX, h->link, NULL);
	add_attributes(ret, true);
}

void windows_entry_init_top(struct windows_entry *ret, const char *name)
{
	*ret = (struct windows_entry){.entry = {.name = name, .type = '5'}};
	add_attributes(ret, false);
}

void windows_entry_clear(struct windows_entry *e)
{
	g_free(e->name);
	g_free(e->link);
	g_free(e->time);
}

const char *windows_tree_name(const char *name)
{
	if (!g_str_has_prefix(name, FILES_PREFIX))
		return NULL;
	name += strlen(FILES_PREFIX);
	return *name ? name : "./";
}

const char *windows_tree_link(const char *link)
{
	return g_str_has_prefix(link, FILES_PREFIX) ? link + strlen(FILES_PREFIX) : link;
}

bool windows_is_top(const char *name)
{
	return strcmp(name, WINDOWS_FILES) == 0 || strcmp(name, WINDOWS_HIVES) == 0;
}
