/* SPDX-License-Identifier: Apache-2.0 */
#include "os/passwd.h"
#include "os/passwd_table.h"
#include "os/path.h"
#include "base/limits.h"
#include <string.h>

static const char PASSWD_PATH[] = "/etc/passwd", GROUP_PATH[] = "/etc/group";

void passwd_user_clear(struct passwd_user *user)
{
	g_free(user->groups);
	g_free(user->home);
	g_free(user->name);
	*user = (struct passwd_user){0};
}

/* Reads a file of the image; NULL without an error if there is no such regular file. Errors: too large. */
static GBytes *read_lenient(int root_fd, const char *path, GError **error)
{
	g_autoptr(GError) problem = NULL;
	scoped_fd fd = path_open_regular_errno(root_fd, path, O_RDONLY, PATH_IN_ROOT, NULL);
	if (fd == -ENOENT || fd == -ENOTDIR || path_is_irregular(fd)) /* a lack of fds or a disk error is a failure */
		return NULL;
	if (fd < 0)
		return error_null_errno(error, -fd, "open %s", path);
	GBytes *bytes = path_read(root_fd, path, (size_t)LIMIT_PASSWD_BYTES, PATH_IN_ROOT, &problem);
	if (problem && !error_is(problem, ERROR_RESOURCE_EXHAUSTED))
		g_propagate_error(error, g_steal_pointer(&problem));
	else if (problem)
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "\"%s\" exceeds %lld bytes", path, LIMIT_PASSWD_BYTES);
	return bytes;
}

static struct slice bytes_slice(GBytes *bytes)
{
	struct slice s = {NULL, 0};
	if (bytes)
		s.ptr = g_bytes_get_data(bytes, &s.len);
	return s;
}

enum number { NOT_A_NUMBER, NUMBER, NUMBER_OUT_OF_RANGE };

/* Behaves like strconv.Atoi with a range of 0 to 2^31-1: names that look like numbers are never looked up as names. */
static enum number parse_number(const char *text, uint32_t *ret)
{
	const char *digits = text + (*text == '+' || *text == '-');
	size_t len = strspn(digits, "0123456789");
	if (len == 0 || digits[len] != '\0')
		return NOT_A_NUMBER;
	uint64_t value = 0;
	for (size_t i = 0; i < len; i++) {
		value = value * 10 + (uint64_t)(digits[i] - '0');
		if (value > INT32_MAX)
			return NUMBER_OUT_OF_RANGE;
	}
	if (*text == '-' && value > 0)
		return NUMBER_OUT_OF_RANGE;
	*ret = (uint32_t)value;
	return NUMBER;
}

static bool out_of_range(GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "uids and gids must be in range 0-%d", INT32_MAX);
}

/* A user specification and the files of the root that it is looked up in. */
struct lookup {
	char *user, *group;      /* owned; group "" when not given */
	GBytes *passwd, *groups; /* owned, NULL when missing */
	bool is_default;
};

static void lookup_clear(struct lookup *l)
{
	g_free(l->user);
	g_free(l->group);
	g_clear_pointer(&l->passwd, g_bytes_unref);
	g_clear_pointer(&l->groups, g_bytes_unref);
}

static char *slice_dup(struct slice s)
{
	return g_strndup((const char *)s.ptr, s.len);
}

static bool find_user(struct lookup *l, struct passwd_user *u, GError **error)
{
	uint32_t id = 0;
	enum number kind = parse_number(l->user, &id);
	if (kind == NUMBER_OUT_OF_RANGE)
		return out_of_range(error);
	bool by_id = kind == NUMBER || l->user[0] == '\0';
	struct passwd_entry entry;
	int found = passwd_table_find_user(bytes_slice(l->passwd), by_id ? NULL : l->user, id, &entry, error);
	if (found < 0)
		return error_prefix(error, "unable to find user %s: ", l->user[0] ? l->user : "0");
	if (!found && !by_id)
		return error_set(error, ERROR_UNKNOWN, "unable to find user %s: no matching entries in passwd file",
				 l->user);
	u->uid = found ? entry.uid : id;
	u->gid = found ? entry.gid : 0;
	u->name = found ? slice_dup(entry.name) : g_strdup("");
	u->home = found && entry.home.len > 0 ? slice_dup(entry.home) : g_strdup("/");
	return true;
}

static bool find_group(struct lookup *l, struct passwd_user *u, GError **error)
{
	uint32_t id = 0;
	enum number kind = parse_number(l->group, &id);
	if (kind == NUMBER_OUT_OF_RANGE)
		return out_of_range(error);
	int found =
		passwd_table_find_group(bytes_slice(l->groups), kind == NUMBER ? NULL : l->group, id, &u->gid, error);
	if (found < 0)
		return error_prefix(error, "unable to find groups for spec %s: ", u->name);
	if (found)
		return true;
	if (kind != NUMBER)
		return error_set(error, ERROR_UNKNOWN, "unable to find group %s: no matching entries in group file",
				 l->group);
	u->gid = id;
	return true;
}

