/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_key.h"
#include "ops/file_action.h"
#include "base/scope.h"
#include "format/patterns.h"
#include "os/dirlist.h"
#include "os/path.h"

static bool has_wildcard(const char *name)
{
	for (; *name != '\0'; name++)
		if (*name == '\\' && name[1] != '\0')
			name++;
		else if (*name == '*' || *name == '?' || *name == '[')
			return true;
	return false;
}

/* ---- selectors */

static void selector_clear(void *data)
{
	struct contenthash_selector *s = data;
	g_free((void *)s->path);
	g_free((void *)s->include);
	g_free((void *)s->exclude);
	g_free((void *)s->required);
}

/* Returns the vector as a NULL-terminated list; strings are borrowed. */
static const char *const *as_list(char *const *strings, size_t n)
{
	if (n == 0)
		return NULL;
	const char **list = g_new0(const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		list[i] = strings[i];
	return list;
}

static char *rooted(const char *path)
{
	g_autofree char *raw = g_strconcat("/", path, NULL);
	return path_clean(raw);
}

static void add_plain(GArray *list, const char *path)
{
	struct contenthash_selector s = {.path = g_strdup(path), .follow_links = true};
	g_array_append_val(list, s);
}

static void add_owner(GArray *list, const Pb__ChownOpt *o, unsigned input)
{
	if (!o)
		return;
	if (o->user && o->user->user_case == PB__USER_OPT__USER_BY_NAME && o->user->byname->input == (int64_t)input)
		add_plain(list, "/etc/passwd");
	if (o->group && o->group->user_case == PB__USER_OPT__USER_BY_NAME && o->group->byname->input == (int64_t)input)
		add_plain(list, "/etc/group");
}

static void add_copy(GArray *list, const Pb__FileActionCopy *c)
{
	struct contenthash_selector s = {
		.path = g_strdup(c->src),
		.wildcard = c->allowwildcard && has_wildcard(c->src),
		.follow_links = c->followsymlink,
		.include = as_list(c->include_patterns, c->n_include_patterns),
		.exclude = as_list(c->exclude_patterns, c->n_exclude_patterns),
		.required = as_list(c->required_paths, c->n_required_paths),
	};
	g_array_append_val(list, s);
}

static bool is_filtered(const struct contenthash_selector *s)
{
	return s->wildcard || s->include || s->exclude;
}

static bool is_beneath(const char *path, const char *directory)
{
	size_t n = strlen(directory);
	return strncmp(path, directory, n) == 0 &&
	       (path[n] == '/' || (n > 0 && directory[n - 1] == '/' && path[n] != '\0'));
}

/* Reports whether another plain selector of the same kind covers s, or s repeats an earlier one. */
static bool is_covered(const GArray *list, guint index)
{
	const struct contenthash_selector *s = &g_array_index(list, struct contenthash_selector, index);
	for (guint i = 0; i < list->len; i++) {
		const struct contenthash_selector *o = &g_array_index(list, struct contenthash_selector, i);
		if (i == index || is_filtered(o) || o->follow_links != s->follow_links)
			continue;
		if (is_beneath(s->path, o->path) || (i < index && g_str_equal(s->path, o->path)))
			return true;
	}
	return false;
}

static int order(const void *a, const void *b)
{
	const struct contenthash_selector *x = a, *y = b;
	return strcmp(x->path, y->path);
}

GArray *file_key_selectors(const Pb__FileOp *pb, unsigned input)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct contenthash_selector));
	GArray *kept = g_array_new(FALSE, FALSE, sizeof(struct contenthash_selector));
	g_array_set_clear_func(all, selector_clear);
	g_array_set_clear_func(kept, selector_clear);
	for (size_t i = 0; i < pb->n_actions; i++) {
		const Pb__FileAction *a = pb->actions[i];
		if (a->action_case != PB__FILE_ACTION__ACTION_SYMLINK)
			add_owner(all, file_action_owner(a), input);
		if (a->action_case == PB__FILE_ACTION__ACTION_COPY && a->secondaryinput == (int64_t)input)
			add_copy(all, a->copy);
	}
	/* Required paths of plain selectors are dropped: only filtered selectors check them. */
	for (guint i = 0; i < all->len; i++) {
		struct contenthash_selector *s = &g_array_index(all, struct contenthash_selector, i);
		bool filtered = is_filtered(s);
		if (!filtered && is_covered(all, i))
			continue;
		struct contenthash_selector copy = {.follow_links = s->follow_links, .wildcard = s->wildcard};
		copy.path = rooted(s->path);
		copy.include = g_steal_pointer(&s->include);
		copy.exclude = g_steal_pointer(&s->exclude);
		copy.required = filtered ? g_steal_pointer(&s->required) : NULL;
		g_array_append_val(kept, copy);
	}
	if (kept->len == 0) {
		struct contenthash_selector whole = {.path = g_strdup("/")};
		g_array_append_val(kept, whole);
	}
	g_array_sort(kept, order);
	return kept;
}

/* ---- matches */

/* Adds the matching entries of a directory, sorted. Invalid patterns match nothing. */
static bool match_directory(const char *directory, int fd, const char *pattern, GPtrArray *found, GError **error)
{
	scoped_dirlist list = {0};
	bool ok = dirlist_read(&list, fd, error);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		bool match = false;
		if (glob_match(pattern, name, &match, NULL) && match)
			g_ptr_array_add(found, path_join(directory, name));
	}
	return ok;
}

/* Descends one level from each of the directories; NULL with error. */
static GPtrArray *match_level(int root_fd, const GPtrArray *directories, const char *pattern, GError **error)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < directories->len; i++) {
		const char *directory = g_ptr_array_index(directories, i);
		scoped_fd fd = path_open_errno(root_fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, PATH_BENEATH);
		if (fd == -ENOTDIR || fd == -ELOOP)
			continue; /* the match is not a directory */
		if (fd < 0)
			return error_null_errno(error, -fd, "open %s", directory);
		if (!match_directory(directory, fd, pattern, found, error))
			return NULL;
	}
	return g_steal_pointer(&found);
}

/* Length of a clean path before the first component with a wildcard. */
static size_t literal_length(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	size_t n = 0;
	for (size_t i = 0; parts[i]; i++) {
		if (has_wildcard(parts[i]))
			return n;
		n += strlen(parts[i]) + 1;
	}
	return strlen(path);
}

GPtrArray *file_match(int root_fd, const char *pattern, bool follow_links, GError **error)
{
	g_autofree char *rooted = g_strconcat("/", pattern, NULL);
	g_autofree char *clean = path_clean(rooted);
	size_t n = literal_length(clean);
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	if (clean[n] == '\0') {
		g_ptr_array_add(paths, g_strdup(clean));
		return g_steal_pointer(&paths);
	}
	g_autofree char *prefix = g_strndup(clean, MAX(n - 1, 1));
	char *base = path_resolve(root_fd, prefix, follow_links, error);
	if (!base)
		return NULL;
	g_ptr_array_add(paths, base);
	scoped_fd there = path_open_errno(root_fd, base, O_PATH | O_NOFOLLOW, PATH_BENEATH);
	if (there < 0)
		return error_null_errno(error, -there, "lstat %s", base);
	g_auto(GStrv) parts = g_strsplit(clean + n, "/", -1);
	for (size_t i = 0; parts[i]; i++) {
		GPtrArray *next = match_level(root_fd, paths, parts[i], error);
		g_ptr_array_unref(paths);
		paths = next;
		if (!paths)
			return NULL;
	}
	return g_steal_pointer(&paths);
}
