/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's path/filepath.Match for Unix: checks the whole pattern first, then matches with backtracking to the last star.
 */
#include "format/gorune.h"
#include "format/patterns.h"
#include <string.h>

/* Reads one character of a class, possibly escaped. False if malformed. */
static bool class_char(const char **p, const char *end, gunichar *ret_rune)
{
	if (*p == end || **p == '-' || **p == ']')
		return false;
	if (**p == '\\' && ++*p == end)
		return false;
	size_t width = rune_decode(*p, end, ret_rune);
	if (*ret_rune == RUNE_ERROR && width == 1)
		return false;
	*p += width;
	return *p < end;
}

/* *p is behind '['; advances it behind ']'. Tests rune against the class. */
static bool class_match(const char **p, const char *end, gunichar rune, bool *ret_match)
{
	bool negated = *p < end && **p == '^', match = false;
	if (negated)
		++*p;
	for (unsigned ranges = 0;; ranges++) {
		gunichar low, high;
		if (*p < end && **p == ']' && ranges > 0)
			break;
		if (!class_char(p, end, &low))
			return false;
		high = low;
		if (**p == '-') {
			++*p;
			if (!class_char(p, end, &high))
				return false;
		}
		if (low <= rune && rune <= high)
			match = true;
	}
	++*p;
	*ret_match = match != negated;
	return true;
}

static bool is_well_formed(const char *p, const char *end)
{
	while (p < end) {
		bool ignored;
		char c = *p++;
		if (c == '\\' && p++ == end)
			return false;
		if (c == '[' && !class_match(&p, end, 0, &ignored))
			return false;
	}
	return true;
}

/* Matches one element of the pattern (not a star) at *name. */
static bool element_match(const char **p, const char *end, const char **name, const char *name_end)
{
	gunichar rune;
	bool match = false;
	if (*name == name_end)
		return false;
	switch (**p) {
	case '[':
		++*p;
		*name += rune_decode(*name, name_end, &rune);
		return class_match(p, end, rune, &match) && match;
	case '?':
		if (**name == '/')
			return false;
		++*p;
		*name += rune_decode(*name, name_end, &rune);
		return true;
	case '\\':
		++*p;
		break;
	default:
		break;
	}
	return *(*p)++ == *(*name)++;
}

static bool match_checked(const char *p, const char *end, const char *name, const char *name_end)
{
	const char *star = NULL, *star_name = NULL;
	for (;;) {
		if (p < end && *p == '*') {
			while (p < end && *p == '*')
				p++;
			star = p;
			star_name = name;
			continue;
		}
		if (p == end && name == name_end)
			return true;
		const char *next_p = p, *next_name = name;
		if (p < end && element_match(&next_p, end, &next_name, name_end)) {
			p = next_p;
			name = next_name;
			continue;
		}
		if (!star || star_name == name_end || *star_name == '/')
			return false;
		p = star;
		name = ++star_name;
	}
}

bool glob_match(const char *pattern, const char *name, bool *ret_match, GError **error)
{
	const char *end = pattern + strlen(pattern);
	if (!is_well_formed(pattern, end))
		return error_set(error, ERROR_INVALID_ARGUMENT, "syntax error in pattern");
	*ret_match = match_checked(pattern, end, name, name + strlen(name));
	return true;
}