/* The primary gid first, without repeating it. */
static void set_groups(struct passwd_user *u, const GArray *others)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(gid_t));
	g_array_append_val(all, u->gid);
	for (guint i = 0; i < others->len; i++)
		if (g_array_index(others, gid_t, i) != u->gid)
			g_array_append_val(all, g_array_index(others, gid_t, i));
	u->n_groups = all->len;
	u->groups = (gid_t *)(void *)g_array_free(all, FALSE);
}

static bool resolve(struct lookup *l, struct passwd_user *u, GError **error)
{
	g_autoptr(GArray) others = g_array_new(FALSE, FALSE, sizeof(gid_t));
	if (!find_user(l, u, error))
		return false;
	if (l->group[0] && !find_group(l, u, error))
		return false;
	struct slice name = {(const uint8_t *)u->name, strlen(u->name)};
	if (!l->group[0] && !passwd_table_groups_of(bytes_slice(l->groups), name, others, error))
		return error_prefix(error, "unable to find groups for spec %s: ", u->name);
	set_groups(u, others);
	return true;
}

static bool is_plain_id(const char *text, uint32_t *ret)
{
	if (strcmp(text, "root") == 0) {
		*ret = 0;
		return true;
	}
	return g_ascii_isdigit(text[0]) && parse_number(text, ret) == NUMBER;
}

/* "uid:gid": the files are only used for the home directory and may be missing. */
static bool resolve_plain(struct lookup *l, struct passwd_user *u)
{
	uint32_t uid, gid;
	if (!is_plain_id(l->user, &uid) || !is_plain_id(l->group, &gid))
		return false;
	struct passwd_entry entry;
	bool found = passwd_table_find_user(bytes_slice(l->passwd), NULL, uid, &entry, NULL) > 0;
	u->uid = uid;
	u->gid = gid;
	u->name = found ? slice_dup(entry.name) : g_strdup("");
	u->home = found && entry.home.len > 0 ? slice_dup(entry.home) : g_strdup("/");
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(gid_t));
	set_groups(u, none);
	return true;
}

static bool lookup_read(struct lookup *l, int root_fd, GError **error)
{
	GError *problem = NULL;
	l->passwd = read_lenient(root_fd, PASSWD_PATH, &problem);
	if (!problem)
		l->groups = read_lenient(root_fd, GROUP_PATH, &problem);
	if (!problem)
		return true;
	g_propagate_prefixed_error(error, problem, "unable to find user %s: ", l->user);
	return false;
}

static void user_root(struct passwd_user *u)
{
	passwd_user_clear(u);
	u->home = g_strdup("/");
	u->name = g_strdup("");
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(gid_t));
	set_groups(u, none);
}

bool passwd_resolve(int root_fd, const char *spec, struct passwd_user *ret, GError **error)
{
	__attribute__((cleanup(lookup_clear))) struct lookup l = {.is_default = *spec == '\0'};
	g_auto(GStrv) parts = g_strsplit(l.is_default ? "0" : spec, ":", -1);
	l.user = g_strdup(parts[0]);
	l.group = g_strdup(parts[1] ? parts[1] : "");
	g_autoptr(GError) problem = NULL;
	struct passwd_user user = {0};
	bool is_read = lookup_read(&l, root_fd, &problem);
	bool is_pair = parts[1] && !parts[2];
	bool done = (is_pair && resolve_plain(&l, &user)) || (is_read && resolve(&l, &user, &problem));
	if (!done && l.is_default) {
		user_root(&user);
		done = true;
	}
	if (!done) {
		passwd_user_clear(&user);
		return error_propagate(error, g_steal_pointer(&problem));
	}
	*ret = user;
	return true;
}

/* For file operations a missing file counts as no entry; any other type than a regular file is an error. */
static bool read_or_missing(int root_fd, const char *path, GBytes **ret, GError **error)
{
	int fd = path_open_errno(root_fd, path, O_PATH, PATH_IN_ROOT);
	*ret = NULL;
	if (fd == -ENOENT || fd == -ENOTDIR)
		return true;
	if (fd >= 0)
		close(fd);
	*ret = path_read(root_fd, path, (size_t)LIMIT_PASSWD_BYTES, PATH_IN_ROOT, error);
	return *ret != NULL;
}

bool passwd_lookup_uid(int root_fd, const char *name, uid_t *ret_uid, gid_t *ret_gid, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	struct passwd_entry entry = {.uid = 0, .gid = 0};
	if (!read_or_missing(root_fd, PASSWD_PATH, &bytes, error))
		return false;
	if (passwd_table_find_user(bytes_slice(bytes), name, 0, &entry, error) < 0)
		return false;
	*ret_uid = entry.uid;
	*ret_gid = entry.gid;
	return true;
}

bool passwd_lookup_gid(int root_fd, const char *name, gid_t *ret_gid, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	gid_t gid = *ret_gid;
	if (!read_or_missing(root_fd, GROUP_PATH, &bytes, error))
		return false;
	if (passwd_table_find_group(bytes_slice(bytes), name, 0, &gid, error) < 0)
		return false;
	*ret_gid = gid;
	return true;
}
