/* SPDX-License-Identifier: Apache-2.0 */
#include "history/history_filter.h"
#include "api/message.h"
#include "format/filter.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include <string.h>

enum comparison { GREATER_EQUAL, LESS_EQUAL, GREATER, LESS };
enum measure { STARTED_AT, COMPLETED_AT, DURATION };

struct term {
	enum measure measure;
	enum comparison comparison;
	int64_t value; /* ns */
};

/* One entry of the list: comparison terms, and a filter in containerd's syntax. */
struct entry {
	GArray *terms;  /* element type: struct term */
	filter *filter; /* owned */
};

struct history_filter {
	GPtrArray *entries; /* element type: struct entry * */
};

static void entry_free(gpointer data)
{
	struct entry *e = data;
	g_array_unref(e->terms);
	filter_free(e->filter);
	g_free(e);
}

static bool term_value(enum measure measure, const char *text, int64_t *ret, GError **error)
{
	int64_t ns;
	if (duration_parse(text, &ns, NULL)) {
		*ret = measure == DURATION ? ns : progress_now_ns() - ns;
		return true;
	}
	if (measure == DURATION)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid duration \"%s\"", text);
	return time_parse_rfc3339(text, ret, error);
}

/* Parses "startedAt>=1h"; *ret_is_ordered is false if the term is in containerd's syntax. */
static bool parse_term(const char *text, struct term *ret, bool *ret_is_ordered, GError **error)
{
	static const char *const measures[] = {"startedAt", "completedAt", "duration"};
	static const char *const comparisons[] = {">=", "<=", ">", "<"};
	*ret_is_ordered = false;
	for (size_t i = 0; i < G_N_ELEMENTS(measures); i++) {
		if (!g_str_has_prefix(text, measures[i]))
			continue;
		const char *rest = text + strlen(measures[i]);
		for (size_t k = 0; k < G_N_ELEMENTS(comparisons); k++) {
			if (!g_str_has_prefix(rest, comparisons[k]))
				continue;
			*ret_is_ordered = true;
			ret->measure = (enum measure)i;
			ret->comparison = (enum comparison)k;
			return term_value(ret->measure, rest + strlen(comparisons[k]), &ret->value, error);
		}
	}
	return true;
}

static struct entry *entry_new(const char *text, GError **error)
{
	struct entry *e = g_new0(struct entry, 1);
	e->terms = g_array_new(FALSE, TRUE, sizeof(struct term));
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	g_autoptr(GString) rest = g_string_new(NULL);
	bool ok = true;
	for (char **part = parts; ok && *part; part++) {
		struct term term;
		bool ordered;
		ok = parse_term(*part, &term, &ordered, error);
		if (ok && ordered)
			g_array_append_val(e->terms, term);
		else if (ok)
			g_string_append_printf(rest, "%s%s", rest->len ? "," : "", *part);
	}
	const char *list[] = {rest->len ? rest->str : NULL, NULL};
	e->filter = ok ? filter_new(list, error) : NULL;
	if (e->filter)
		return e;
	entry_free(e);
	return NULL;
}

history_filter *history_filter_new(const char *const *list, GError **error)
{
	g_autoptr(history_filter) f = g_new0(history_filter, 1);
	f->entries = g_ptr_array_new_with_free_func(entry_free);
	for (; list && *list; list++) {
		struct entry *e = entry_new(*list, error);
		if (!e)
			return NULL;
		g_ptr_array_add(f->entries, e);
	}
	return g_steal_pointer(&f);
}

static const char *status_of(const Control__BuildHistoryRecord *r)
{
	if (!r->completedat)
		return "running";
	if (!r->error)
		return "completed";
	return r->error->code == ERROR_CANCELED ? "canceled" : "error";
}

static const char *lookup(const void *row, const char *const *path, size_t n_path)
{
	const Control__BuildHistoryRecord *r = row;
	if (n_path != 1)
		return NULL;
	if (strcmp(path[0], "ref") == 0)
		return r->ref;
	if (strcmp(path[0], "status") == 0)
		return status_of(r);
	if (strcmp(path[0], "repository") != 0)
		return NULL;
	const char *address = message_map_find(r, frontendattrs, "vcs:source");
	return address ? address : message_map_find(r, frontendattrs, "context");
}

static bool term_match(const struct term *t, const Control__BuildHistoryRecord *r)
{
	int64_t started = message_time_ns(r->createdat), completed = message_time_ns(r->completedat);
	const int64_t values[] = {started, completed, completed - started};
	int64_t value = values[t->measure];
	switch (t->comparison) {
	case GREATER_EQUAL:
		return value >= t->value;
	case LESS_EQUAL:
		return value <= t->value;
	case GREATER:
		return value > t->value;
	case LESS:
		return value < t->value;
	}
	return false;
}

bool history_filter_match(const history_filter *f, const Control__BuildHistoryRecord *record)
{
	for (guint i = 0; i < f->entries->len; i++) {
		const struct entry *e = f->entries->pdata[i];
		bool match = filter_match(e->filter, lookup, record);
		for (guint k = 0; match && k < e->terms->len; k++)
			match = term_match(&g_array_index(e->terms, struct term, k), record);
		if (match)
			return true;
	}
	return f->entries->len == 0;
}

void history_filter_free(history_filter *f)
{
	if (!f)
		return;
	g_ptr_array_unref(f->entries);
	g_free(f);
}
