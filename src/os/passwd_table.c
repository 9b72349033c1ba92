/* SPDX-License-Identifier: Apache-2.0 */
#include "os/passwd_table.h"
#include "base/limits.h"
#include <string.h>

enum { PASSWD_FIELDS = 7, GROUP_FIELDS = 4 };
static const size_t PASSWD_LINE_MAX = KIB(64), GROUP_LINE_MAX = MIB(1); /* as upstream's scanners */

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trim(struct slice s)
{
	while (s.len > 0 && is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* Removes the text before the next separator (or everything) from rest. */
static struct slice take_until(struct slice *rest, char separator)
{
	const uint8_t *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
	struct slice taken = {rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len};
	size_t used = taken.len + (at ? 1 : 0);
	rest->ptr = used > 0 ? rest->ptr + used : rest->ptr;
	rest->len -= used;
	return taken;
}

/* Reads the next line that is not empty or a comment: 1, 0 at the end, -1. */
static int next_line(struct slice *rest, size_t max, struct slice *ret, GError **error)
{
	while (rest->len > 0) {
		struct slice line = take_until(rest, '\n');
		if (line.len > max) {
			error_set(error, ERROR_RESOURCE_EXHAUSTED, "bufio.Scanner: token too long");
			return -1;
		}
		*ret = trim(line);
		if (ret->len > 0 && ret->ptr[0] != '#')
			return 1;
	}
	return 0;
}

/* Missing fields are empty. */
static void split(struct slice line, struct slice *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fields[i] = take_until(&line, ':');
}

static bool parse_id(struct slice text, uint32_t *ret)
{
	uint64_t value = 0;
	if (text.len == 0 || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (text.ptr[i] - '0');
	}
	if (value >= UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool slice_is(struct slice s, const char *text)
{
	return strlen(text) == s.len && (s.len == 0 || memcmp(s.ptr, text, s.len) == 0);
}

int passwd_table_find_user(struct slice file, const char *name, uid_t uid, struct passwd_entry *ret, GError **error)
{
	struct slice line, fields[PASSWD_FIELDS];
	int more;
	while ((more = next_line(&file, PASSWD_LINE_MAX, &line, error)) > 0) {
		split(line, fields, PASSWD_FIELDS);
		struct passwd_entry entry = {.name = fields[0], .home = fields[5]};
		if (name && !slice_is(fields[0], name))
			continue;
		if (!parse_id(fields[2], &entry.uid) || (fields[3].len > 0 && !parse_id(fields[3], &entry.gid)))
			continue;
		if (!name && entry.uid != uid)
			continue;
		*ret = entry;
		return 1;
	}
	return more;
}

int passwd_table_find_group(struct slice file, const char *name, gid_t gid, gid_t *ret_gid, GError **error)
{
	struct slice line, fields[GROUP_FIELDS];
	int more;
	while ((more = next_line(&file, GROUP_LINE_MAX, &line, error)) > 0) {
		gid_t found;
		split(line, fields, GROUP_FIELDS);
		if ((name && !slice_is(fields[0], name)) || !parse_id(fields[2], &found) || (!name && found != gid))
			continue;
		*ret_gid = found;
		return 1;
	}
	return more;
}

static bool list_has(struct slice list, struct slice user)
{
	while (list.len > 0) {
		struct slice member = take_until(&list, ',');
		if (member.len == user.len && memcmp(member.ptr, user.ptr, user.len) == 0)
			return true;
	}
	return false;
}

bool passwd_table_groups_of(struct slice file, struct slice user, GArray *gids, GError **error)
{
	struct slice line, fields[GROUP_FIELDS];
	int more;
	while ((more = next_line(&file, GROUP_LINE_MAX, &line, error)) > 0) {
		gid_t gid;
		split(line, fields, GROUP_FIELDS);
		if (user.len > 0 && list_has(fields[3], user) && parse_id(fields[2], &gid))
			g_array_append_val(gids, gid);
	}
	return more == 0;
}
