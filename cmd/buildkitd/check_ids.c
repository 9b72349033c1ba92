/* SPDX-License-Identifier: Apache-2.0 */
#include "check_ids.h"
#include <string.h>

#define IDS_WANTED 65536
#define ID_LAST (UINT32_MAX - 1) /* the last number means no id */

struct range {
	char *owner; /* owned */
	uint64_t first, n;
	bool own;
};

static void range_clear(void *data)
{
	g_free(((struct range *)data)->owner);
}

static bool contains(const struct range *r, uint64_t id)
{
	return r->first <= id && id - r->first < r->n;
}

static bool overlap(const struct range *a, const struct range *b)
{
	return contains(a, b->first) || contains(b, a->first);
}

/* Lines are "user:first:count"; the user is a name or a number. */
static void add_line(GArray *ranges, const struct check_ids *ids, const char *line)
{
	g_auto(GStrv) fields = g_strsplit(line, ":", 3);
	g_autofree char *number = g_strdup_printf("%u", ids->own);
	guint64 first, n;
	/* newuidmap ignores other lines. */
	if (g_strv_length(fields) != 3 || !g_ascii_string_to_unsigned(fields[1], 10, 0, UINT32_MAX, &first, NULL) ||
	    !g_ascii_string_to_unsigned(g_strchomp(fields[2]), 10, 1, UINT32_MAX, &n, NULL))
		return;
	struct range r = {
		.owner = g_strdup(fields[0]),
		.first = first,
		.n = n,
		.own = g_strcmp0(fields[0], ids->user) == 0 || strcmp(fields[0], number) == 0,
	};
	g_array_append_val(ranges, r);
}

static GArray *read_ranges(const struct check_ids *ids)
{
	GArray *ranges = g_array_new(FALSE, FALSE, sizeof(struct range));
	g_autofree char *text = NULL;
	g_array_set_clear_func(ranges, range_clear);
	if (!g_file_get_contents(ids->path, &text, NULL, NULL))
		return ranges;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i]; i++)
		add_line(ranges, ids, lines[i]);
	return ranges;
}

static const struct range *at(const GArray *ranges, guint i)
{
	return &g_array_index(ranges, struct range, i);
}

/* Returns why newuidmap refuses a range of the user, or must not be given it; NULL if it can be used. */
static const char *problem_of(const struct check_ids *ids, const GArray *ranges, guint i)
{
	const struct range *r = at(ranges, i);
	if (!r->own)
		return NULL;
	if (r->first + r->n > ID_LAST + UINT64_C(1))
		return "a range ends after the last id";
	if (contains(r, 0))
		return "a range contains id 0: steps would have the rights of root";
	if (contains(r, ids->own))
		return "a range contains the id of the user";
	for (guint k = 0; k < i; k++)
		if (at(ranges, k)->own && overlap(at(ranges, k), r))
			return "two ranges overlap";
	return NULL;
}

/* Returns another user whose range has ids of this user, or NULL. */
static const char *shared_with(const GArray *ranges)
{
	for (guint i = 0; i < ranges->len; i++)
		for (guint k = 0; at(ranges, i)->own && k < ranges->len; k++)
			if (!at(ranges, k)->own && overlap(at(ranges, i), at(ranges, k)))
				return at(ranges, k)->owner;
	return NULL;
}

enum check_status check_ids(const struct check_ids *ids, GString *found, GString *fix)
{
	g_autoptr(GArray) ranges = read_ranges(ids);
	uint64_t n = 0;
	for (guint i = 0; i < ranges->len; i++)
		n += at(ranges, i)->own ? at(ranges, i)->n : 0;
	g_string_append_printf(found, "%" G_GUINT64_FORMAT " subordinate ids in %s", n, ids->path);
	for (guint i = 0; i < ranges->len; i++) {
		const char *problem = problem_of(ids, ranges, i);
		if (!problem)
			continue;
		g_string_append_printf(found, ", but %s", problem);
		g_string_append_printf(fix, "as root: correct the lines of the user in %s", ids->path);
		return CHECK_MISSING;
	}
	const char *other = shared_with(ranges);
	if (other) {
		g_string_append_printf(
			found, ", some of which %s has, too: each can access files of the other's builds", other);
		g_string_append_printf(fix, "as root: give the users separate ranges in %s", ids->path);
		return CHECK_NOTE;
	}
	if (n >= IDS_WANTED)
		return CHECK_OK;
	g_string_append_printf(fix, "as root: usermod --add-%s 100000-165535 %s (an unused range)", ids->option,
			       ids->user ? ids->user : "USER");
	return n > 0 ? CHECK_NOTE : CHECK_MISSING;
}
