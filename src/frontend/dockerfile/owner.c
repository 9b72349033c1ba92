/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/owner.h"
#include "format/gotype.h"
#include <string.h>

static void user_parse(arena *a, const char *text, Pb__UserOpt *user, Pb__NamedUserOpt *named)
{
	int64_t id = 0;
	pb__user_opt__init(user);
	bool number = int_parse(text, 10, &id, NULL) && id >= INT32_MIN && id <= INT32_MAX;
	if (number || !*text || strcmp(text, "root") == 0) { /* root is always 0 */
		user->user_case = PB__USER_OPT__USER_BY_ID;
		user->byid = number ? (uint32_t)id : 0;
		return;
	}
	pb__named_user_opt__init(named);
	named->name = (char *)text;
	user->user_case = PB__USER_OPT__USER_BY_NAME;
	user->byname = named;
}

Pb__ChownOpt *owner_parse(arena *a, const char *text, struct owner *ret)
{
	pb__chown_opt__init(&ret->chown);
	const char *colon = strchr(text, ':');
	const char *user = colon ? arena_strndup(a, text, (size_t)(colon - text)) : arena_strdup(a, text);
	user_parse(a, user, &ret->user, &ret->user_name);
	ret->chown.user = &ret->user;
	if (colon) {
		user_parse(a, arena_strdup(a, colon + 1), &ret->group, &ret->group_name);
		ret->chown.group = &ret->group;
	}
	return &ret->chown;
}

/* Checks symbolic modes: who, operator, permissions; several separated by commas (BSD chmod). */
static bool is_symbolic(const char *p)
{
	for (;;) {
		p += strspn(p, "ugoa");
		if (!*p || !strchr("+-=", *p))
			return false;
		while (*p && strchr("+-=", *p)) {
			p++;
			p += strspn(p, "rwxXstugo");
		}
		if (!*p)
			return true;
		if (*p++ != ',')
			return false;
	}
}

bool mode_parse(arena *a, const char *text, int32_t *ret_mode, const char **ret_symbolic, GError **error)
{
	int64_t mode;
	*ret_symbolic = NULL;
	if (g_ascii_isdigit(*text)) {
		if (!int_parse(text, 8, &mode, NULL) || mode > 07777)
			return error_set(
				error, ERROR_INVALID_ARGUMENT,
				"invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777",
				text);
		*ret_mode = (int32_t)mode;
		return true;
	}
	if (!is_symbolic(text))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid syntax");
	*ret_mode = 0;
	*ret_symbolic = text;
	return true;
}
