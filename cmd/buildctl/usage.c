/* SPDX-License-Identifier: Apache-2.0 */
#include "usage.h"
#include "api/message.h"
#include "format/gotype.h"
#include "format/json_writer.h"

void usage_header(table *t)
{
	table_add(t, "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\n");
}

void usage_row(table *t, const Control__UsageRecord *r)
{
	g_autofree char *id = g_strconcat(r->id, r->mutable_ ? "*" : "", NULL);
	g_autofree char *size = size_format(r->size);
	table_printf(t, "%-71s\t%-11s\t%s%s\t\n", id, r->inuse ? "false" : "true", size, r->shared ? "*" : "");
}

/* Formats like Go's time.Time.String in UTC: "2026-11-23 17:04:44.510696823 +0000 UTC". */
static char *go_time(const Google__Timestamp *time)
{
	g_autofree char *iso = time_format_rfc3339(message_time_ns(time));
	for (char *p = iso; *p; p++) {
		if (*p == 'T')
			*p = ' ';
		else if (*p == 'Z')
			*p = '\0';
	}
	return g_strdup_printf("%s +0000 UTC", iso);
}

static void pair(table *t, const char *key, const char *value)
{
	if (*value)
		table_printf(t, "%s:\t%s\n", key, value);
}

void usage_verbose(table *t, const Control__UsageRecord *r)
{
	g_autofree char *size = size_format(r->size);
	g_autofree char *created = go_time(r->createdat);
	g_autofree char *count = g_strdup_printf("%" G_GINT64_FORMAT, r->usagecount);
	g_autoptr(GString) parents = g_string_new(NULL);
	for (size_t i = 0; i < r->n_parents; i++)
		g_string_append_printf(parents, "%s%s", i ? ";" : "", r->parents[i]);
	pair(t, "ID", r->id);
	pair(t, "Parents", parents->str);
	pair(t, "Created at", created);
	pair(t, "Mutable", r->mutable_ ? "true" : "false");
	pair(t, "Reclaimable", r->inuse ? "false" : "true");
	pair(t, "Shared", r->shared ? "true" : "false");
	pair(t, "Size", size);
	pair(t, "Description", r->description);
	pair(t, "Usage count", count);
	if (r->lastusedat) {
		g_autofree char *used = go_time(r->lastusedat);
		pair(t, "Last used", used);
	}
	pair(t, "Type", r->recordtype);
	table_add(t, "\n");
}

char *usage_json(const Control__UsageRecord *r)
{
	json_writer *w = json_writer_new(0);
	g_autofree char *created = time_format_rfc3339(message_time_ns(r->createdat));
	json_object_begin(w);
	json_put_string_member(w, "id", r->id);
	json_put_bool_member(w, "mutable", r->mutable_);
	json_put_bool_member(w, "inUse", r->inuse);
	json_put_int_member(w, "size", r->size);
	json_put_string_member(w, "createdAt", created);
	json_key(w, "lastUsedAt");
	if (r->lastusedat) {
		g_autofree char *used = time_format_rfc3339(message_time_ns(r->lastusedat));
		json_put_string(w, used);
	} else {
		json_put_null(w);
	}
	json_put_int_member(w, "usageCount", r->usagecount);
	json_key(w, "parents");
	json_put_strings_or_null(w, r->parents, r->n_parents);
	json_put_string_member(w, "description", r->description);
	json_put_string_member(w, "recordType", r->recordtype);
	json_put_bool_member(w, "shared", r->shared);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}
